import { describe, expect, test } from "vitest";
import type { Queue } from "../../client/index.ts";
import { withBroker } from "../support/broker.ts";
import { ManualTime } from "../support/manual-time.ts";

async function textsOf(queue: Queue): Promise<string[]> {
  const texts: string[] = [];
  for (let message = await queue.get(); message !== undefined; message = await queue.get()) {
    texts.push(message.text());
    message.ack();
  }
  return texts;
}

async function readyIn(queue: Queue): Promise<number> {
  return (await queue.check()).messageCount;
}

describe("a message expires", () => {
  test("when it has waited as long as its queue allows, and not before", async () => {
    const clock = new ManualTime();
    await withBroker(
      async ({ connect }) => {
        const queue = await (await connect()).queue("q").declare({ messageTtl: 1000 });
        await queue.publish("1");
        clock.advance(400);
        await queue.publish("2");
        clock.advance(599);
        expect(await readyIn(queue)).toBe(2);
        clock.advance(1);
        expect(await readyIn(queue)).toBe(1);
        clock.advance(400);
        expect(await readyIn(queue)).toBe(0);
      },
      { clock },
    );
  });

  test("when it has waited as long as it says itself, if that is shorter", async () => {
    const clock = new ManualTime();
    await withBroker(
      async ({ connect }) => {
        const posthorn = await connect();
        const limited = await posthorn.queue("limited").declare({ messageTtl: 1000 });
        const free = await posthorn.queue("free").declare();
        for (const queue of [limited, free]) {
          await queue.publish("short", { expiration: 500 });
          await queue.publish("long", { expiration: 5000 });
          await queue.publish("none");
        }
        clock.advance(500);
        expect([await readyIn(limited), await readyIn(free)]).toEqual([2, 2]);
        clock.advance(500);
        expect([await readyIn(limited), await readyIn(free)]).toEqual([0, 2]);
        clock.advance(4000);
        expect(await textsOf(free)).toEqual(["none"]);
      },
      { clock },
    );
  });

  test("behind others that live longer, exactly when it is due", async () => {
    const clock = new ManualTime();
    await withBroker(
      async ({ connect }) => {
        const posthorn = await connect();
        const queue = await posthorn.queue("q").declare({ deadLetterQueue: "dead" });
        const dead = await posthorn.queue("dead").declare();
        await queue.publish("for ever");
        for (const expiration of [3000, 1000, 2000]) await queue.publish(`${expiration}`, { expiration });
        await queue.publish("for ever, too");
        for (const [left, expired] of [
          [4, 1],
          [3, 2],
          [2, 3],
        ]) {
          clock.advance(1000);
          expect([await readyIn(queue), await readyIn(dead)]).toEqual([left, expired]);
        }
        expect(await textsOf(dead)).toEqual(["1000", "2000", "3000"]);
        expect(await textsOf(queue)).toEqual(["for ever", "for ever, too"]);
      },
      { clock },
    );
  });

  test("and is not delivered, even if it is asked for at the very moment", async () => {
    const clock = new ManualTime();
    await withBroker(
      async ({ connect }) => {
        const queue = await (await connect()).queue("q").declare();
        await queue.publish("short", { expiration: 1000 });
        await queue.publish("long", { expiration: 2000 });
        // No timer goes off.
        clock.jump(1000);
        expect((await queue.get())?.text()).toBe("long");
      },
      { clock },
    );
  });

  test("into the dead-letter queue with the reason expired, where its own expiration no longer counts", async () => {
    const clock = new ManualTime();
    await withBroker(
      async ({ connect }) => {
        const posthorn = await connect();
        const queue = await posthorn.queue("q").declare({ deadLetterQueue: "dead", messageTtl: 10_000 });
        const dead = await posthorn.queue("dead").declare();
        await queue.publish("own", { expiration: 1000 });
        await queue.publish("queue's");
        clock.advance(10_000);
        clock.advance(1_000_000);
        const [own, queues] = [await dead.get(), await dead.get()];
        expect(own?.deaths).toMatchObject([
          { queue: "q", reason: "expired", count: 1, originalExpiration: 1000 },
        ]);
        expect(queues?.deaths).toMatchObject([{ queue: "q", reason: "expired", count: 1 }]);
        expect(queues?.deaths[0]).not.toHaveProperty("originalExpiration");
      },
      { clock },
    );
  });
});

