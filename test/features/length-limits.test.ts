import { describe, expect, test } from "vitest";
import type { Posthorn, Queue, QueueArguments } from "../../client/index.ts";
import { type RawClient, texts, withBroker } from "../support/broker.ts";
import { ManualTime } from "../support/manual-time.ts";

async function publish(queue: Queue, ...all: string[]): Promise<void> {
  for (const text of all) await queue.publish(text);
}

async function textsIn(queue: Queue): Promise<string[]> {
  const found: string[] = [];
  for await (const message of queue.browse()) if (message.state === "ready") found.push(message.text());
  return found;
}

async function declare(posthorn: Posthorn, args: QueueArguments, name = "q"): Promise<Queue> {
  return posthorn.queue(name).declare(args);
}

describe("overflow: drop-head", () => {
  test("drops the oldest ready message when there are more than maxLength", () =>
    withBroker(async ({ connect }) => {
      const queue = await declare(await connect(), { maxLength: 3 });
      await publish(queue, "1", "2", "3", "4", "5");
      expect(await textsIn(queue)).toEqual(["3", "4", "5"]);
      await Promise.all(["6", "7", "8", "9"].map((text) => queue.publish(text)));
      expect(await textsIn(queue)).toEqual(["7", "8", "9"]);
    }));

  test("counts the bytes of bodies, and a body that is too large alone goes, too", () =>
    withBroker(async ({ connect }) => {
      const queue = await declare(await connect(), { maxBytes: 10 });
      await publish(queue, "aaaa", "bbbb", "cc");
      expect(await textsIn(queue)).toEqual(["aaaa", "bbbb", "cc"]);
      await publish(queue, "d");
      expect(await queue.status()).toMatchObject({ ready: 3, readyBytes: 7 });
      await publish(queue, "x".repeat(11));
      expect(await queue.status()).toMatchObject({ ready: 0, readyBytes: 0 });
    }));

  test("dead-letters what it drops, in order, with the reason max-length", () =>
    withBroker(async ({ connect }) => {
      const posthorn = await connect();
      const dropped = await posthorn.queue("dropped").declare();
      const queue = await declare(posthorn, { maxLength: 1, deadLetterQueue: "dropped" });
      await publish(queue, "1", "2", "3");
      expect(await textsIn(queue)).toEqual(["3"]);
      expect(await textsIn(dropped)).toEqual(["1", "2"]);
      const message = await dropped.get();
      expect(message?.lastDeath).toMatchObject({ queue: "q", reason: "max-length", count: 1 });
    }));

  test("does not count messages with consumers, and one that a consumer can take is not dropped even if the limit is 0", () =>
    withBroker(async ({ connect, raw }) => {
      const queue = await declare(await connect(), { maxLength: 0 });
      await publish(queue, "lost");
      const consumer = await raw();
      await consumer.must("queue.consume", { queue: "q", prefetch: 3 });
      await Promise.all(["1", "2", "3", "4"].map((text) => queue.publish(text)));
      expect(texts(await consumer.deliveries(1, 3))).toEqual(["1", "2", "3"]);
      consumer.settle(1, 1, 3, "ack");
      await consumer.barrier();
      expect(texts(consumer.of("deliver"))).toEqual(["1", "2", "3"]);
      expect(await queue.status()).toMatchObject({ ready: 0, unsettled: 0 });
    }));

  test("holds in a queue that lies on disk for the most part, and after a restart", () =>
    withBroker(
      async (broker) => {
        const numbers = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i);
        const send = (queue: Queue, from: number, count: number) =>
          Promise.all(numbers(from, count).map((number) => queue.publish(`${number} `.padEnd(2048, "x"))));
        const numbersIn = async (queue: Queue) =>
          (await textsIn(queue)).map((text) => Number.parseInt(text, 10));
        const before = await broker.connect();
        await before.queue("dropped").declare();
        const queue = await declare(before, { maxLength: 300, deadLetterQueue: "dropped" });
        await send(queue, 1, 1000);
        await broker.restart();
        const after = await broker.connect();
        await send(after.queue("q"), 1001, 100);
        expect(await after.queue("q").status()).toMatchObject({ ready: 300, readyBytes: 300 * 2048 });
        expect(await numbersIn(after.queue("q"))).toEqual(numbers(801, 300));
        expect(await numbersIn(after.queue("dropped"))).toEqual(numbers(1, 800));
      },
      { onDisk: true, config: { queueMemoryBytes: 64 * 1024 } },
    ));
});

