import { expect, test } from "vitest";
import { type Frame, type RawClient, texts, withBroker } from "../support/broker.ts";

async function publishNumbers(client: RawClient, queue: string, count: number): Promise<void> {
  let last = 0;
  for (let i = 1; i <= count; i++) last = client.publish({ routingKey: queue, text: `${i}` });
  await client.fate(last);
}

function of(client: RawClient, consumer: unknown): Frame[] {
  return client.of("deliver").filter((frame) => frame.consumer === consumer);
}

test("consuming from a queue that is not there is refused", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    await expect(posthorn.queue("missing").consume(() => {})).rejects.toMatchObject({ code: "not-found" });
  }));

test("a session's consumer tags are its own, and the broker makes them up if asked", () =>
  withBroker(async ({ raw }) => {
    const [one, other] = [await raw(), await raw()];
    await one.must("queue.declare", { queue: "q" });
    const consume = (consumerTag?: string) => one.request("queue.consume", { queue: "q", consumerTag });
    expect(await consume("mine")).toMatchObject({ type: "ok", consumer: 1, consumerTag: "mine" });
    expect(await consume("mine")).toMatchObject({
      code: "consumer-tag-in-use",
      details: { consumerTag: "mine" },
    });
    expect((await consume()).consumerTag).toMatch(/^amq\.ctag-/);
    expect((await consume("")).consumerTag).toMatch(/^amq\.ctag-/);
    expect(await other.must("queue.consume", { queue: "q", consumerTag: "mine" })).toMatchObject({
      consumer: 1,
    });
    await one.must("consumer.cancel", { consumer: 1 });
    expect(await consume("mine")).toMatchObject({ type: "ok", consumerTag: "mine" });
  }));

test("a tag that the broker makes up is never one that the client has chosen", () =>
  withBroker(async ({ raw }) => {
    const [client, watcher] = [await raw(), await raw()];
    await client.must("queue.declare", { queue: "q" });
    for (let number = 1; number <= 6; number++) {
      await client.must("queue.consume", { queue: "q", consumerTag: `amq.ctag-${2 * number}` });
      const { consumerTag } = await client.must("queue.consume", { queue: "q" });
      expect(consumerTag).not.toBe(`amq.ctag-${2 * number}`);
    }
    expect(await client.must("queue.declare", { queue: "q" })).toMatchObject({ consumerCount: 12 });
    await client.must("bye");
    expect(await watcher.must("queue.declare", { queue: "q" })).toMatchObject({ consumerCount: 0 });
  }));

test("an exclusive consumer is the only one, or is none", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const queue = await posthorn.queue("q").declare();
    const shared = await queue.consume(() => {});
    await expect(queue.consume(() => {}, { exclusive: true })).rejects.toMatchObject({ code: "in-use" });
    await shared.cancel();
    const exclusive = await queue.consume(() => {}, { exclusive: true });
    await expect(queue.consume(() => {})).rejects.toMatchObject({ code: "in-use" });
    await expect(queue.consume(() => {}, { exclusive: true })).rejects.toMatchObject({ code: "in-use" });
    await exclusive.cancel();
    await queue.consume(() => {});
  }));

test("a consumer holds no more unsettled messages than its prefetch; settling any makes room", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await client.must("queue.declare", { queue: "q" });
    const { consumer } = await client.must("queue.consume", { queue: "q", prefetch: 2 });
    await publishNumbers(client, "q", 10);
    await client.barrier();
    expect(texts(of(client, consumer))).toEqual(["1", "2"]);
    client.settle(consumer as number, 2, 2, "reject");
    await client.barrier();
    expect(texts(of(client, consumer))).toEqual(["1", "2", "3"]);
    client.settle(consumer as number, 1, 3, "ack");
    await client.barrier();
    expect(texts(of(client, consumer))).toEqual(["1", "2", "3", "4", "5"]);
  }));

test("a prefetch of 0 means as many as the broker allows; none means its default; more is cut", () =>
  withBroker(
    async ({ raw }) => {
      const client = await raw();
      await client.must("queue.declare", { queue: "q" });
      for (const [asked, holds] of [
        [0, 50],
        [undefined, 10],
        [7, 7],
        [4_294_967_295, 50],
      ] as const) {
        expect(await client.must("queue.consume", { queue: "q", prefetch: asked })).toMatchObject({
          prefetch: holds,
        });
      }
    },
    { config: { maxPrefetch: 50, defaultPrefetch: 10 } },
  ));

