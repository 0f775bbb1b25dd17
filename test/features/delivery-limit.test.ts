import { describe, expect, test } from "vitest";
import type { Queue } from "../../client/index.ts";
import { withBroker } from "../support/broker.ts";
import { ManualTime } from "../support/manual-time.ts";

async function requeueNext(queue: Queue, reason?: string): Promise<string> {
  const message = (await queue.get())!;
  message.requeue(reason === undefined ? {} : { reason });
  return message.text();
}

/** What browsing shows of the messages that are parked. */
async function parkedIn(queue: Queue): Promise<{ text: string; position: string }[]> {
  const parked: { text: string; position: string }[] = [];
  for await (const message of queue.browse({ filter: { state: "parked" } }))
    parked.push({ text: message.text(), position: message.position });
  return parked;
}

describe("a message that has been delivered as often as it may be", () => {
  test("goes to the dead-letter target with the reason delivery-limit and what the consumer said last", () =>
    withBroker(async ({ connect }) => {
      const posthorn = await connect();
      const queue = await posthorn.queue("q").declare({ deliveryLimit: 3, deadLetterQueue: "dead" });
      const dead = await posthorn.queue("dead").declare();
      await queue.publish("poison");
      for (let attempt = 0; attempt < 3; attempt++) await requeueNext(queue, `attempt ${attempt}`);
      expect(await queue.get()).toBeUndefined();
      const message = await dead.get();
      expect(message?.attempts).toBe(0);
      expect(message?.deaths).toMatchObject([
        { queue: "q", reason: "delivery-limit", count: 1, nackReason: { message: "attempt 2" } },
      ]);
    }));

  test.each([
    ["without a target", {}],
    ["if the target is not there", { deadLetterQueue: "nowhere" }],
    ["if no queue is bound for it", { deadLetterExchange: "amq.direct" }],
  ])("is parked %s: visible, counted and not delivered", (_, target) =>
    withBroker(async ({ connect }) => {
      const queue = await (await connect()).queue("q").declare({ deliveryLimit: 1, ...target });
      for (const text of ["poison", "good"]) await queue.publish(text);
      expect(await requeueNext(queue, "no")).toBe("poison");
      expect(await queue.status()).toMatchObject({ ready: 1, parked: 1, delayed: 0, unsettled: 0 });
      expect((await queue.check()).messageCount).toBe(1);
      expect((await queue.get())?.text()).toBe("good");
      expect(await queue.get()).toBeUndefined();
      const [shown] = (await queue.browsePage()).messages;
      expect(shown).toMatchObject({ state: "parked", attempts: 1, nackReason: { message: "no" } });
    }),
  );

  test("is so after a restart, too: attempts count on, and what is parked stays so", () =>
    withBroker(
      async ({ connect, restart }) => {
        const before = await (await connect()).queue("q").declare({ deliveryLimit: 2 });
        for (const text of ["parked", "tried once", "new"]) await before.publish(text);
        await requeueNext(before);
        await requeueNext(before);
        expect(await requeueNext(before)).toBe("tried once");
        await before.check();
        await restart();
        const after = (await connect()).queue("q");
        expect(await after.status()).toMatchObject({ ready: 2, parked: 1 });
        expect(await requeueNext(after)).toBe("tried once");
        expect((await parkedIn(after)).map(({ text }) => text)).toEqual(["parked", "tried once"]);
        expect((await after.get())?.text()).toBe("new");
      },
      { onDisk: true },
    ));
});

