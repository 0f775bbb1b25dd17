import { expect, test } from "vitest";
import type { QueueArguments } from "../../client/index.ts";
import { type Frame, type RawClient, texts, withBroker } from "../support/broker.ts";
import { ManualTime } from "../support/manual-time.ts";

async function declare(client: RawClient): Promise<void> {
  await client.must("queue.declare", { queue: "q", arguments: { singleActiveConsumer: true } });
}

async function publishNumbers(client: RawClient, from: number, to: number): Promise<void> {
  let last = 0;
  for (let i = from; i <= to; i++) last = client.publish({ routingKey: "q", text: `${i}` });
  await client.fate(last);
}

function consume(client: RawClient, options: { prefetch?: number; priority?: number } = {}): Promise<Frame> {
  const { prefetch = 100, priority = 0 } = options;
  return client.must("queue.consume", { queue: "q", prefetch, arguments: { priority } });
}

function activeChanges(client: RawClient): unknown[] {
  return client.of("consumer.active").map(({ active }) => active);
}

test("one consumer gets everything, the others stand by, and each is told which it is", () =>
  withBroker(async ({ raw }) => {
    const [publisher, first, second] = [await raw(), await raw(), await raw()];
    await declare(publisher);
    expect(await consume(first, { prefetch: 2 })).toMatchObject({ active: true });
    expect(await consume(second)).toMatchObject({ active: false });
    await publishNumbers(publisher, 1, 5);
    await Promise.all([first.barrier(), second.barrier()]);
    expect(texts(first.of("deliver"))).toEqual(["1", "2"]);
    expect(second.of("deliver")).toEqual([]);
    expect([...activeChanges(first), ...activeChanges(second)]).toEqual([]);
  }));

test("when the active consumer is cancelled the next takes over at once, and what is in flight stays with the first", () =>
  withBroker(async ({ raw }) => {
    const [publisher, first, second, third] = [await raw(), await raw(), await raw(), await raw()];
    await declare(publisher);
    await consume(first, { prefetch: 2 });
    await consume(second, { prefetch: 2 });
    await consume(third);
    await publishNumbers(publisher, 1, 6);
    await first.deliveries(1, 2);
    await first.must("consumer.cancel", { consumer: 1 });
    expect(texts(await second.deliveries(1, 2))).toEqual(["3", "4"]);
    expect(activeChanges(second)).toEqual([true]);
    first.settle(1, 1, 2, "ack");
    await first.barrier();
    expect(first.of("error")).toEqual([]);
    await third.barrier();
    expect(third.of("deliver")).toEqual([]);
    expect(activeChanges(third)).toEqual([]);
  }));

test("when the active consumer's connection is lost, the next gets its messages, in their order", () =>
  withBroker(async ({ raw }) => {
    const [publisher, first, second] = [await raw(), await raw(), await raw()];
    await declare(publisher);
    await consume(first, { prefetch: 3 });
    await consume(second);
    await publishNumbers(publisher, 1, 5);
    await first.deliveries(1, 3);
    first.terminate();
    expect(texts(await second.deliveries(1, 5))).toEqual(["1", "2", "3", "4", "5"]);
  }));

test("of those that stand by the highest priority takes over, and of equals the one that came first", () =>
  withBroker(async ({ raw }) => {
    const clients = [await raw(), await raw(), await raw(), await raw()] as const;
    const [active, low, high, alsoHigh] = clients;
    await declare(active);
    await consume(active, { priority: 9 });
    await consume(low, { priority: 1 });
    await consume(high, { priority: 5 });
    await consume(alsoHigh, { priority: 5 });
    const order: RawClient[] = [];
    for (const client of [active, high, alsoHigh]) {
      await client.must("consumer.cancel", { consumer: 1 });
      await Promise.all(clients.map((other) => other.barrier()));
      order.push(...clients.filter((other) => activeChanges(other).length > 0 && !order.includes(other)));
    }
    expect(order).toEqual([high, alsoHigh, low]);
  }));

test("a consumer of higher priority takes over once the active one has settled what it has", () =>
  withBroker(async ({ raw }) => {
    const [publisher, low, high] = [await raw(), await raw(), await raw()];
    await declare(publisher);
    await consume(low, { prefetch: 2 });
    await publishNumbers(publisher, 1, 4);
    await low.deliveries(1, 2);
    expect(await consume(high, { priority: 1 })).toMatchObject({ active: false });
    expect(await low.next({ type: "consumer.active" })).toMatchObject({ consumer: 1, active: false });
    low.settle(1, 1, 1, "ack");
    await low.barrier();
    await high.barrier();
    expect(activeChanges(high)).toEqual([]);
    low.settle(1, 2, 2, "requeue");
    expect(texts(await high.deliveries(1, 3))).toEqual(["2", "3", "4"]);
    expect(activeChanges(high)).toEqual([true]);
    expect(low.of("deliver")).toHaveLength(2);
  }));

