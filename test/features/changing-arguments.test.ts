import { describe, expect, test } from "vitest";
import type { QueueArguments, ReceivedMessage } from "../../client/index.ts";
import { type RawClient, texts, withBroker } from "../support/broker.ts";
import { ManualTime } from "../support/manual-time.ts";

/** What becomes of the messages and consumers that are there when an argument of their queue changes. */

async function change(client: RawClient, args: object, queue = "q"): Promise<void> {
  await client.must("queue.declare", { queue, arguments: args, onMismatch: "update" });
}

async function publish(client: RawClient, ...all: string[]): Promise<void> {
  for (const text of all) await client.confirmed({ routingKey: "q", text });
}

async function ready(client: RawClient, queue: string): Promise<unknown> {
  return (await client.must("queue.status", { queue })).ready;
}

describe("deadLetterExchange and deadLetterQueue", () => {
  test("are looked up when a message dies, whenever it was published and delivered", () =>
    withBroker(async ({ raw }) => {
      const client = await raw();
      for (const queue of ["q", "one", "other"]) await client.must("queue.declare", { queue });
      await publish(client, "1", "2", "3", "4");
      await client.must("queue.consume", { queue: "q" });
      await client.deliveries(1, 4);
      const rejected = [];
      for (const [number, target] of [
        { deadLetterQueue: "one" },
        { deadLetterExchange: "", deadLetterRoutingKey: "other" },
        {},
        { deadLetterQueue: "other" },
      ].entries()) {
        await change(client, target);
        client.settle(1, number + 1, number + 1, "reject");
        await client.barrier();
        rejected.push([await ready(client, "one"), await ready(client, "other")]);
      }
      expect(rejected).toEqual([
        [1, 0],
        [1, 1],
        [1, 1],
        [1, 2],
      ]);
    }));
});

describe("messageGroups", () => {
  async function send(client: RawClient, ...names: string[]): Promise<void> {
    for (const text of names) {
      await client.confirmed({ routingKey: "q", text, properties: { headers: { group: text[0] } } });
    }
  }

  test("turned on, hold for all messages once those that are out have been settled", () =>
    withBroker(async ({ raw }) => {
      const client = await raw();
      await client.must("queue.declare", { queue: "q" });
      await send(client, "a1", "a2", "a3", "a4", "b1");
      await client.must("queue.consume", { queue: "q", prefetch: 2 });
      await client.deliveries(1, 2);
      await change(client, { messageGroups: {} });
      client.settle(1, 2, 2, "requeue");
      await client.barrier();
      expect(client.of("deliver")).toHaveLength(2);
      client.settle(1, 1, 1, "ack");
      expect(texts(await client.deliveries(1, 2))).toEqual(["a2", "b1"]);
      client.settle(1, 3, 3, "ack");
      expect(texts(await client.deliveries(1, 1))).toEqual(["a3"]);
    }));

  test("turned off, or with another number at a time, hold at once, and the order stays", () =>
    withBroker(async ({ raw }) => {
      const client = await raw();
      await client.must("queue.declare", { queue: "q", arguments: { messageGroups: {} } });
      await send(client, "a1", "a2", "a3", "a4", "a5");
      await client.must("queue.consume", { queue: "q" });
      expect(texts(await client.deliveries(1, 1))).toEqual(["a1"]);
      await change(client, { messageGroups: { maxUnsettled: 3 } });
      expect(texts(await client.deliveries(1, 2))).toEqual(["a2", "a3"]);
      await client.barrier();
      expect(client.of("deliver")).toHaveLength(3);
      await change(client, {});
      expect(texts(await client.deliveries(1, 2))).toEqual(["a4", "a5"]);
      client.settle(1, 2, 2, "requeue");
      expect(texts(await client.deliveries(1, 1))).toEqual(["a2"]);
      await client.must("queue.purge", { queue: "q" });
      client.settle(1, 1, 6, "ack");
      await client.barrier();
      expect(client.of("error")).toEqual([]);
      expect(await ready(client, "q")).toBe(0);
    }));
});

