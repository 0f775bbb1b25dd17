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

describe("a message that is given back with a delay", () => {
  test("comes back to its place after it, with the attempt counted and the reason", async () => {
    const clock = new ManualTime();
    await withBroker(
      async ({ connect }) => {
        const queue = await (await connect()).queue("q").declare();
        for (const text of ["1", "2", "3"]) await queue.publish(text);
        (await queue.get())!.nack({ delay: 5000, reason: { code: "busy", message: "Later." } });
        expect(await queue.status()).toMatchObject({ ready: 2, delayed: 1, unsettled: 0 });
        expect((await queue.get())?.text()).toBe("2");
        clock.advance(4999);
        expect(await queue.status()).toMatchObject({ ready: 1, delayed: 1 });
        clock.advance(1);
        expect(await queue.status()).toMatchObject({ ready: 2, delayed: 0 });
        const again = await queue.get();
        expect([again?.text(), again?.attempts, again?.redelivered]).toEqual(["1", 1, true]);
        expect(again?.nackReason).toEqual({ code: "busy", message: "Later." });
        expect(await textsOf(queue)).toEqual(["3"]);
      },
      { clock },
    );
  });

  test("goes to a consumer that waits for it", async () => {
    const clock = new ManualTime();
    await withBroker(
      async ({ raw }) => {
        const client = await raw();
        await client.must("queue.declare", { queue: "q" });
        await client.must("queue.consume", { queue: "q" });
        await client.confirmed({ routingKey: "q", text: "x" });
        await client.next({ type: "deliver" });
        client.send({ type: "settle", consumer: 1, first: 1, last: 1, outcome: "requeue", delay: 1000 });
        await client.barrier();
        clock.advance(1000);
        expect(await client.next({ type: "deliver" })).toMatchObject({ delivery: 2, attempts: 1, text: "x" });
      },
      { clock },
    );
  });

  test("is shown by browsing, and can be released or deleted before", async () => {
    const clock = new ManualTime();
    await withBroker(
      async ({ connect }) => {
        const queue = await (await connect()).queue("q").declare();
        for (const text of ["1", "2"]) await queue.publish(text);
        for (const delay of [1000, 2000]) (await queue.get())!.requeue({ delay });
        const { messages } = await queue.browsePage();
        expect(messages.map(({ state }) => state)).toEqual(["delayed", "delayed"]);
        await queue.deleteMessage(messages[0]!.position);
        await queue.releaseMessage(messages[1]!.position);
        expect(await textsOf(queue)).toEqual(["2"]);
        clock.advance(10_000);
        expect(await queue.status()).toMatchObject({ ready: 0, delayed: 0 });
      },
      { clock },
    );
  });

  test("expires when it is due, also if it were to come back later", async () => {
    const clock = new ManualTime();
    await withBroker(
      async ({ connect }) => {
        const posthorn = await connect();
        const queue = await posthorn.queue("q").declare({ messageTtl: 1000, deadLetterQueue: "dead" });
        const dead = await posthorn.queue("dead").declare();
        await queue.publish("1");
        (await queue.get())!.requeue({ delay: 5000 });
        expect((await dead.check()).messageCount).toBe(0);
        clock.advance(1000);
        expect((await dead.get())?.deaths).toMatchObject([{ reason: "expired" }]);
        expect(await queue.status()).toMatchObject({ ready: 0, delayed: 0 });
      },
      { clock },
    );
  });

  test("comes back at its time after a restart, from disk, in order, and counts attempts on", async () => {
    const clock = new ManualTime();
    await withBroker(
      async ({ connect, restart }) => {
        const before = await (await connect()).queue("q").declare();
        const count = 400;
        for (let i = 0; i < count; i++) await before.publish(`${i}`);
        const held = [];
        for (let i = 0; i < count; i++) held.push((await before.get())!);
        for (const [i, message] of held.entries()) {
          if (i % 2 === 0) message.requeue({ delay: 1000 * (1 + (i % 7)), reason: `${i}` });
          else if (i % 3 === 0) message.ack();
          else message.release();
        }
        const ready = Array.from({ length: count }, (_, i) => i).filter((i) => i % 2 === 1 && i % 3 !== 0);
        expect(await before.status()).toMatchObject({ ready: ready.length, delayed: count / 2 });
        await restart();
        clock.advance(0);
        const after = (await connect()).queue("q");
        expect(await after.status()).toMatchObject({ ready: ready.length, delayed: count / 2 });
        expect(await textsOf(after)).toEqual(ready.map(String));
        for (let second = 1; second <= 7; second++) {
          clock.advance(1000);
          const due = Array.from({ length: count }, (_, i) => i).filter(
            (i) => i % 2 === 0 && 1 + (i % 7) === second,
          );
          for (const i of due) {
            const message = await after.get();
            expect([message?.text(), message?.attempts, message?.nackReason?.message]).toEqual([
              `${i}`,
              1,
              `${i}`,
            ]);
            message!.ack();
          }
          expect(await after.get()).toBeUndefined();
        }
        expect(await after.status()).toMatchObject({ ready: 0, delayed: 0 });
      },
      { clock, onDisk: true, config: { queueMemoryBytes: 4096 } },
    );
  });

  test("stays when the queue is purged, also after a restart, and none of the others does", async () => {
    const clock = new ManualTime();
    await withBroker(
      async ({ connect, restart }) => {
        const before = await (await connect()).queue("q").declare();
        for (let i = 0; i < 50; i++) await before.publish(`${i}`);
        for (let i = 0; i < 3; i++) (await before.get())!.requeue({ delay: 1000 });
        await before.check();
        await restart();
        clock.advance(0);
        expect(await (await connect()).queue("q").purge()).toBe(47);
        await restart();
        clock.advance(0);
        const queue = (await connect()).queue("q");
        expect(await queue.status()).toMatchObject({ ready: 0, delayed: 3 });
        clock.advance(1000);
        expect(await textsOf(queue)).toEqual(["0", "1", "2"]);
      },
      { clock, onDisk: true },
    );
  });

  test("lets the handler of a consumer go on with others meanwhile", async () => {
    const clock = new ManualTime();
    await withBroker(
      async ({ connect }) => {
        const posthorn = await connect();
        posthorn.on("error", () => {});
        const queue = await posthorn.queue("q").declare();
        const handled: string[] = [];
        await queue.consume(
          (message) => {
            handled.push(`${message.text()} ${message.nackReason?.message}`);
            if (message.attempts === 0 && message.text() === "bad") throw new Error("not yet");
          },
          { concurrency: 1, prefetch: 1, onError: () => ({ delay: 60_000 }) },
        );
        for (const text of ["bad", "good"]) await queue.publish(text);
        await queue.status();
        expect(handled).toEqual(["bad undefined", "good undefined"]);
        clock.advance(60_000);
        await queue.status();
        await queue.status();
        expect(handled.at(-1)).toBe("bad not yet");
      },
      { clock },
    );
  });

  test("is bounded: a delay has to be a whole number of milliseconds, and at most ten years", () =>
    withBroker(async ({ connect, raw }) => {
      const queue = await (await connect()).queue("q").declare();
      await queue.publish("1");
      const message = (await queue.get())!;
      for (const delay of [-1, 1.5, Number.NaN, 1e12])
        expect(() => message.requeue({ delay })).toThrow(
          expect.objectContaining({ code: "invalid-argument" }),
        );
      message.release();
      const client = await raw();
      await client.must("queue.get", { queue: "q" });
      client.send({ type: "settle", consumer: 0, first: 1, last: 1, outcome: "requeue", delay: 1e12 });
      expect(await client.next({ type: "error" })).toMatchObject({ code: "invalid-frame" });
    }));
});