describe("overflow: dead-letter", () => {
  test("keeps what is there and dead-letters what comes, in order", () =>
    withBroker(async ({ connect }) => {
      const posthorn = await connect();
      const more = await posthorn.queue("more").declare();
      const queue = await declare(posthorn, {
        maxLength: 2,
        overflow: "dead-letter",
        deadLetterQueue: "more",
      });
      await Promise.all(["1", "2", "3", "4", "5"].map((text) => queue.publish(text)));
      await publish(queue, "6");
      expect(await textsIn(queue)).toEqual(["1", "2"]);
      expect(await textsIn(more)).toEqual(["3", "4", "5", "6"]);
      expect((await more.get())?.lastDeath).toMatchObject({ queue: "q", reason: "max-length" });
    }));

  test("goes on from one full queue to the next, and ends where it would go in a circle", () =>
    withBroker(async ({ connect }) => {
      const posthorn = await connect();
      const full = { maxLength: 1, overflow: "dead-letter" } as const;
      const names = ["a", "b", "c"];
      const queues = await Promise.all(
        names.map((name, i) =>
          declare(posthorn, { ...full, deadLetterQueue: names[(i + 1) % names.length]! }, name),
        ),
      );
      await publish(queues[0]!, "1", "2", "3", "4");
      for (const [i, queue] of queues.entries()) expect(await textsIn(queue)).toEqual([`${i + 1}`]);
    }));

  test("leaves a message to a consumer that can take it", () =>
    withBroker(async ({ connect, raw }) => {
      const posthorn = await connect();
      const more = await posthorn.queue("more").declare();
      const queue = await declare(posthorn, {
        maxLength: 0,
        overflow: "dead-letter",
        deadLetterQueue: "more",
      });
      const consumer = await raw();
      await consumer.must("queue.consume", { queue: "q", prefetch: 2 });
      await Promise.all(["1", "2", "3", "4"].map((text) => queue.publish(text)));
      expect(texts(await consumer.deliveries(1, 2))).toEqual(["1", "2"]);
      expect(await textsIn(more)).toEqual(["3", "4"]);
    }));
});