describe("ackTimeout", () => {
  test("holds for consumers that start from then on, and for messages that are taken from then on", async () => {
    const clock = new ManualTime();
    await withBroker(
      async ({ raw }) => {
        const [before, after, puller] = [await raw(), await raw(), await raw()];
        await change(before, { ackTimeout: 1000 });
        await publish(before, "1", "2", "3", "4");
        const consume = (client: RawClient) => client.must("queue.consume", { queue: "q", prefetch: 1 });
        await consume(before);
        await puller.must("queue.get", { queue: "q" });
        await change(before, { ackTimeout: 5000 });
        expect(await consume(after)).toMatchObject({ ackTimeout: 5000 });
        await puller.must("queue.get", { queue: "q" });
        await after.deliveries(1, 1);
        const lateOnes = (): unknown[] =>
          [before, puller, after].map((client) => client.of("delivery.expired").map(({ first }) => first));
        clock.advance(1000);
        await Promise.all([before.barrier(), puller.barrier(), after.barrier()]);
        expect(lateOnes()).toEqual([[1], [1], []]);
        clock.advance(4000);
        await Promise.all([before.barrier(), puller.barrier(), after.barrier()]);
        expect(lateOnes()).toMatchObject([[1, 2], [1, 2], [1]]);
      },
      { clock },
    );
  });
});

describe("maxLength and maxBytes", () => {
  const policy = { policy: "p", pattern: "q", appliesTo: "queues" };
  const set = (client: RawClient, args: object) => client.must("policy.set", { ...policy, arguments: args });

  async function taken(client: RawClient, queue: string): Promise<unknown[]> {
    const before = client.of("deliver").length;
    while ((await client.must("queue.get", { queue, noAck: true })).delivered === 1);
    return texts(client.of("deliver").slice(before));
  }

  test("that a policy lowers make the oldest go at once, to where dead letters go by then", () =>
    withBroker(async ({ raw }) => {
      const client = await raw();
      for (const queue of ["q", "dead"]) await client.must("queue.declare", { queue });
      await publish(client, "1", "2", "3", "4", "5");
      await set(client, { maxLength: 3, deadLetterQueue: "dead" });
      await expect.poll(() => ready(client, "dead")).toBe(2);
      await set(client, { maxBytes: 2, deadLetterQueue: "dead" });
      await expect.poll(() => ready(client, "dead")).toBe(3);
      await client.must("policy.delete", { policy: "p" });
      await publish(client, "6", "7", "8");
      expect(await taken(client, "q")).toEqual(["4", "5", "6", "7", "8"]);
      expect(await taken(client, "dead")).toEqual(["1", "2", "3"]);
    }));

  test("of declaration and policy: the lower holds, and what gives way is what the declaration says", () =>
    withBroker(async ({ raw }) => {
      const client = await raw();
      const declared = { maxLength: 2, overflow: "reject-publish" };
      await client.must("queue.declare", { queue: "q", arguments: declared });
      const accepted = async (count: number): Promise<unknown[]> => {
        const fates = [];
        for (let i = 0; i < count; i++) fates.push((await client.confirmed({ routingKey: "q" })).code);
        return fates;
      };
      await set(client, { maxLength: 3, overflow: "drop-head" });
      expect(await accepted(3)).toEqual([undefined, undefined, "queue-full"]);
      await set(client, { maxLength: 1 });
      expect([await ready(client, "q"), await accepted(1)]).toEqual([2, ["queue-full"]]);
      await client.must("policy.delete", { policy: "p" });
      await taken(client, "q");
      expect(await accepted(3)).toEqual([undefined, undefined, "queue-full"]);
    }));

  test("that a policy lowers hold over a restart, with what they have made go", () =>
    withBroker(
      async ({ raw, restart }) => {
        let client = await raw();
        for (const queue of ["q", "dead"]) await client.must("queue.declare", { queue });
        let last = 0;
        for (let i = 1; i <= 1000; i++) last = client.publish({ routingKey: "q", text: `${i}` });
        await client.fate(last);
        await set(client, { maxLength: 10, deadLetterQueue: "dead" });
        await expect.poll(() => ready(client, "dead")).toBe(990);
        await restart();
        client = await raw();
        expect([await ready(client, "q"), await ready(client, "dead")]).toEqual([10, 990]);
        await publish(client, "1001");
        await expect.poll(() => ready(client, "dead")).toBe(991);
        expect((await taken(client, "q"))[0]).toBe("992");
      },
      { onDisk: true },
    ));
});