describe("a queue with a retry schedule", () => {
  test("has requeued messages wait longer each time, up to a limit", async () => {
    const clock = new ManualTime();
    await withBroker(
      async ({ connect }) => {
        const retry = { initialDelay: 1000, multiplier: 3, maxDelay: 5000, jitter: 0 };
        const queue = await (await connect()).queue("q").declare({ retry });
        await queue.publish("1");
        for (const delay of [1000, 3000, 5000, 5000]) {
          (await queue.get())!.requeue();
          expect(await queue.get()).toBeUndefined();
          clock.advance(delay - 1);
          expect(await queue.get()).toBeUndefined();
          clock.advance(1);
          expect(await queue.status()).toMatchObject({ ready: 1 });
        }
        const message = (await queue.get())!;
        expect(message.attempts).toBe(4);
        // What the consumer asks for counts more.
        message.requeue({ delay: 10 });
        expect(await queue.status()).toMatchObject({ delayed: 1 });
        clock.advance(10);
        expect(await queue.status()).toMatchObject({ ready: 1 });
      },
      { clock },
    );
  });

  test("has handlers that throw wait for nothing: the broker does", async () => {
    const clock = new ManualTime();
    await withBroker(
      async ({ connect }) => {
        const posthorn = await connect();
        posthorn.on("error", () => {});
        const retry = { initialDelay: 60_000, jitter: 0 };
        const queue = await posthorn.queue("q").declare({ retry });
        const count = 100;
        let fails = true;
        let handled = 0;
        await queue.consume(
          () => {
            if (fails) throw new Error("not yet");
            handled++;
          },
          { concurrency: 1 },
        );
        // With a pause in the client for each it would take minutes.
        await Promise.all(Array.from({ length: count }, (_, i) => queue.publish(`${i}`)));
        await expect.poll(async () => (await queue.status()).delayed).toBe(count);
        const [first] = (await queue.browsePage()).messages;
        expect([first?.attempts, first?.nackReason]).toEqual([1, { code: "Error", message: "not yet" }]);
        fails = false;
        clock.advance(60_000);
        await expect.poll(() => handled).toBe(count);
      },
      { clock },
    );
  });

  test("varies delays at random by no more than the jitter", async () => {
    const clock = new ManualTime();
    await withBroker(
      async ({ connect }) => {
        const retry = { initialDelay: 1000, maxDelay: 10_000, jitter: 0.5 };
        const queue = await (await connect()).queue("q").declare({ retry });
        const count = 200;
        for (let i = 0; i < count; i++) await queue.publish(`${i}`);
        for (let i = 0; i < count; i++) (await queue.get())!.requeue();
        expect(await queue.status()).toMatchObject({ delayed: count });
        clock.advance(499);
        expect(await queue.status()).toMatchObject({ delayed: count });
        clock.advance(501);
        const { delayed } = await queue.status();
        expect(delayed).toBeGreaterThan(0);
        expect(delayed).toBeLessThan(count);
        clock.advance(501);
        expect(await queue.status()).toMatchObject({ delayed: 0 });
      },
      { clock },
    );
  });

  test("gives a message back at once that was released, or whose consumer went away", () =>
    withBroker(async ({ connect, raw }) => {
      const queue = await (await connect()).queue("q").declare({ retry: {} });
      await queue.publish("1");
      (await queue.get())!.release();
      const client = await raw();
      await client.must("queue.get", { queue: "q" });
      await client.must("bye");
      expect((await queue.get())?.attempts).toBe(1);
    }));

  test("gives up at the delivery limit, and the history says why", async () => {
    const clock = new ManualTime();
    await withBroker(
      async ({ connect }) => {
        const posthorn = await connect();
        const queue = await posthorn
          .queue("q")
          .declare({ retry: { initialDelay: 100, jitter: 0 }, deliveryLimit: 3, deadLetterQueue: "dead" });
        const dead = await posthorn.queue("dead").declare();
        await queue.publish("1");
        for (let attempt = 1; attempt <= 3; attempt++) {
          (await queue.get())!.requeue({ reason: `attempt ${attempt}` });
          await queue.check();
          clock.advance(10_000);
        }
        const message = await dead.get();
        expect(message?.deaths).toMatchObject([
          { reason: "delivery-limit", count: 1, nackReason: { message: "attempt 3" } },
        ]);
        expect(message?.nackReason?.message).toBe("attempt 3");
      },
      { clock },
    );
  });
});