describe("overflow: reject-publish", () => {
  const rejecting = { maxLength: 2, overflow: "reject-publish" } as const;

  test("refuses a message for which there is no place with queue-full, which may be tried again", () =>
    withBroker(async ({ connect }) => {
      const queue = await declare(await connect(), rejecting);
      await publish(queue, "1", "2");
      await expect(queue.publish("3")).rejects.toMatchObject({ code: "queue-full", retry: true });
      await expect(queue.publish("3", { persistent: false })).rejects.toMatchObject({ code: "queue-full" });
      const message = await queue.get();
      await publish(queue, "4");
      message?.ack();
      expect(await textsIn(queue)).toEqual(["2", "4"]);
    }));

  test("takes of many that come at once those that fit, whatever their size", () =>
    withBroker(async ({ connect }) => {
      const queue = await declare(await connect(), { maxBytes: 10, overflow: "reject-publish" });
      const sent = await Promise.allSettled(
        ["aaaa", "bbbbbbb", "cccc", "ddd", "ee"].map((body) => queue.publish(body)),
      );
      expect(sent.map(({ status }) => status)).toEqual([
        "fulfilled",
        "rejected",
        "fulfilled",
        "rejected",
        "fulfilled",
      ]);
      expect(await textsIn(queue)).toEqual(["aaaa", "cccc", "ee"]);
    }));

  test("is up to each queue: the publisher hears of it though others have the message", () =>
    withBroker(async ({ connect }) => {
      const posthorn = await connect();
      const full = await declare(posthorn, { maxLength: 0, overflow: "reject-publish" }, "full");
      const free = await declare(posthorn, {}, "free");
      for (const queue of [full, free]) await queue.bind("amq.fanout");
      const refused = posthorn.exchange("amq.fanout").publish("", "1", { mandatory: true });
      await expect(refused).rejects.toMatchObject({
        code: "queue-full",
        message: expect.stringContaining("1 of the 2 queues is full"),
      });
      expect(await textsIn(full)).toEqual([]);
      expect(await textsIn(free)).toEqual(["1"]);
    }));

  test("tells a publisher that wants no confirms, too", () =>
    withBroker(async ({ raw }) => {
      const client = await raw();
      const args = { maxLength: 0, overflow: "reject-publish" };
      await client.must("queue.declare", { queue: "q", arguments: args });
      const number = client.publish({ routingKey: "q", confirm: false });
      expect(await client.fate(number)).toMatchObject({ code: "queue-full" });
    }));

  test("takes what a consumer can take at once, even if the limit is 0, and no more than that", () =>
    withBroker(async ({ connect, raw }) => {
      const queue = await declare(await connect(), { maxLength: 0, overflow: "reject-publish" });
      const consumer = await raw();
      await consumer.must("queue.consume", { queue: "q", prefetch: 3 });
      const sent = await Promise.allSettled(["1", "2", "3", "4"].map((body) => queue.publish(body)));
      expect(sent.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "fulfilled", "rejected"]);
      expect(texts(await consumer.deliveries(1, 3))).toEqual(["1", "2", "3"]);
      await consumer.must("queue.pause", { queue: "q" });
      consumer.settle(1, 1, 3, "ack");
      await consumer.barrier();
      await expect(queue.publish("5")).rejects.toMatchObject({ code: "queue-full" });
      await consumer.must("queue.resume", { queue: "q" });
      await publish(queue, "6");
      expect(texts(await consumer.deliveries(1, 1))).toEqual(["6"]);
    }));

  test("lets through far more than the limit at once while consumers take it", () =>
    withBroker(async ({ connect, raw }) => {
      const queue = await declare(await connect(), { maxLength: 5, overflow: "reject-publish" });
      const consumer = await raw();
      await consumer.must("queue.consume", { queue: "q", noAck: true });
      await Promise.all(Array.from({ length: 1000 }, (_, i) => queue.publish(`${i}`)));
      const got = texts(await consumer.deliveries(1, 1000));
      expect(got).toEqual(Array.from({ length: 1000 }, (_, i) => `${i}`));
    }));

  test("does not bind dead letters: nobody is left to keep them", () =>
    withBroker(async ({ connect }) => {
      const posthorn = await connect();
      const failed = await declare(posthorn, { maxLength: 0, overflow: "reject-publish" }, "failed");
      const work = await declare(posthorn, { deadLetterQueue: "failed" }, "work");
      await publish(work, "1");
      (await work.get())?.reject();
      await expect(failed.publish("2")).rejects.toMatchObject({ code: "queue-full" });
      expect(await textsIn(failed)).toEqual(["1"]);
    }));
});

describe("a message that comes back", () => {
  async function holding(client: RawClient, args: object): Promise<void> {
    await client.must("queue.declare", { queue: "q", arguments: args });
    for (const text of ["1", "2", "3"]) await client.confirmed({ routingKey: "q", text });
    await client.must("queue.consume", { queue: "q", prefetch: 3 });
    await client.deliveries(1, 3);
    for (const text of ["4", "5", "6"]) await client.confirmed({ routingKey: "q", text });
  }

  test.each(["drop-head", "reject-publish", "dead-letter"])(
    "makes no message go, itself least of all: %s",
    (overflow) =>
      withBroker(async ({ connect, raw }) => {
        const [posthorn, client] = [await connect(), await raw()];
        const queue = posthorn.queue("q");
        await holding(client, { maxLength: 3, overflow, deadLetterQueue: "dead" });
        client.settle(1, 1, 3, "requeue");
        await client.deliveries(1, 3);
        await client.must("consumer.cancel", { consumer: 1 });
        await client.close();
        await expect.poll(async () => (await queue.status()).ready).toBe(6);
        expect(await textsIn(queue)).toEqual(["1", "2", "3", "4", "5", "6"]);
      }),
  );

  test.each(["drop-head", "reject-publish", "dead-letter"] as const)(
    "makes none go after a delay either, nor when it was parked and is released: %s",
    async (overflow) => {
      const clock = new ManualTime();
      await withBroker(
        async ({ connect }) => {
          const posthorn = await connect();
          const limits = { maxLength: 2, overflow, deliveryLimit: 1, deadLetterQueue: "not there" };
          const queue = await declare(posthorn, limits);
          await publish(queue, "1", "2");
          (await queue.get())!.requeue();
          await queue.declare({ ...limits, deliveryLimit: 2, onMismatch: "update" });
          (await queue.get())!.requeue({ delay: 1000 });
          await publish(queue, "3", "4");
          expect(await queue.status()).toMatchObject({ ready: 2, parked: 1, delayed: 1 });
          clock.advance(1000);
          expect(await textsIn(queue)).toEqual(["2", "3", "4"]);
          const [parked] = (await queue.browsePage({ filter: { state: "parked" } })).messages;
          await queue.releaseMessage(parked!.position);
          expect(await textsIn(queue)).toEqual(["1", "2", "3", "4"]);
          expect((await queue.get())?.text()).toBe("1");
        },
        { clock },
      );
    },
  );

  test("counts when the next one comes: then the oldest go until the limit is kept", () =>
    withBroker(async ({ connect, raw }) => {
      const [posthorn, client] = [await connect(), await raw()];
      const queue = posthorn.queue("q");
      await holding(client, { maxLength: 3 });
      await client.close();
      await expect.poll(async () => (await queue.status()).ready).toBe(6);
      await publish(queue, "7");
      expect(await textsIn(queue)).toEqual(["5", "6", "7"]);
    }));
});