test("prefetch is each consumer's own, and messages taken one by one do not count", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await client.must("queue.declare", { queue: "q" });
    await publishNumbers(client, "q", 10);
    for (let i = 0; i < 3; i++) await client.must("queue.get", { queue: "q" });
    const first = await client.must("queue.consume", { queue: "q", prefetch: 1 });
    await client.deliveries(1, 1);
    const second = await client.must("queue.consume", { queue: "q", prefetch: 2 });
    await client.barrier();
    expect(of(client, 0)).toHaveLength(3);
    expect(of(client, first.consumer)).toHaveLength(1);
    expect(of(client, second.consumer)).toHaveLength(2);
  }));

test("deliveries without ack are settled when sent, have no number, and are not held to a prefetch", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await client.must("queue.declare", { queue: "q" });
    const { consumer } = await client.must("queue.consume", { queue: "q", prefetch: 1, noAck: true });
    await publishNumbers(client, "q", 100);
    const frames = await client.deliveries(consumer as number, 100);
    expect(frames.every(({ delivery }) => delivery === undefined)).toBe(true);
    client.settle(consumer as number, 1, 1, "ack");
    expect(await client.next({ type: "error" })).toMatchObject({ code: "unknown-delivery" });
    expect(await client.must("queue.declare", { queue: "q" })).toMatchObject({ messageCount: 0 });
  }));

test("messages go to the consumers in turn, to those that can take one", () =>
  withBroker(async ({ raw }) => {
    const [publisher, a, b, c] = [await raw(), await raw(), await raw(), await raw()];
    await publisher.must("queue.declare", { queue: "q" });
    await a.must("queue.consume", { queue: "q", prefetch: 100 });
    await b.must("queue.consume", { queue: "q", prefetch: 2 });
    await c.must("queue.consume", { queue: "q", prefetch: 100 });
    await publishNumbers(publisher, "q", 10);
    await Promise.all([a.barrier(), b.barrier(), c.barrier()]);
    expect(texts(a.of("deliver"))).toEqual(["1", "4", "7", "9"]);
    expect(texts(b.of("deliver"))).toEqual(["2", "5"]);
    expect(texts(c.of("deliver"))).toEqual(["3", "6", "8", "10"]);
  }));

test("the answer to consume comes before the first delivery, however full the queue is", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await client.must("queue.declare", { queue: "q" });
    await publishNumbers(client, "q", 50);
    const before = client.received.length;
    const asked = [1, 2, 3].map(() => client.ask("queue.consume", { queue: "q", prefetch: 10 }));
    for (const id of asked) await client.answer(id);
    await client.barrier();
    const seen = new Set<unknown>();
    for (const frame of client.received.slice(before)) {
      if (frame.type === "ok" && frame.consumer !== undefined) seen.add(frame.consumer);
      else if (frame.type === "deliver") expect(seen).toContain(frame.consumer);
    }
    expect(client.of("deliver")).toHaveLength(30);
  }));

test("no delivery follows the answer to cancel, even when it is sent behind consume without waiting", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await client.must("queue.declare", { queue: "q" });
    await publishNumbers(client, "q", 200);
    for (let consumer = 1; consumer <= 5; consumer++) {
      client.ask("queue.consume", { queue: "q", prefetch: 10 });
      const cancelled = client.ask("consumer.cancel", { consumer });
      await client.answer(cancelled);
      const delivered = of(client, consumer).length;
      await client.barrier();
      expect(of(client, consumer)).toHaveLength(delivered);
    }
    expect(await client.must("queue.declare", { queue: "q" })).toMatchObject({ consumerCount: 0 });
  }));

test("cancelling leaves unsettled messages with the client, who can still settle them", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await client.must("queue.declare", { queue: "q" });
    await publishNumbers(client, "q", 3);
    const { consumer } = await client.must("queue.consume", { queue: "q", prefetch: 3 });
    await client.deliveries(consumer as number, 3);
    await client.must("consumer.cancel", { consumer });
    expect(await client.must("queue.declare", { queue: "q" })).toMatchObject({
      messageCount: 0,
      consumerCount: 0,
    });
    client.settle(consumer as number, 1, 2, "ack");
    client.settle(consumer as number, 3, 3, "requeue");
    await client.barrier();
    expect(client.of("error")).toEqual([]);
    expect(await client.must("queue.declare", { queue: "q" })).toMatchObject({ messageCount: 1 });
    client.settle(consumer as number, 3, 3, "ack");
    expect(await client.next({ type: "error" })).toMatchObject({ code: "unknown-delivery" });
  }));

