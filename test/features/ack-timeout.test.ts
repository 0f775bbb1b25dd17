import { expect, test } from "vitest";
import { type Frame, type RawClient, texts, withBroker } from "../support/broker.ts";
import { ManualTime } from "../support/manual-time.ts";

async function publishNumbers(client: RawClient, from: number, to: number): Promise<void> {
  let last = 0;
  for (let i = from; i <= to; i++) last = client.publish({ routingKey: "q", text: `${i}` });
  await client.fate(last);
}

/** A broker whose clock stands still, with a queue `q` whose messages have to be settled within a second. */
function withLeases(
  use: (world: {
    clock: ManualTime;
    client: RawClient;
    raw: () => Promise<RawClient>;
    consume: (client: RawClient, args?: object, prefetch?: number) => Promise<Frame>;
  }) => Promise<void>,
): Promise<void> {
  const clock = new ManualTime();
  return withBroker(
    async ({ raw }) => {
      const client = await raw();
      await client.must("queue.declare", { queue: "q", arguments: { ackTimeout: 1000 } });
      const consume = (who: RawClient, args: object = {}, prefetch = 100) =>
        who.must("queue.consume", { queue: "q", prefetch, arguments: args });
      await use({ clock, client, raw, consume });
    },
    { clock },
  );
}

test("a message that is not settled in time comes back to its place, counted as an attempt, and its consumer is told", () =>
  withLeases(async ({ clock, client, consume, raw }) => {
    const other = await raw();
    expect(await consume(client, {}, 2)).toMatchObject({ ackTimeout: 1000 });
    await publishNumbers(client, 1, 2);
    await client.deliveries(1, 2);
    await client.must("queue.pause", { queue: "q" });
    clock.advance(999);
    await client.barrier();
    expect(client.of("delivery.expired")).toEqual([]);
    clock.advance(1);
    expect(await client.next({ type: "delivery.expired" })).toMatchObject({ consumer: 1, first: 1, last: 2 });
    await publishNumbers(client, 3, 3);
    await client.must("consumer.cancel", { consumer: 1 });
    await consume(other);
    await client.must("queue.resume", { queue: "q" });
    const frames = await other.deliveries(1, 3);
    expect(texts(frames)).toEqual(["1", "2", "3"]);
    expect(frames.map(({ redelivered = false, attempts = 0 }) => [redelivered, attempts])).toEqual([
      [true, 1],
      [true, 1],
      [false, 0],
    ]);
  }));

test("only the late message comes back; its consumer keeps the others and gets more", () =>
  withLeases(async ({ clock, client, consume }) => {
    await consume(client, {}, 2);
    await publishNumbers(client, 1, 1);
    await client.deliveries(1, 1);
    clock.advance(600);
    await publishNumbers(client, 2, 2);
    await client.deliveries(1, 1);
    clock.advance(400);
    expect(await client.next({ type: "delivery.expired" })).toMatchObject({ consumer: 1, first: 1, last: 1 });
    expect(await client.deliveries(1, 1)).toMatchObject([{ text: "1", delivery: 3, attempts: 1 }]);
    client.settle(1, 2, 3, "ack");
    await client.barrier();
    expect(client.of("error")).toEqual([]);
    expect(await client.must("queue.status", { queue: "q" })).toMatchObject({
      ready: 0,
      unsettled: 0,
      consumers: 1,
    });
  }));

test("a late settlement gets an error of its own, and what is settled in time with it counts", () =>
  withLeases(async ({ clock, client, consume }) => {
    await consume(client, {}, 5);
    await publishNumbers(client, 1, 5);
    await client.deliveries(1, 5);
    clock.advance(500);
    await client.must("consumer.touch", { consumer: 1, first: 1, last: 2 });
    await client.must("consumer.touch", { consumer: 1, first: 5, last: 5 });
    await client.must("queue.pause", { queue: "q" });
    clock.advance(500);
    expect(await client.next({ type: "delivery.expired" })).toMatchObject({ first: 3, last: 4 });
    client.settle(1, 1, 4, "ack");
    expect(await client.next({ type: "error" })).toMatchObject({
      code: "delivery-expired",
      details: { consumer: 1, first: 3, last: 4 },
    });
    expect(await client.must("queue.status", { queue: "q" })).toMatchObject({ ready: 2, unsettled: 1 });
    client.settle(1, 3, 3, "ack");
    expect(await client.next({ type: "error" })).toMatchObject({ code: "unknown-delivery" });
    client.settle(1, 5, 5, "ack");
    await client.barrier();
    expect(client.of("error")).toHaveLength(2);
    expect(await client.must("queue.status", { queue: "q" })).toMatchObject({ ready: 2, unsettled: 0 });
  }));