describe("a parked message", () => {
  test("comes back to its place when it is released, and is delivered once more", () =>
    withBroker(async ({ connect }) => {
      const queue = await (await connect()).queue("q").declare({ deliveryLimit: 1 });
      for (const text of ["1", "2"]) await queue.publish(text);
      await requeueNext(queue);
      const [{ position } = { position: "" }] = await parkedIn(queue);
      await queue.releaseMessage(position);
      expect(await queue.status()).toMatchObject({ ready: 2, parked: 0 });
      await expect(queue.releaseMessage(position)).rejects.toMatchObject({ code: "precondition-failed" });
      expect(await requeueNext(queue)).toBe("1");
      expect(await queue.status()).toMatchObject({ ready: 1, parked: 1 });
      await queue.releaseMessage(position);
      (await queue.get())!.ack();
      await expect(queue.releaseMessage(position)).rejects.toMatchObject({ code: "not-found" });
    }));

  test("is delivered when it is released, also after it would have expired, and after a restart", async () => {
    const clock = new ManualTime();
    await withBroker(
      async ({ connect, restart }) => {
        let queue = await (await connect()).queue("q").declare({ deliveryLimit: 1, messageTtl: 1000 });
        const again = async () => {
          await restart();
          clock.advance(0);
          queue = (await connect()).queue("q");
        };
        for (const text of ["1", "2", "3"]) await queue.publish(text);
        for (let i = 0; i < 3; i++) await requeueNext(queue);
        expect((await parkedIn(queue)).map(({ text }) => text)).toEqual(["1", "2", "3"]);
        clock.advance(5000);
        const [first, second] = await parkedIn(queue);
        await queue.releaseMessage(first!.position);
        await again();
        await queue.releaseMessage(second!.position);
        await queue.publish("4");
        await again();
        expect(await queue.status()).toMatchObject({ ready: 3, parked: 1 });
        clock.advance(1000);
        expect(await queue.status()).toMatchObject({ ready: 2, parked: 1 });
        const [one, two] = [await queue.get(), await queue.get()];
        expect([one?.text(), two?.text()]).toEqual(["1", "2"]);
        one!.requeue();
        two!.release();
        await queue.check();
        expect((await parkedIn(queue)).map(({ text }) => text)).toEqual(["1", "3"]);
        expect((await queue.get())?.text()).toBe("2");
      },
      { clock, onDisk: true },
    );
  });

  test("can be deleted, also when it is on disk only", () =>
    withBroker(
      async ({ connect, restart }) => {
        const before = await (await connect()).queue("q").declare({ deliveryLimit: 1 });
        const count = 600;
        await Promise.all(Array.from({ length: count }, (_, i) => before.publish(`${i}`)));
        const consumer = await before.consume((message) => message.requeue(), { prefetch: 10 });
        await before.publish("last");
        while ((await before.status()).parked < count + 1) await before.check();
        await consumer.cancel();
        await restart();
        const after = (await connect()).queue("q");
        const parked = await parkedIn(after);
        expect(parked.map(({ text }) => text)).toEqual([
          ...Array.from({ length: count }, (_, i) => `${i}`),
          "last",
        ]);
        for (const [i, { position }] of parked.entries()) {
          if (i % 2 === 0) await after.deleteMessage(position);
          else await after.releaseMessage(position);
        }
        expect(await after.status()).toMatchObject({ ready: count / 2, parked: 0 });
        await restart();
        const finally_ = (await connect()).queue("q");
        for (let i = 1; i < count; i += 2) {
          const message = await finally_.get();
          expect([message?.text(), message?.attempts]).toEqual([`${i}`, 1]);
          message!.ack();
        }
        expect(await finally_.get()).toBeUndefined();
      },
      { onDisk: true, config: { queueMemoryBytes: 4096 } },
    ));

  test("is neither purged nor lost with it, and the queue does not count as empty", () =>
    withBroker(
      async ({ connect, restart }) => {
        const before = await (await connect()).queue("q").declare({ deliveryLimit: 1 });
        for (const text of ["1", "2", "3"]) await before.publish(text);
        await requeueNext(before);
        await before.check();
        await restart();
        const after = (await connect()).queue("q");
        expect(await after.purge()).toBe(2);
        await expect(after.delete({ ifEmpty: true })).rejects.toMatchObject({ code: "precondition-failed" });
        await restart();
        const again = (await connect()).queue("q");
        expect((await parkedIn(again)).map(({ text }) => text)).toEqual(["1"]);
      },
      { onDisk: true },
    ));
});