describe("limits that change", () => {
  test("hold at once: what is too much is dropped from the front, a bounded number at a time", () =>
    withBroker(async ({ connect }) => {
      const posthorn = await connect();
      const dropped = await posthorn.queue("dropped").declare();
      const queue = await declare(posthorn, {});
      await Promise.all(Array.from({ length: 1000 }, (_, i) => queue.publish(`${i}`)));
      await queue.declare({ maxLength: 10, deadLetterQueue: "dropped", onMismatch: "update" });
      await expect.poll(async () => (await dropped.status()).ready).toBe(990);
      expect(await textsIn(queue)).toEqual(Array.from({ length: 10 }, (_, i) => `${990 + i}`));
      expect((await textsIn(dropped)).slice(0, 3)).toEqual(["0", "1", "2"]);
    }));

  test("with dead-letter the same, and with reject-publish nothing is dropped", () =>
    withBroker(async ({ connect }) => {
      const posthorn = await connect();
      await posthorn.queue("dropped").declare();
      const queue = await declare(posthorn, { deadLetterQueue: "dropped" });
      await publish(queue, "1", "2", "3", "4");
      const change = (args: QueueArguments) =>
        queue.declare({ deadLetterQueue: "dropped", ...args, onMismatch: "update" });
      await change({ maxLength: 3, overflow: "reject-publish" });
      await expect(queue.publish("5")).rejects.toMatchObject({ code: "queue-full" });
      expect(await textsIn(queue)).toEqual(["1", "2", "3", "4"]);
      await change({ maxLength: 3, overflow: "dead-letter" });
      expect(await textsIn(queue)).toEqual(["2", "3", "4"]);
      await posthorn.policies.set("short", {
        pattern: "q",
        appliesTo: "queues",
        arguments: { maxLength: 2 },
      });
      expect(await textsIn(queue)).toEqual(["3", "4"]);
      await publish(queue, "6");
      expect(await textsIn(queue)).toEqual(["3", "4"]);
    }));
});

test("in a queue with groups the oldest message goes, whatever its group", () =>
  withBroker(async ({ connect, raw }) => {
    const queue = await declare(await connect(), { maxLength: 3, messageGroups: {} });
    const client = await raw();
    await client.must("queue.consume", { queue: "q", prefetch: 1 });
    for (const text of ["a1", "a2", "b1", "a3", "b2"])
      await queue.publish(text, { headers: { group: text[0]! } });
    expect(texts(await client.deliveries(1, 1))).toEqual(["a1"]);
    expect(await textsIn(queue)).toEqual(["b1", "a3", "b2"]);
    client.settle(1, 1, 1, "ack");
    expect(texts(await client.deliveries(1, 1))).toEqual(["b1"]);
    expect(await queue.status()).toMatchObject({ ready: 2, readyBytes: 4 });
  }));
