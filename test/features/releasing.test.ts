import { expect, test } from "vitest";
import type { Posthorn, Queue, QueueArguments } from "../../client/index.ts";
import { withBroker } from "../support/broker.ts";
import { ManualTime } from "../support/manual-time.ts";

/** A queue of which all that is published comes back from its one delivery. */
async function declared(posthorn: Posthorn, args: QueueArguments = {}): Promise<Queue> {
  return posthorn.queue("q").declare({ deliveryLimit: 1, ...args });
}

async function requeueAll(queue: Queue): Promise<void> {
  for (let message = await queue.get(); message !== undefined; message = await queue.get()) message.requeue();
}

async function shownIn(queue: Queue): Promise<string[]> {
  const shown: string[] = [];
  for await (const message of queue.browse()) shown.push(`${message.text()} ${message.state}`);
  return shown;
}

async function textsOf(queue: Queue): Promise<string[]> {
  const texts: string[] = [];
  for (let message = await queue.get(); message !== undefined; message = await queue.get()) {
    texts.push(message.text());
    message.ack();
  }
  return texts;
}

test("all that is parked is released at once, thousands from disk and each to its place", () =>
  withBroker(
    async ({ connect, restart }) => {
      const before = await declared(await connect());
      const count = 3000;
      const all = Array.from({ length: count }, (_, i) => `${i}`);
      await Promise.all(all.map((text) => before.publish(text)));
      const consumer = await before.consume((message) => message.requeue());
      await expect.poll(async () => (await before.status()).parked, { timeout: 10_000 }).toBe(count);
      await consumer.cancel();
      await before.publish("last");
      await restart();
      const after = (await connect()).queue("q");
      expect(await after.status()).toMatchObject({ ready: 1, parked: count });
      expect(await after.releaseMessages()).toBe(count);
      expect(await after.status()).toMatchObject({ ready: count + 1, parked: 0 });
      await restart();
      const again = (await connect()).queue("q");
      expect(await again.status()).toMatchObject({ ready: count + 1, parked: 0 });
      expect(await textsOf(again)).toEqual([...all, "last"]);
    },
    { onDisk: true, config: { queueMemoryBytes: 64 * 1024 } },
  ));

test("a filter and a limit say which", () =>
  withBroker(async ({ connect }) => {
    const queue = await declared(await connect());
    for (let i = 0; i < 6; i++) await queue.publish(`${i}`, { headers: { even: i % 2 === 0 } });
    await requeueAll(queue);
    expect(await queue.releaseMessages({ filter: { headers: { even: true } }, limit: 2 })).toBe(2);
    expect(await textsOf(queue)).toEqual(["0", "2"]);
    expect(await queue.releaseMessages({ filter: { headers: { even: true } } })).toBe(1);
    expect(await queue.status()).toMatchObject({ ready: 1, parked: 3 });
  }));

test("delayed messages come back if they are asked for, and browsing says when they would have", async () => {
  const clock = new ManualTime();
  await withBroker(
    async ({ connect }) => {
      const queue = await declared(await connect(), { deliveryLimit: 2 });
      for (const text of ["1", "2", "3"]) await queue.publish(text);
      for (const delay of [1000, 2000]) (await queue.get())!.requeue({ delay });
      const { messages } = await queue.browsePage();
      const now = clock.now();
      expect(messages.map(({ delayedUntil }) => delayedUntil?.getTime())).toEqual([
        now + 1000,
        now + 2000,
        undefined,
      ]);
      expect(await queue.releaseMessages()).toBe(0);
      expect(await queue.releaseMessages({ filter: { state: "delayed" } })).toBe(2);
      expect(await textsOf(queue)).toEqual(["1", "2", "3"]);
    },
    { clock },
  );
});

test.each([false, true])("groups go on with what is released, restarted: %s", async (restarted) => {
  const clock = new ManualTime();
  await withBroker(
    async ({ connect, restart }) => {
      let queue = await declared(await connect(), { messageGroups: {}, deliveryLimit: 2 });
      for (const text of ["a1", "a2", "b1", "b2"])
        await queue.publish(text, { headers: { group: text[0]! } });
      for (let i = 0; i < 2; i++) (await queue.get())!.requeue({ delay: 60_000 });
      expect(await queue.get()).toBeUndefined();
      if (restarted) {
        await restart();
        clock.advance(0);
        queue = (await connect()).queue("q");
      }
      expect(await queue.releaseMessages({ filter: { state: "delayed" } })).toBe(2);
      expect((await textsOf(queue)).sort()).toEqual(["a1", "a2", "b1", "b2"]);
      expect(await queue.status()).toMatchObject({ ready: 0, delayed: 0, groups: 0 });
    },
    { clock, onDisk: true },
  );
});

test("only what is there when it begins is released, though consumers park it again at once", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const queue = await declared(posthorn);
    const count = 600;
    await Promise.all(Array.from({ length: count }, (_, i) => queue.publish(`${i}`)));
    await queue.consume((message) => message.requeue());
    await expect.poll(async () => (await queue.status()).parked).toBe(count);
    expect(await queue.releaseMessages()).toBe(count);
    await expect.poll(async () => (await queue.status()).parked).toBe(count);
  }));

test("a release that is interrupted ends after the step under way, and running it again does the rest", () =>
  withBroker(async ({ connect }) => {
    const queue = await declared(await connect());
    const count = 1000;
    await Promise.all(Array.from({ length: count }, (_, i) => queue.publish(`${i}`)));
    await requeueAll(queue);
    const abort = new AbortController();
    const releasing = queue.releaseMessages({ signal: abort.signal });
    abort.abort();
    await expect(releasing).rejects.toMatchObject({ code: "aborted" });
    const { ready, parked } = await queue.status();
    expect(ready + parked).toBe(count);
    expect(parked).toBeGreaterThan(0);
    expect(await queue.releaseMessages()).toBe(parked);
    expect(await queue.status()).toMatchObject({ ready: count, parked: 0 });
  }));

test("what is ready or with a consumer cannot be asked for", () =>
  withBroker(async ({ connect }) => {
    const queue = await declared(await connect());
    for (const state of ["ready", "unsettled"])
      await expect(queue.releaseMessages({ filter: { state: state as "parked" } })).rejects.toMatchObject({
        code: "invalid-frame",
        details: { problems: [{ field: "filter.state", problem: "must be one of parked, delayed" }] },
      });
  }));

test("one message in each state: deleted, unless a consumer has it", async () => {
  const clock = new ManualTime();
  await withBroker(
    async ({ connect }) => {
      const queue = await declared(await connect());
      for (const text of ["a", "b", "c", "d"]) await queue.publish(text);
      (await queue.get())!.requeue();
      await queue.declare({ onMismatch: "update" });
      (await queue.get())!.requeue({ delay: 1000 });
      const held = (await queue.get())!;
      expect(await shownIn(queue)).toEqual(["a parked", "b delayed", "c unsettled", "d ready"]);
      for (const state of ["parked", "delayed", "unsettled", "ready"] as const) {
        const { messages } = await queue.browsePage({ filter: { state } });
        expect(messages.map((message) => message.state)).toEqual([state]);
        const deleted = queue.deleteMessage(messages[0]!.position);
        if (state === "unsettled")
          await expect(deleted).rejects.toMatchObject({
            code: "precondition-failed",
            details: { state: "unsettled" },
          });
        else await deleted;
      }
      expect(await shownIn(queue)).toEqual(["c unsettled"]);
      held.requeue();
      clock.advance(1000);
      expect(await textsOf(queue)).toEqual(["c"]);
    },
    { clock },
  );
});