describe("what counts as a delivery", () => {
  test("not one that was released, as when a consumer is cancelled before it began", () =>
    withBroker(async ({ connect }) => {
      const queue = await (await connect()).queue("q").declare({ deliveryLimit: 1 });
      await queue.publish("1");
      for (let i = 0; i < 5; i++) (await queue.get())!.release();
      expect((await queue.get())?.attempts).toBe(0);
    }));

  test("one whose consumer went away with it", () =>
    withBroker(async ({ connect, raw }) => {
      const queue = await (await connect()).queue("q").declare({ deliveryLimit: 2 });
      await queue.publish("crashes its consumer");
      for (let i = 0; i < 2; i++) {
        const client = await raw();
        await client.must("queue.consume", { queue: "q" });
        await client.next({ type: "deliver" });
        await client.must("bye");
      }
      expect(await queue.status()).toMatchObject({ ready: 0, parked: 1 });
    }));

  test("one that was not settled in time", async () => {
    const clock = new ManualTime();
    await withBroker(
      async ({ connect }) => {
        const queue = await (await connect()).queue("q").declare({ deliveryLimit: 1, ackTimeout: 1000 });
        await queue.publish("slow");
        await queue.get();
        clock.advance(1000);
        expect(await queue.status()).toMatchObject({ ready: 0, parked: 1 });
      },
      { clock },
    );
  });
});

test("a poison message among 10,000 good ones stops none of them", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const queue = await posthorn.queue("q").declare({ deliveryLimit: 5 });
    const count = 10_000;
    const handled = new Set<string>();
    let attempts = 0;
    const all = new Promise<void>((resolve) => {
      void queue.consume(
        (message) => {
          if (message.text() === "poison") {
            attempts++;
            message.requeue({ reason: "cannot" });
            return;
          }
          handled.add(message.text());
          if (handled.size === count) resolve();
        },
        { prefetch: 100 },
      );
    });
    for (let i = 0; i < count; i++) {
      if (i === 5000) void queue.publish("poison");
      void queue.publish(`${i}`);
      if (i % 1000 === 0) await posthorn.ready();
    }
    await all;
    while ((await queue.status()).parked === 0) await queue.check();
    expect(attempts).toBe(5);
    expect(await queue.status()).toMatchObject({ ready: 0, parked: 1 });
  }));

test("a poison message that takes its consumer down takes no other message with it", () =>
  withBroker(async ({ connect, raw }) => {
    const queue = await (await connect()).queue("q").declare({ deliveryLimit: 3 });
    const count = 30;
    for (let i = 0; i < count; i++) await queue.publish(i === 20 ? "poison" : `${i}`);
    const handled: string[] = [];
    let crashes = 0;
    // Each consumer handles its messages in order and acks them late: all it was given comes back when it crashes.
    while ((await queue.status()).parked === 0) {
      const client = await raw();
      await client.must("queue.consume", { queue: "q", prefetch: 10 });
      for (let last = 0; ; ) {
        await client.barrier();
        const given = client.of("deliver").slice(last);
        if (given.length === 0) break;
        const poison = given.findIndex(({ text }) => text === "poison");
        const good = poison < 0 ? given : given.slice(0, poison);
        if (poison >= 0 && given.length > 1 && crashes % 2 === 0) {
          // Crashes before it has acked anything.
          break;
        }
        for (const { text } of good) handled.push(text as string);
        if (good.length > 0) client.settle(1, last + 1, last + good.length, "ack");
        if (poison >= 0) break;
        last += given.length;
      }
      crashes++;
      client.terminate();
      await queue.check();
      expect(crashes).toBeLessThan(100);
    }
    while (handled.length < count - 1) {
      const message = await queue.get();
      handled.push(message!.text());
      message!.ack();
    }
    expect(new Set(handled).size).toBe(count - 1);
    expect(await queue.status()).toMatchObject({ ready: 0, parked: 1, unsettled: 0 });
    expect((await parkedIn(queue)).map(({ text }) => text)).toEqual(["poison"]);
  }));
