import { expect, test } from "vitest";
import { type RawClient, texts, withBroker } from "../support/broker.ts";

/** Publishes texts that are told apart by their first letters, `kiB` long each. Properties add a few dozen bytes. */
async function publish(client: RawClient, ...messages: [name: string, kiB: number][]): Promise<void> {
  let last = 0;
  for (const [name, kiB] of messages)
    last = client.publish({ routingKey: "q", text: name.padEnd(kiB * 1024) });
  await client.fate(last);
}

function names(client: RawClient): string[] {
  return texts(client.of("deliver")).map((text) => String(text).trim());
}

function consume(client: RawClient, prefetchBytes: number, prefetch = 100) {
  return client.must("queue.consume", { queue: "q", prefetch, arguments: { prefetchBytes } });
}

test("a consumer holds no more bytes of unsettled messages than its prefetchBytes; settling makes room", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await client.must("queue.declare", { queue: "q" });
    await consume(client, 25 * 1024);
    await publish(client, ["a", 10], ["b", 10], ["c", 10], ["d", 1]);
    await client.barrier();
    expect(names(client)).toEqual(["a", "b"]);
    client.settle(1, 1, 1, "ack");
    await client.barrier();
    expect(names(client)).toEqual(["a", "b", "c", "d"]);
  }));

test("a message that is larger than the budget comes when nothing else is unsettled, and then alone", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await client.must("queue.declare", { queue: "q" });
    await consume(client, 5 * 1024);
    await publish(client, ["small", 1], ["large", 50], ["next", 1]);
    await client.barrier();
    expect(names(client)).toEqual(["small"]);
    client.settle(1, 1, 1, "ack");
    await client.barrier();
    expect(names(client)).toEqual(["small", "large"]);
    client.settle(1, 2, 2, "ack");
    await client.barrier();
    expect(names(client)).toEqual(["small", "large", "next"]);
  }));

test("what does not fit one consumer goes to the next, and the order of the queue is kept", () =>
  withBroker(async ({ raw }) => {
    const [narrow, wide] = [await raw(), await raw()];
    await narrow.must("queue.declare", { queue: "q" });
    await consume(narrow, 12 * 1024);
    await consume(wide, 1024 * 1024);
    await publish(narrow, ["a", 10], ["b", 1], ["c", 10], ["d", 10]);
    await Promise.all([narrow.barrier(), wide.barrier()]);
    expect(names(narrow)).toEqual(["a"]);
    expect(names(wide)).toEqual(["b", "c", "d"]);
    expect(wide.of("deliver").every(({ redelivered }) => redelivered === undefined)).toBe(true);
  }));

test("the number of messages counts too, whichever is reached first", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await client.must("queue.declare", { queue: "q" });
    await consume(client, 1024 * 1024, 2);
    await publish(client, ["a", 1], ["b", 1], ["c", 1]);
    await client.barrier();
    expect(names(client)).toEqual(["a", "b"]);
  }));

test("the queue says what holds for consumers that say nothing, and the broker what holds at most", () =>
  withBroker(
    async ({ raw }) => {
      const client = await raw();
      await client.must("queue.declare", { queue: "q" });
      await client.must("queue.declare", { queue: "narrow", arguments: { prefetchBytes: 4096 } });
      await client.must("queue.declare", { queue: "greedy", arguments: { prefetchBytes: 1024 ** 3 } });
      const asked = async (queue: string, fields: object = {}) =>
        (await client.must("queue.consume", { queue, ...fields })).prefetchBytes;
      expect(await asked("q")).toBe(10_000);
      expect(await asked("narrow")).toBe(4096);
      expect(await asked("greedy")).toBe(20_000);
      expect(await asked("narrow", { arguments: { prefetchBytes: 15_000 } })).toBe(15_000);
      expect(await asked("q", { arguments: { prefetchBytes: 1024 ** 3 } })).toBe(20_000);
      expect(await asked("narrow", { noAck: true })).toBeUndefined();
    },
    { config: { defaultPrefetchBytes: 10_000, maxPrefetchBytes: 20_000 } },
  ));

test("deliveries without ack are not held to a number of bytes", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await client.must("queue.declare", { queue: "q", arguments: { prefetchBytes: 1 } });
    await client.must("queue.consume", { queue: "q", noAck: true });
    await publish(client, ["a", 1], ["b", 1], ["c", 1]);
    expect(await client.deliveries(1, 3)).toHaveLength(3);
  }));

test("the SDK's consumers work through messages larger than their budget, one at a time", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const queue = await posthorn.queue("q").declare();
    for (let i = 0; i < 5; i++) await queue.publish(`${i}`.padEnd(1000));
    const got: string[] = [];
    let running = 0;
    await queue.consume(
      async (message) => {
        expect(++running).toBe(1);
        await new Promise(setImmediate);
        running--;
        got.push(message.text().trim());
      },
      { prefetchBytes: 500 },
    );
    await expect.poll(() => got).toEqual(["0", "1", "2", "3", "4"]);
  }));