describe("messageTtl", () => {
  test("counts for messages that come from then on; those that are there keep their time, also over a restart", async () => {
    const clock = new ManualTime();
    await withBroker(
      async ({ raw, restart }) => {
        let client = await raw();
        await change(client, {});
        await publish(client, "never");
        await change(client, { messageTtl: 5000 });
        await publish(client, "5 s");
        await change(client, { messageTtl: 1000 });
        await publish(client, "1 s");
        await change(client, { messageTtl: 3000 });
        await publish(client, "3 s");
        await change(client, {});
        await publish(client, "never, either");
        const left = [];
        for (let second = 1; second <= 5; second++) {
          clock.advance(999);
          const before = await ready(client, "q");
          clock.advance(1);
          left.push([before, await ready(client, "q")]);
          if (second > 3) continue;
          await restart();
          client = await raw();
        }
        expect(left).toEqual([
          [5, 4],
          [4, 4],
          [4, 3],
          [3, 3],
          [3, 2],
        ]);
        await client.must("queue.consume", { queue: "q" });
        expect(texts(await client.deliveries(1, 2))).toEqual(["never", "never, either"]);
      },
      { clock, onDisk: true },
    );
  });

  test("of a policy is exact over a restart, whatever is there already", async () => {
    const clock = new ManualTime();
    await withBroker(
      async ({ raw, restart }) => {
        let client = await raw();
        const policy = { policy: "p", pattern: "q", appliesTo: "queues" };
        await client.must("queue.declare", { queue: "q", arguments: { messageTtl: 5000 } });
        await publish(client, "5 s");
        await client.must("policy.set", { ...policy, arguments: { messageTtl: 2000 } });
        await restart();
        client = await raw();
        await publish(client, "2 s");
        clock.advance(2000);
        expect(await ready(client, "q")).toBe(1);
        await client.must("policy.delete", { policy: "p" });
        await publish(client, "5 s, too");
        await restart();
        client = await raw();
        clock.advance(3000);
        expect(await ready(client, "q")).toBe(1);
        clock.advance(2000);
        expect(await ready(client, "q")).toBe(0);
      },
      { clock, onDisk: true },
    );
  });
});

describe("expires", () => {
  const isThere = async (client: RawClient, queue: string): Promise<boolean> =>
    (await client.request("queue.bind", { queue, exchange: "amq.fanout" })).type === "ok";

  test("begins anew when it changes, and no longer counts when it goes", async () => {
    const clock = new ManualTime();
    await withBroker(
      async ({ raw }) => {
        const client = await raw();
        const seen = [];
        for (const [args, ms] of [
          [{}, 10_000],
          [{ expires: 1000 }, 999],
          [{ expires: 2000 }, 1999],
          [{ expires: 500 }, 499],
          [{}, 10_000],
          [{ expires: 1000 }, 1000],
        ] as const) {
          await change(client, args);
          clock.advance(ms);
          seen.push(await isThere(client, "q"));
        }
        expect(seen).toEqual([true, true, true, true, true, false]);
      },
      { clock },
    );
  });

  test("of a policy counts from when it is set, and for queues that are declared later or were there before a restart", async () => {
    const clock = new ManualTime();
    await withBroker(
      async ({ raw, restart }) => {
        let client = await raw();
        await client.must("queue.declare", { queue: "a" });
        clock.advance(5000);
        await client.must("policy.set", {
          policy: "p",
          pattern: "*",
          appliesTo: "queues",
          arguments: { expires: 1000 },
        });
        clock.advance(500);
        await client.must("queue.declare", { queue: "b" });
        clock.advance(500);
        expect([await isThere(client, "a"), await isThere(client, "b")]).toEqual([false, true]);
        await restart();
        client = await raw();
        clock.advance(999);
        expect(await isThere(client, "b")).toBe(true);
        clock.advance(1);
        expect(await isThere(client, "b")).toBe(false);
      },
      { clock, onDisk: true },
    );
  });
});

