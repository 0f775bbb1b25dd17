import { describe, expect, test } from "vitest";
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