describe("in a queue with message groups", () => {
  test.each([false, true])(
    "a delayed message holds back its group and no other, restarted: %s",
    async (restarted) => {
      const clock = new ManualTime();
      await withBroker(
        async ({ connect, restart }) => {
          const declaration = { messageGroups: { by: "header", name: "g" } } as const;
          let queue = await (await connect()).queue("q").declare(declaration);
          for (const text of ["a1", "a2", "b1"]) await queue.publish(text, { headers: { g: text[0]! } });
          (await queue.get())!.requeue({ delay: 1000 });
          await queue.check();
          if (restarted) {
            await restart();
            clock.advance(0);
            queue = (await connect()).queue("q");
          }
          expect(await textsOf(queue)).toEqual(["b1"]);
          clock.advance(1000);
          expect(await textsOf(queue)).toEqual(["a1", "a2"]);
        },
        { clock, onDisk: true },
      );
    },
  );

  test("a message whose delay ends after a restart comes once, though nothing was read before", async () => {
    const clock = new ManualTime();
    await withBroker(
      async ({ connect, restart }) => {
        const before = await (await connect()).queue("q").declare({ messageGroups: {} });
        for (const text of ["a1", "a2", "b1"]) await before.publish(text, { headers: { group: text[0]! } });
        (await before.get())!.requeue({ delay: 1000 });
        await before.check();
        await restart();
        clock.advance(1000);
        const queue = (await connect()).queue("q");
        expect(await queue.status()).toMatchObject({ ready: 3, delayed: 0 });
        expect(await textsOf(queue)).toEqual(["a1", "b1", "a2"]);
        expect(await queue.status()).toMatchObject({ ready: 0, unsettled: 0, groups: 0 });
      },
      { clock, onDisk: true },
    );
  });

  test("a parked message lets its group go on", () =>
    withBroker(async ({ connect }) => {
      const queue = await (await connect())
        .queue("q")
        .declare({ messageGroups: { by: "header", name: "g" }, deliveryLimit: 1 });
      for (const text of ["a1", "a2"]) await queue.publish(text, { headers: { g: "a" } });
      (await queue.get())!.requeue();
      expect(await textsOf(queue)).toEqual(["a2"]);
      const [parked] = (await queue.browsePage()).messages;
      await queue.releaseMessage(parked!.position);
      expect(await textsOf(queue)).toEqual(["a1"]);
    }));
});