describe("deliveryLimit and retry", () => {
  test("count when a message comes back the next time: what is parked stays, what waits keeps its time", async () => {
    const clock = new ManualTime();
    await withBroker(
      async ({ connect }) => {
        const queue = await (await connect()).queue("q").declare({ deliveryLimit: 1 });
        const update = (args: QueueArguments) => queue.declare({ ...args, onMismatch: "update" });
        for (const text of ["1", "2", "3"]) await queue.publish(text);
        (await queue.get())!.requeue();
        await update({ deliveryLimit: 5, retry: { initialDelay: 60_000, jitter: 0 } });
        (await queue.get())!.requeue();
        await update({ deliveryLimit: 2, retry: { initialDelay: 1000, jitter: 0 } });
        (await queue.get())!.requeue();
        expect(await queue.status()).toMatchObject({ ready: 0, delayed: 2, parked: 1 });
        clock.advance(1000);
        const third = (await queue.get())!;
        expect([third.text(), await queue.get()]).toEqual(["3", undefined]);
        third.requeue();
        expect(await queue.status()).toMatchObject({ ready: 0, delayed: 1, parked: 2 });
        clock.advance(59_000);
        const second = (await queue.get())!;
        await update({ deliveryLimit: 3 });
        second.requeue();
        expect(await queue.status()).toMatchObject({ ready: 1, delayed: 0, parked: 2 });
      },
      { clock },
    );
  });
});

describe("prefetchBytes", () => {
  test("holds for consumers that start from then on", () =>
    withBroker(async ({ raw }) => {
      const [before, after] = [await raw(), await raw()];
      await change(before, { prefetchBytes: 100 });
      await before.must("queue.consume", { queue: "q" });
      await change(before, { prefetchBytes: 1_000_000 });
      expect(await after.must("queue.consume", { queue: "q" })).toMatchObject({ prefetchBytes: 1_000_000 });
      const large = "x".repeat(80);
      await publish(before, large, large, large, large, large);
      await Promise.all([before.barrier(), after.barrier()]);
      expect(texts(before.of("deliver"))).toHaveLength(1);
      expect(texts(after.of("deliver"))).toHaveLength(4);
    }));
});

test("while a queue is busy its arguments can change again and again: nothing is lost, nothing comes twice", () =>
  withBroker(
    async ({ connect }) => {
      const [producer, workers, manager] = [await connect(), await connect(), await connect()];
      const queue = await producer.queue("q").declare();
      const handled: number[] = [];
      const handle = (message: ReceivedMessage) => void handled.push(message.json<number>());
      for (let i = 0; i < 2; i++) await workers.queue("q").consume(handle, { prefetch: 20 });
      let isPublishing = true;
      const publishing = (async () => {
        for (let first = 0; first < 3000; first += 100) {
          const batch = Array.from({ length: 100 }, (_, i) =>
            queue.publish(first + i, { headers: { group: `${i % 7}` } }),
          );
          await Promise.all(batch);
        }
        isPublishing = false;
      })();
      const managed = manager.queue("q");
      for (let round = 0; isPublishing; round++) {
        await manager.policies.set("p", {
          pattern: "q",
          appliesTo: "queues",
          arguments: { singleActiveConsumer: round % 2 === 0, deadLetterQueue: `dead-${round % 3}` },
        });
        const messageGroups = { by: "header" } as const;
        await managed.declare({ onMismatch: "update", ...(round % 3 > 0 && { messageGroups }) });
        if (round % 5 === 4) await manager.policies.delete("p");
      }
      await publishing;
      await expect.poll(() => handled.length).toBe(3000);
      await expect.poll(() => queue.status()).toMatchObject({ ready: 0, unsettled: 0 });
      const all = Array.from({ length: 3000 }, (_, number) => number);
      expect(handled.toSorted((one, other) => one - other)).toEqual(all);
    },
    { onDisk: true },
  ));