test("touching deliveries begins their time anew, and says how many of them are outstanding", () =>
  withLeases(async ({ clock, client, consume }) => {
    await consume(client);
    await publishNumbers(client, 1, 3);
    await client.deliveries(1, 3);
    client.settle(1, 2, 2, "ack");
    for (let i = 0; i < 5; i++) {
      clock.advance(900);
      const range = { consumer: 1, first: 1, last: 100 };
      expect(await client.must("consumer.touch", range)).toMatchObject({ touched: 2 });
    }
    expect(client.of("delivery.expired")).toEqual([]);
    clock.advance(1000);
    await client.next({ type: "delivery.expired", first: 1, last: 1 });
    await client.next({ type: "delivery.expired", first: 3, last: 3 });
    for (const range of [
      { consumer: 1, first: 1, last: 3 },
      { consumer: 7, first: 1, last: 1 },
      { consumer: 1, first: 3, last: 1 },
    ]) {
      expect(await client.must("consumer.touch", range)).toMatchObject({ touched: 0 });
    }
  }));

test("a consumer may ask for another time than its queue's", () =>
  withLeases(async ({ clock, client, consume }) => {
    await client.must("queue.declare", { queue: "free" });
    const consumeFree = (args: object) => client.must("queue.consume", { queue: "free", arguments: args });
    expect(await consume(client, { ackTimeout: 60_000 }, 1)).toMatchObject({
      consumer: 1,
      ackTimeout: 60_000,
    });
    await publishNumbers(client, 1, 1);
    await client.deliveries(1, 1);
    clock.advance(59_999);
    await client.barrier();
    expect(client.of("delivery.expired")).toEqual([]);
    clock.advance(1);
    await client.next({ type: "delivery.expired", consumer: 1 });
    expect(await consumeFree({ ackTimeout: 5 })).toMatchObject({ ackTimeout: 5 });
    expect(await consumeFree({})).not.toHaveProperty("ackTimeout");
  }));

test("messages taken one by one have to be settled in time, too", () =>
  withLeases(async ({ clock, client }) => {
    await publishNumbers(client, 1, 2);
    await client.must("queue.get", { queue: "q" });
    clock.advance(700);
    await client.must("queue.get", { queue: "q" });
    expect(await client.must("consumer.touch", { consumer: 0, first: 2, last: 2 })).toMatchObject({
      touched: 1,
    });
    clock.advance(300);
    expect(await client.next({ type: "delivery.expired" })).toMatchObject({ consumer: 0, first: 1, last: 1 });
    client.settle(0, 1, 1, "ack");
    expect(await client.next({ type: "error" })).toMatchObject({
      code: "delivery-expired",
      details: { consumer: 0 },
    });
    client.settle(0, 2, 2, "ack");
    await client.must("queue.get", { queue: "q" });
    expect(await client.deliveries(0, 3)).toMatchObject([
      { text: "1" },
      { text: "2" },
      { text: "1", attempts: 1 },
    ]);
  }));

test("what needs no ack has no time to be settled in, and neither has what was settled", () =>
  withLeases(async ({ clock, client, raw, consume }) => {
    const other = await raw();
    expect(await client.must("queue.consume", { queue: "q", noAck: true })).not.toHaveProperty("ackTimeout");
    await publishNumbers(client, 1, 1);
    await client.deliveries(1, 1);
    await client.must("consumer.cancel", { consumer: 1 });
    await consume(other);
    await publishNumbers(client, 2, 3);
    await other.deliveries(1, 2);
    other.settle(1, 1, 2, "ack");
    await other.barrier();
    clock.advance(10_000);
    await Promise.all([client.barrier(), other.barrier()]);
    expect([...client.of("delivery.expired"), ...other.of("delivery.expired")]).toEqual([]);
    expect(await client.must("queue.status", { queue: "q" })).toMatchObject({ ready: 0, unsettled: 0 });
  }));

