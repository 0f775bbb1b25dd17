import { describe, expect, test } from "vitest";
import type { Queue, ReceivedMessage } from "../../client/index.ts";
import { texts, withBroker } from "../support/broker.ts";
import { ManualTime } from "../support/manual-time.ts";

/** Each is its priority and a letter: `3a`; without a digit it has none. */
async function publish(queue: Queue, ...all: string[]): Promise<void> {
  for (const text of all) {
    const priority = Number.parseInt(text, 10);
    await queue.publish(text, Number.isNaN(priority) ? {} : { priority });
  }
}

async function textsIn(queue: Queue): Promise<string[]> {
  const found: string[] = [];
  for await (const message of queue.browse()) if (message.state === "ready") found.push(message.text());
  return found;
}

async function takeAll(queue: Queue): Promise<string[]> {
  const found: string[] = [];
  for (let message = await queue.get(); message !== undefined; message = await queue.get()) {
    found.push(message.text());
    message.ack();
  }
  return found;
}

async function take(queue: Queue): Promise<ReceivedMessage> {
  return (await queue.get()) as ReceivedMessage;
}

describe("a queue with maxPriority", () => {
  test("gives higher priorities first, and those of one priority in order; none is 0, and above the highest is the highest", () =>
    withBroker(async ({ connect }) => {
      const queue = await (await connect()).queue("q").declare({ maxPriority: 5 });
      await publish(queue, "1a", "a", "5a", "9a", "0b", "1b", "255b", "3a", "c");
      const due = ["5a", "9a", "255b", "3a", "1a", "1b", "a", "0b", "c"];
      expect(await textsIn(queue)).toEqual(due);
      expect(await queue.status()).toMatchObject({ ready: 9 });
      expect(await takeAll(queue)).toEqual(due);
    }));

  test("tells all 256 of them apart", () =>
    withBroker(async ({ connect }) => {
      const queue = await (await connect()).queue("q").declare({ maxPriority: 255 });
      const priorities = Array.from({ length: 256 }, (_, i) => (i * 91) % 256);
      await Promise.all(priorities.map((priority) => queue.publish(`${priority}`, { priority })));
      const due = Array.from({ length: 256 }, (_, i) => `${255 - i}`);
      expect(await textsIn(queue)).toEqual(due);
      expect(await takeAll(queue)).toEqual(due);
    }));

  test("gives consumers what is most urgent of what there is when they can take more", () =>
    withBroker(async ({ connect, raw }) => {
      const queue = await (await connect()).queue("q").declare({ maxPriority: 3 });
      await publish(queue, "1a", "1b");
      const client = await raw();
      await client.must("queue.consume", { queue: "q", prefetch: 1 });
      expect(texts(await client.deliveries(1, 1))).toEqual(["1a"]);
      await publish(queue, "2a", "3a");
      for (const [i, text] of ["3a", "2a", "1b"].entries()) {
        client.settle(1, i + 1, i + 1, "ack");
        expect(texts(await client.deliveries(1, 1))).toEqual([text]);
      }
    }));

  test("puts what comes back at its place within its priority", () =>
    withBroker(async ({ connect }) => {
      const queue = await (await connect()).queue("q").declare({ maxPriority: 3 });
      await publish(queue, "2a", "2b", "2c", "1a");
      const [first, second] = [await take(queue), await take(queue)];
      await publish(queue, "3a");
      second.requeue();
      first.requeue();
      expect(await takeAll(queue)).toEqual(["3a", "2a", "2b", "2c", "1a"]);
    }));

  test("puts what comes back after a delay at its place within its priority, also after a restart", async () => {
    const clock = new ManualTime();
    await withBroker(
      async ({ connect, restart }) => {
        const before = await (await connect()).queue("q").declare({ maxPriority: 5 });
        await publish(before, "5a", "5b", "2a", "0a");
        for (const delay of [1000, 2000]) (await take(before)).requeue({ delay });
        expect(await textsIn(before)).toEqual(["2a", "0a"]);
        await restart();
        clock.advance(2000);
        const queue = (await connect()).queue("q");
        await publish(queue, "5c", "4a");
        expect(await takeAll(queue)).toEqual(["5a", "5b", "5c", "4a", "2a", "0a"]);
      },
      { clock, onDisk: true },
    );
  });

  test("drops the oldest of the lowest priority when there is too much", () =>
    withBroker(async ({ connect }) => {
      const posthorn = await connect();
      const dropped = await posthorn.queue("dropped").declare();
      const queue = await posthorn
        .queue("q")
        .declare({ maxPriority: 3, maxLength: 3, deadLetterQueue: "dropped" });
      await publish(queue, "2a", "1a", "1b", "3a", "3b", "0a", "3c");
      expect(await textsIn(queue)).toEqual(["3a", "3b", "3c"]);
      expect(await textsIn(dropped)).toEqual(["1a", "1b", "0a", "2a"]);
    }));

  test("is purged and deleted with all of them, and what was in one of that name before does not come back", () =>
    withBroker(
      async (broker) => {
        const queue = await (await broker.connect()).queue("q").declare({ maxPriority: 3 });
        await publish(queue, "1a", "2a", "a");
        expect(await queue.purge()).toBe(3);
        expect(await textsIn(queue)).toEqual([]);
        await publish(queue, "1b", "2b", "b");
        expect(await queue.delete()).toBe(3);
        await queue.declare({ maxPriority: 3 });
        await publish(queue, "2c");
        await broker.restart();
        expect(await takeAll((await broker.connect()).queue("q"))).toEqual(["2c"]);
      },
      { onDisk: true },
    ));

  test("lets messages of all priorities expire when they are due", async () => {
    const clock = new ManualTime();
    await withBroker(
      async ({ connect }) => {
        const posthorn = await connect();
        const dead = await posthorn.queue("dead").declare();
        const queue = await posthorn.queue("q").declare({ maxPriority: 3, deadLetterQueue: "dead" });
        await queue.publish("3 long", { priority: 3, expiration: 5000 });
        await queue.publish("3 short", { priority: 3, expiration: 1000 });
        await queue.publish("1 short", { priority: 1, expiration: 2000 });
        clock.advance(2000);
        expect(await textsIn(dead)).toEqual(["3 short", "1 short"]);
        clock.advance(3000);
        expect(await queue.status()).toMatchObject({ ready: 0 });
      },
      { clock },
    );
  });

  test("keeps order and priorities in a backlog on disk, and after restarts", () =>
    withBroker(
      async (broker) => {
        const queue = await (await broker.connect()).queue("q").declare({ maxPriority: 4 });
        const numbers = Array.from({ length: 1000 }, (_, i) => i);
        const send = (part: number[]) =>
          Promise.all(part.map((i) => queue.publish(`${i} `.padEnd(1024, "x"), { priority: i % 5 })));
        await send(numbers);
        const due = [4, 3, 2, 1, 0].flatMap((priority) => numbers.filter((i) => i % 5 === priority));
        const numbersOf = (all: string[]) => all.map((text) => Number.parseInt(text, 10));
        expect(numbersOf(await textsIn(queue))).toEqual(due);
        await broker.restart();
        const again = (await broker.connect()).queue("q");
        expect(numbersOf(await textsIn(again))).toEqual(due);
        expect(await again.status()).toMatchObject({ ready: 1000, readyBytes: 1000 * 1024 });
        expect(numbersOf(await takeAll(again))).toEqual(due);
      },
      { onDisk: true, config: { queueMemoryBytes: 64 * 1024 } },
    ));

  test("finds and deletes single messages of any priority by their position", () =>
    withBroker(async ({ connect }) => {
      const queue = await (await connect()).queue("q").declare({ maxPriority: 3 });
      await publish(queue, "1a", "3a", "2a", "3b");
      let cursor: string | undefined;
      const pages: string[][] = [];
      do {
        const page = await queue.browsePage({ limit: 1, ...(cursor !== undefined && { cursor }) });
        pages.push(page.messages.map((message) => message.text()));
        for (const { position, routingKey, properties } of page.messages) {
          expect([routingKey, properties.priority]).toEqual(["q", expect.any(Number)]);
          if (properties.priority === 2) await queue.deleteMessage(position);
        }
        cursor = page.cursor;
      } while (cursor !== undefined);
      expect(pages.flat()).toEqual(["3a", "3b", "2a", "1a"]);
      expect(await textsIn(queue)).toEqual(["3a", "3b", "1a"]);
    }));
});