describe("in a queue with message groups", () => {
  test("a message expires in time although one of its group is unsettled, and it has been looked at", async () => {
    const clock = new ManualTime();
    await withBroker(
      async ({ connect }) => {
        const posthorn = await connect();
        const queue = await posthorn
          .queue("q")
          .declare({ messageGroups: { by: "header", name: "g" }, messageTtl: 1000, deadLetterQueue: "dead" });
        const dead = await posthorn.queue("dead").declare();
        const publish = (text: string, g: string) => queue.publish(text, { headers: { g } });
        await publish("a1", "a");
        const a1 = await queue.get();
        for (const [text, group] of [
          ["a2", "a"],
          ["b1", "b"],
          ["a3", "a"],
        ] as const) {
          await publish(text, group);
          clock.advance(100);
        }
        const b1 = await queue.get();
        clock.advance(700);
        expect(await textsOf(dead)).toEqual(["a2"]);
        b1!.requeue();
        expect(await readyIn(queue)).toBe(2);
        clock.advance(100);
        expect(await textsOf(dead)).toEqual(["b1"]);
        a1!.ack();
        expect(await textsOf(queue)).toEqual(["a3"]);
        await publish("a4", "a");
        clock.jump(2000);
        expect(await queue.get()).toBeUndefined();
        await publish("a5", "a");
        expect(await textsOf(queue)).toEqual(["a5"]);
      },
      { clock },
    );
  });
});

describe("a message that a consumer has", () => {
  test("does not expire, but does when it is requeued too late", async () => {
    const clock = new ManualTime();
    await withBroker(
      async ({ connect }) => {
        const queue = await (await connect()).queue("q").declare({ messageTtl: 1000 });
        for (const text of ["acked", "requeued"]) await queue.publish(text);
        const [acked, requeued] = [await queue.get(), await queue.get()];
        clock.advance(5000);
        acked!.ack();
        requeued!.requeue();
        expect(await queue.get()).toBeUndefined();
      },
      { clock },
    );
  });

  test("keeps its deadline when it is requeued in time", async () => {
    const clock = new ManualTime();
    await withBroker(
      async ({ connect }) => {
        const queue = await (await connect()).queue("q").declare({ messageTtl: 1000 });
        await queue.publish("1");
        clock.advance(600);
        await queue.publish("2");
        (await queue.get())!.requeue();
        expect(await readyIn(queue)).toBe(2);
        clock.advance(400);
        expect(await readyIn(queue)).toBe(1);
        expect(await textsOf(queue)).toEqual(["2"]);
      },
      { clock },
    );
  });
});

describe("a message that may not wait at all", () => {
  test.each([
    ["by its own expiration", {}, { expiration: 0 }],
    ["by its queue's", { messageTtl: 0 }, {}],
  ])("%s goes to a consumer that can take it now; otherwise it expires at once", (_, declaration, options) =>
    withBroker(async ({ connect }) => {
      const posthorn = await connect();
      const queue = await posthorn.queue("q").declare({ ...declaration, deadLetterQueue: "dead" });
      const dead = await posthorn.queue("dead").declare();
      await queue.publish("nobody there", options);
      expect(await textsOf(dead)).toEqual(["nobody there"]);
      const got: string[] = [];
      const consumer = await queue.consume((message) => void got.push(message.text()), { prefetch: 1 });
      // A delivery of the same turn comes before the confirm.
      await queue.publish("1", options);
      await queue.publish("2", options);
      expect(got).toEqual(["1", "2"]);
      await consumer.cancel();
      await queue.publish("gone again", options);
      expect(await textsOf(dead)).toEqual(["gone again"]);
      expect(await readyIn(queue)).toBe(0);
    }),
  );

  test("expires when the consumer has as much as it may have", () =>
    withBroker(async ({ raw }) => {
      const client = await raw();
      await client.must("queue.declare", { queue: "dead" });
      await client.must("queue.declare", {
        queue: "q",
        arguments: { messageTtl: 0, deadLetterQueue: "dead" },
      });
      await client.must("queue.consume", { queue: "q", prefetch: 2 });
      for (const text of ["1", "2", "3"]) await client.confirmed({ routingKey: "q", text });
      await client.must("queue.get", { queue: "dead" });
      const frames = [
        await client.next({ type: "deliver", consumer: 1 }),
        await client.next({ type: "deliver", consumer: 1 }),
        await client.next({ type: "deliver", consumer: 0 }),
      ];
      expect(frames.map(({ text }) => text)).toEqual(["1", "2", "3"]);
    }));

  test("expires when it comes back", () =>
    withBroker(async ({ raw }) => {
      const client = await raw();
      await client.must("queue.declare", { queue: "dead" });
      await client.must("queue.declare", {
        queue: "q",
        arguments: { messageTtl: 0, deadLetterQueue: "dead" },
      });
      await client.must("queue.consume", { queue: "q" });
      await client.confirmed({ routingKey: "q" });
      await client.next({ type: "deliver" });
      client.settle(1, 1, 1, "requeue");
      expect(await client.must("queue.declare", { queue: "dead", passive: true })).toMatchObject({
        messageCount: 1,
      });
    }));
});