test("a consumer that has been outranked is active again if the other one goes first", () =>
  withBroker(async ({ raw }) => {
    const [publisher, low, high] = [await raw(), await raw(), await raw()];
    await declare(publisher);
    await consume(low, { prefetch: 2 });
    await publishNumbers(publisher, 1, 3);
    await low.deliveries(1, 2);
    await consume(high, { priority: 1 });
    await high.must("consumer.cancel", { consumer: 1 });
    low.settle(1, 1, 2, "ack");
    expect(texts(await low.deliveries(1, 1))).toEqual(["3"]);
    expect(activeChanges(low)).toEqual([false, true]);
  }));

test("an outranked consumer that leaves with unsettled messages makes way at once", () =>
  withBroker(async ({ raw }) => {
    const [publisher, low, high] = [await raw(), await raw(), await raw()];
    await declare(publisher);
    await consume(low, { prefetch: 2 });
    await publishNumbers(publisher, 1, 3);
    await low.deliveries(1, 2);
    await consume(high, { priority: 1 });
    await low.must("consumer.cancel", { consumer: 1 });
    expect(texts(await high.deliveries(1, 1))).toEqual(["3"]);
    low.settle(1, 1, 2, "ack");
    await low.barrier();
    expect(low.of("error")).toEqual([]);
  }));

test("an exclusive consumer is refused, and so is taking messages one by one", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await declare(client);
    expect(await client.request("queue.consume", { queue: "q", exclusive: true })).toMatchObject({
      code: "access-refused",
    });
    expect(await client.request("queue.get", { queue: "q" })).toMatchObject({ code: "resource-locked" });
    expect(await consume(client)).toMatchObject({ active: true });
  }));

test("a consumer of any other queue is not told that it is active", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await client.must("queue.declare", { queue: "q" });
    expect(await client.must("queue.consume", { queue: "q" })).not.toHaveProperty("active");
  }));

test("the queue has a single active consumer after a restart, too", () =>
  withBroker(
    async ({ raw, restart }) => {
      await declare(await raw());
      await restart();
      const [first, second] = [await raw(), await raw()];
      expect(await consume(first)).toMatchObject({ active: true });
      expect(await consume(second)).toMatchObject({ active: false });
    },
    { onDisk: true },
  ));

test("the SDK says which consumer is active, and calls back when that changes", () =>
  withBroker(async ({ connect }) => {
    const [one, other] = [await connect(), await connect()];
    await one.queue("q").declare({ singleActiveConsumer: true });
    const changes: string[] = [];
    const got: string[] = [];
    const start = (posthorn: typeof one, name: string) =>
      posthorn.queue("q").consume((message) => void got.push(`${name} ${message.text()}`), {
        onActiveChange: (active) => changes.push(`${name} ${active ? "on" : "off"}`),
      });
    const first = await start(one, "first");
    const second = await start(other, "second");
    expect([first.active, second.active]).toEqual([true, false]);
    await one.queue("q").publish("1");
    await first.cancel();
    await one.queue("q").publish("2");
    await expect.poll(() => got).toEqual(["first 1", "second 2"]);
    expect([first.active, second.active]).toEqual([false, true]);
    expect(changes).toEqual(["first on", "first off", "second on"]);
  }));

test.each<[QueueArguments, number, string[]]>([
  [{}, 3, ["1", "2", "3", "1"]],
  [{ messageGroups: {} }, 1, ["1", "1", "2", "3"]],
])("what is delayed is overtaken, unless it has a group, which waits: %o", async (args, meanwhile, order) => {
  const clock = new ManualTime();
  await withBroker(
    async ({ connect }) => {
      const queue = await (await connect()).queue("q").declare({ singleActiveConsumer: true, ...args });
      const handled: string[] = [];
      await queue.consume(
        (message) => {
          handled.push(message.text());
          if (message.text() === "1" && message.attempts === 0) message.requeue({ delay: 1000 });
        },
        { prefetch: 1 },
      );
      for (const text of ["1", "2", "3"]) await queue.publish(text, { headers: { group: "one" } });
      await expect.poll(async () => (await queue.status()).delayed).toBe(1);
      await expect.poll(() => handled.length).toBe(meanwhile);
      clock.advance(1000);
      await expect.poll(() => handled.length).toBe(4);
      expect(handled).toEqual(order);
    },
    { clock },
  );
});