test("a cancelled consumer still has to settle in time what it has", () =>
  withLeases(async ({ clock, client, raw, consume }) => {
    const other = await raw();
    await consume(client);
    await publishNumbers(client, 1, 1);
    await client.deliveries(1, 1);
    await client.must("consumer.cancel", { consumer: 1 });
    await consume(other);
    clock.advance(1000);
    expect(await client.next({ type: "delivery.expired" })).toMatchObject({ consumer: 1, first: 1, last: 1 });
    expect(texts(await other.deliveries(1, 1))).toEqual(["1"]);
    client.settle(1, 1, 1, "ack");
    expect(await client.next({ type: "error" })).toMatchObject({ code: "unknown-delivery" });
  }));

test("messages of a deleted queue do not expire, and can be settled to no effect", () =>
  withLeases(async ({ clock, client, consume }) => {
    await consume(client);
    await publishNumbers(client, 1, 1);
    await client.deliveries(1, 1);
    await client.must("queue.delete", { queue: "q" });
    clock.advance(5000);
    client.settle(1, 1, 1, "ack");
    await client.barrier();
    expect([...client.of("delivery.expired"), ...client.of("error")]).toEqual([]);
  }));

test("a program that hangs loses its messages to another one, and nothing else happens to it", () =>
  withLeases(async ({ clock, client, raw, consume }) => {
    const [hanging, working] = [await raw(), await raw()];
    await consume(hanging, {}, 3);
    await publishNumbers(client, 1, 3);
    await hanging.deliveries(1, 3);
    await consume(working, { priority: 1 });
    clock.advance(1000);
    const frames = await working.deliveries(1, 3);
    expect(texts(frames)).toEqual(["1", "2", "3"]);
    working.settle(1, 1, 3, "ack");
    await working.must("consumer.cancel", { consumer: 1 });
    await publishNumbers(client, 4, 4);
    expect(texts(await hanging.deliveries(1, 1))).toEqual(["4"]);
    expect(hanging.of("error")).toEqual([]);
    expect(await client.must("queue.status", { queue: "q" })).toMatchObject({
      ready: 0,
      unsettled: 1,
      consumers: 1,
    });
  }));

test("the wrong kind of time is refused, and the argument is named", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await client.must("queue.declare", { queue: "q" });
    for (const ackTimeout of [0, -1, 1.5, "30s", 315_360_000_001]) {
      const refused = { code: "invalid-argument", details: { argument: "ackTimeout" } };
      const args = { arguments: { ackTimeout } };
      expect(await client.request("queue.declare", { queue: "new", ...args })).toMatchObject(refused);
      expect(await client.request("queue.consume", { queue: "q", ...args })).toMatchObject(refused);
    }
  }));

test("with the SDK, a handler that takes longer than the time keeps its message, since the client touches it", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const queue = await posthorn.queue("q").declare({ ackTimeout: 150 });
    await queue.publish("slow");
    const handled: number[] = [];
    let finish = () => {};
    const consumer = await queue.consume(async ({ attempts }) => {
      await new Promise<void>((resolve) => {
        finish = resolve;
        setTimeout(resolve, 600);
      });
      handled.push(attempts);
    });
    await expect.poll(() => handled, { timeout: 5000 }).toEqual([0]);
    finish();
    await consumer.cancel();
    expect(await queue.status()).toMatchObject({ ready: 0, unsettled: 0 });
  }));

test("with the SDK, a message whose time has run out knows, and settling or touching it throws delivery-expired", () => {
  const clock = new ManualTime();
  return withBroker(
    async ({ connect }) => {
      const posthorn = await connect();
      const errors: unknown[] = [];
      posthorn.on("error", (error) => errors.push(error));
      const queue = await posthorn.queue("q").declare({ ackTimeout: 60_000 });
      await queue.publish("1");
      const pulled = await queue.get();
      await pulled!.touch();
      clock.advance(60_000);
      await expect(pulled!.touch()).rejects.toMatchObject({ code: "delivery-expired" });
      for await (const message of queue.consume()) {
        expect(message).toMatchObject({ attempts: 1, expired: false, settled: false });
        clock.advance(60_000);
        await expect.poll(() => message.expired).toBe(true);
        expect(message.settled).toBe(true);
        expect(() => message.ack()).toThrow(expect.objectContaining({ code: "delivery-expired" }));
        await expect(message.touch()).rejects.toMatchObject({ code: "delivery-expired" });
        break;
      }
      expect(errors).toMatchObject([{ code: "delivery-expired", details: { first: 1, last: 1 } }]);
      expect(await queue.status()).toMatchObject({ ready: 1, unsettled: 0 });
    },
    { clock },
  );
});