test("cancelling a consumer that is not there is no error", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await client.must("consumer.cancel", { consumer: 7 });
    await client.must("queue.declare", { queue: "q" });
    const { consumer } = await client.must("queue.consume", {});
    await client.must("consumer.cancel", { consumer });
    await client.must("consumer.cancel", { consumer });
  }));

test("the broker tells consumers that their queue was deleted; what they hold can be settled, to no effect", () =>
  withBroker(async ({ raw }) => {
    const [owner, consumer] = [await raw(), await raw()];
    await owner.must("queue.declare", { queue: "q" });
    await consumer.must("queue.consume", { queue: "q", consumerTag: "worker" });
    await publishNumbers(owner, "q", 2);
    await consumer.deliveries(1, 2);
    await owner.must("queue.delete", { queue: "q" });
    expect(await consumer.next({ type: "consumer.cancelled" })).toMatchObject({
      consumer: 1,
      consumerTag: "worker",
      code: "queue-deleted",
    });
    consumer.settle(1, 1, 1, "ack");
    consumer.settle(1, 2, 2, "requeue");
    await consumer.barrier();
    expect(consumer.of("error")).toEqual([]);
    await owner.must("queue.declare", { queue: "q" });
    expect(await owner.must("queue.declare", { queue: "q" })).toMatchObject({ messageCount: 0 });
    expect(await consumer.must("queue.consume", { queue: "q", consumerTag: "worker" })).toMatchObject({
      consumer: 2,
    });
  }));

test("a consumer whose queue is deleted while it starts is told so behind the answer", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    for (let consumer = 1; consumer <= 5; consumer++) {
      await client.must("queue.declare", { queue: "q" });
      const started = client.ask("queue.consume", { queue: "q" });
      client.ask("queue.delete", { queue: "q" });
      const answer = await client.answer(started);
      expect(answer).toMatchObject({ type: "ok", consumer });
      const told = await client.next({ type: "consumer.cancelled", consumer });
      expect(client.received.indexOf(told)).toBeGreaterThan(client.received.indexOf(answer));
    }
  }));

test("a lost client's messages go to another, marked as redelivered, in their order", () =>
  withBroker(async ({ raw }) => {
    const [publisher, lost, other] = [await raw(), await raw(), await raw()];
    await publisher.must("queue.declare", { queue: "q" });
    await lost.must("queue.consume", { queue: "q", prefetch: 5 });
    await publishNumbers(publisher, "q", 8);
    await lost.deliveries(1, 5);
    lost.settle(1, 2, 2, "ack");
    await lost.deliveries(1, 1);
    lost.terminate();
    await other.must("queue.consume", { queue: "q", prefetch: 100 });
    const frames = await other.deliveries(1, 7);
    // The other may have had some of those behind before the lost ones were back.
    const back = frames.filter(({ redelivered }) => redelivered);
    expect(texts(back)).toEqual(["1", "3", "4", "5", "6"]);
    expect(back.map(({ attempts }) => attempts)).toEqual([1, 1, 1, 1, 1]);
    expect(texts(frames.filter(({ redelivered }) => redelivered === undefined))).toEqual(["7", "8"]);
  }));

test("a session that ends in the middle of starting a consumer leaves none behind", () =>
  withBroker(async ({ raw }) => {
    const watcher = await raw();
    await watcher.must("queue.declare", { queue: "q" });
    for (let round = 0; round < 10; round++) {
      const client = await raw();
      client.ask("queue.consume", { queue: "q", exclusive: true });
      client.ask("bye");
      await client.closed;
    }
    const other = await raw();
    await other.must("queue.consume", { queue: "q", exclusive: true });
  }));

test("a session may have so many consumers and no more", () =>
  withBroker(
    async ({ raw }) => {
      const client = await raw();
      await client.must("queue.declare", { queue: "q" });
      for (let i = 0; i < 2; i++) await client.must("queue.consume", {});
      expect(await client.request("queue.consume", {})).toMatchObject({
        code: "limit-exceeded",
        details: { maximum: 2 },
      });
      await client.must("consumer.cancel", { consumer: 1 });
      await client.must("queue.consume", {});
    },
    { config: { maxConsumersPerSession: 2 } },
  ));