describe("after a restart", () => {
  test.each([
    ["in a queue where all live equally long", { messageTtl: 10_000 }, () => ({})],
    ["each with a time of its own", {}, (i: number) => ({ expiration: 1000 + ((i * 7919) % 9000) })],
  ])("messages expire when they are due, %s, also those on disk only", async (_, declaration, options) => {
    const clock = new ManualTime();
    await withBroker(
      async ({ connect, restart }) => {
        const before = await connect();
        const count = 400;
        await before.queue("dead").declare();
        const queue = await before.queue("q").declare({ ...declaration, deadLetterQueue: "dead" });
        await queue.publish("stays, and was published first", { expiration: 100_000 });
        const dueAt = new Map<string, number>();
        for (let i = 0; i < count; i++) {
          const { expiration = 10_000 } = options(i) as { expiration?: number };
          dueAt.set(`${i}`, i * 10 + expiration);
          await queue.publish(`${i}`, options(i));
          clock.advance(10);
        }
        await restart();
        clock.advance(0);
        const after = await connect();
        const [q, dead] = [after.queue("q"), after.queue("dead")];
        const expired: string[] = [];
        for (let nowMs = count * 10; nowMs < 15_000; nowMs += 500) {
          expired.push(...(await textsOf(dead)).filter((text) => dueAt.has(text)));
          expect(expired).toHaveLength([...dueAt.values()].filter((due) => due <= nowMs).length);
          clock.advance(500);
        }
        const inOrder = [...dueAt].sort(([, a], [, b]) => a - b).map(([text]) => text);
        expect(expired.map((text) => dueAt.get(text))).toEqual(inOrder.map((text) => dueAt.get(text)));
        expect(await readyIn(q)).toBe("messageTtl" in declaration ? 0 : 1);
      },
      { clock, onDisk: true, config: { queueMemoryBytes: 4096 } },
    );
  });
});

describe("circles", () => {
  test("that nobody has a part in end: the message is dropped where it has died before", async () => {
    const clock = new ManualTime();
    await withBroker(
      async ({ connect }) => {
        const posthorn = await connect();
        const self = await posthorn.queue("self").declare({ messageTtl: 1000, deadLetterQueue: "self" });
        const a = await posthorn.queue("a").declare({ messageTtl: 1000, deadLetterExchange: "amq.fanout" });
        const b = await posthorn.queue("b").declare();
        await a.bind("amq.fanout");
        await b.bind("amq.fanout");
        await self.publish("1");
        await a.publish("2");
        clock.advance(1000);
        expect(await readyIn(self)).toBe(0);
        expect(await readyIn(a)).toBe(0);
        // Others still get it.
        expect(await textsOf(b)).toEqual(["2"]);
      },
      { clock },
    );
  });
});

test("an expiration that is not a whole number of milliseconds is refused", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await client.must("queue.declare", { queue: "q" });
    for (const expiration of [-1, "1000", 1.5]) {
      expect(await client.confirmed({ routingKey: "q", properties: { expiration } })).toMatchObject({
        code: "invalid-frame",
      });
    }
    expect(await client.must("queue.declare", { queue: "q" })).toMatchObject({ messageCount: 0 });
  }));