test("a queue without maxPriority keeps the order, whatever priorities messages have", () =>
  withBroker(async ({ connect }) => {
    const queue = await (await connect()).queue("q").declare();
    await publish(queue, "1a", "9a", "a");
    expect(await takeAll(queue)).toEqual(["1a", "9a", "a"]);
  }));

test("dead letters have their priority in the queue that they come to", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const dead = await posthorn.queue("dead").declare({ maxPriority: 9 });
    const queue = await posthorn.queue("q").declare({ deadLetterQueue: "dead" });
    await publish(queue, "1a", "7a", "3a");
    for (let i = 0; i < 3; i++) (await take(queue)).reject();
    expect(await takeAll(dead)).toEqual(["7a", "3a", "1a"]);
  }));

describe("a maxPriority that changes", () => {
  test("counts for messages that come from then on: those that are there keep their place", () =>
    withBroker(async ({ connect }) => {
      const queue = await (await connect()).queue("q").declare();
      const change = (maxPriority: number) => queue.declare({ maxPriority, onMismatch: "update" });
      await publish(queue, "9 before");
      await change(5);
      await publish(queue, "9a", "1a");
      await change(1);
      await publish(queue, "9 as 1", "1b");
      await change(0);
      await publish(queue, "9 as 0");
      expect(await takeAll(queue)).toEqual(["9a", "1a", "9 as 1", "1b", "9 before", "9 as 0"]);
    }));

  test("and turns to groups: these take up what is there, the higher priorities first", () =>
    withBroker(async ({ connect }) => {
      const queue = await (await connect()).queue("q").declare({ maxPriority: 3 });
      await publish(queue, "1a", "3a");
      await queue.declare({ messageGroups: {}, onMismatch: "update" });
      await publish(queue, "3b");
      expect(await takeAll(queue)).toEqual(["3a", "1a", "3b"]);
    }));
});
