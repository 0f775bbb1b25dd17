import { expect, test } from "vitest";
import { type RawClient, texts, withBroker } from "../support/broker.ts";

/** A queue with the messages "1", "2", … and a consumer that has been handed them all. */
async function handedOut(client: RawClient, count: number, prefetch = count): Promise<void> {
  await client.must("queue.declare", { queue: "q" });
  for (let i = 1; i <= count; i++) client.publish({ routingKey: "q", text: `${i}` });
  await client.fate(count);
  await client.must("queue.consume", { queue: "q", prefetch });
  await client.deliveries(1, prefetch);
}

async function readyCount(client: RawClient): Promise<unknown> {
  return (await client.must("queue.declare", { queue: "q", passive: true })).messageCount;
}

test("an acked message is gone for good, also when the client is lost right after", () =>
  withBroker(async ({ connect, raw }) => {
    const posthorn = await connect();
    const queue = await posthorn.queue("q").declare();
    await queue.publish("done");
    const message = await queue.get();
    message?.ack();
    expect(() => message?.ack()).toThrow(expect.objectContaining({ code: "unknown-delivery" }));
    await posthorn.close();
    expect(await readyCount(await raw())).toBe(0);
  }));

test("a settlement names a range of one consumer; what is settled in it already is passed over", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await handedOut(client, 10);
    client.settle(1, 3, 3, "ack");
    client.settle(1, 5, 6, "reject");
    client.settle(1, 1, 8, "requeue");
    await client.deliveries(1, 5);
    expect(texts(client.of("deliver").slice(10))).toEqual(["1", "2", "4", "7", "8"]);
    client.settle(1, 1, 15, "ack");
    await client.barrier();
    expect(client.of("error")).toEqual([]);
    await client.must("bye");
    expect(await readyCount(await raw())).toBe(0);
  }));

test("a range must end at a delivery that is outstanding, or nothing of it is settled", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await handedOut(client, 4);
    client.settle(1, 4, 4, "ack");
    for (const last of [4, 5]) {
      client.settle(1, 1, last, "ack");
      expect(await client.next({ type: "error" })).toMatchObject({
        code: "unknown-delivery",
        details: { first: 1, last },
      });
    }
    await client.must("consumer.cancel", { consumer: 1 });
    client.settle(1, 1, 3, "requeue");
    expect(await readyCount(client)).toBe(3);
  }));

test("consumers have numbers of their own: settling one consumer's deliveries leaves another's alone", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await handedOut(client, 6, 3);
    await client.must("queue.consume", { queue: "q", prefetch: 3 });
    expect((await client.deliveries(2, 3)).map(({ delivery }) => delivery)).toEqual([1, 2, 3]);
    client.settle(1, 1, 3, "ack");
    await client.must("consumer.cancel", { consumer: 2 });
    client.settle(2, 1, 3, "requeue");
    await client.deliveries(1, 3);
    expect(texts(client.of("deliver"))).toEqual(["1", "2", "3", "4", "5", "6", "4", "5", "6"]);
    expect(client.of("error")).toEqual([]);
  }));

test("requeued messages return to their places, in order, however they are given back", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await handedOut(client, 8, 6);
    await client.must("consumer.cancel", { consumer: 1 });
    client.settle(1, 4, 4, "requeue");
    client.settle(1, 6, 6, "requeue");
    client.settle(1, 1, 2, "requeue");
    client.settle(1, 5, 5, "requeue");
    const { consumer } = await client.must("queue.consume", { queue: "q", prefetch: 100 });
    const frames = await client.deliveries(consumer as number, 7);
    expect(texts(frames)).toEqual(["1", "2", "4", "5", "6", "7", "8"]);
    expect(frames.map(({ redelivered }) => redelivered ?? false)).toEqual([
      true,
      true,
      true,
      true,
      true,
      false,
      false,
    ]);
  }));

test("a message tells how often it was handed out before", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await handedOut(client, 1);
    for (let delivery = 1; delivery <= 3; delivery++) {
      client.settle(1, delivery, delivery, "requeue");
      expect((await client.deliveries(1, 1))[0]).toMatchObject({
        delivery: delivery + 1,
        redelivered: true,
        attempts: delivery,
      });
    }
    expect(client.of("deliver")[0]).not.toHaveProperty("attempts");
  }));

test("a rejected message does not come back", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const queue = await posthorn.queue("q").declare();
    await queue.publish("bad");
    const message = await queue.get();
    message?.nack({ requeue: false });
    expect(await queue.get()).toBeUndefined();
  }));

test("one that requeues for ever does not starve another queue", () =>
  withBroker(async ({ raw }) => {
    const [spinner, worker] = [await raw(), await raw()];
    await handedOut(spinner, 1);
    let spins = 0;
    let isSpinning = true;
    const spinning = (async () => {
      for (let delivery = 1; isSpinning; delivery++) {
        spinner.settle(1, delivery, delivery, "requeue");
        await spinner.next({ type: "deliver", consumer: 1, delivery: delivery + 1 });
        spins++;
      }
    })();
    await worker.must("queue.declare", { queue: "other" });
    await worker.must("queue.consume", { queue: "other" });
    for (let number = 1; number <= 100; number++) {
      worker.publish({ routingKey: "other", text: `${number}` });
      await worker.next({ type: "deliver", delivery: number });
    }
    isSpinning = false;
    await spinning;
    expect(spins).toBeGreaterThan(0);
  }));

test("a delivery is its session's: another cannot settle it", () =>
  withBroker(async ({ raw }) => {
    const [owner, other] = [await raw(), await raw()];
    await handedOut(owner, 2);
    await other.must("queue.consume", { queue: "q" });
    other.settle(1, 1, 1, "ack");
    expect(await other.next({ type: "error" })).toMatchObject({ code: "unknown-delivery" });
    owner.settle(1, 1, 2, "ack");
    await owner.barrier();
    expect(owner.of("error")).toEqual([]);
  }));
