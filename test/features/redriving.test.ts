import { expect, test } from "vitest";
import type { Posthorn, Queue, RedriveReport } from "../../client/index.ts";
import { withBroker } from "../support/broker.ts";
import { ManualTime } from "../support/manual-time.ts";

/** Two queues whose rejected messages go to one dead-letter queue. */
async function deadLetters(posthorn: Posthorn): Promise<{ work: Queue; other: Queue; dead: Queue }> {
  const dead = await posthorn.queue("dead").declare();
  const work = await posthorn.queue("work").declare({ deadLetterQueue: "dead" });
  const other = await posthorn.queue("other").declare({ deadLetterQueue: "dead" });
  return { work, other, dead };
}

async function fail(queue: Queue, bodies: readonly unknown[]): Promise<void> {
  await Promise.all(bodies.map((body) => queue.publish(body)));
  for (let i = 0; i < bodies.length; i++) {
    const message = (await queue.get())!;
    message.reject({ reason: { code: "no-good", message: `${message.value}` } });
  }
  await expect.poll(async () => (await queue.status()).unsettled).toBe(0);
}

async function bodies(queue: Queue): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const message of queue.browse()) found.push(message.value);
  return found;
}

test("redriving brings each message back to the queue that failed, with its history and anew attempts", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const { work, other, dead } = await deadLetters(posthorn);
    await fail(work, ["1", "2"]);
    await fail(other, ["3"]);
    const report = await dead.redrive();
    expect(report).toEqual({
      redriven: 3,
      missing: 0,
      examined: 3,
      counts: [
        { target: "work", reason: "rejected", outcome: "redriven", messages: 2 },
        { target: "other", reason: "rejected", outcome: "redriven", messages: 1 },
      ],
    });
    expect(await bodies(dead)).toEqual([]);
    expect(await bodies(work)).toEqual(["1", "2"]);
    expect(await bodies(other)).toEqual(["3"]);
    const message = (await work.get())!;
    expect([message.attempts, message.redelivered, message.routingKey]).toEqual([0, false, "work"]);
    expect(message.deaths).toMatchObject([{ queue: "work", reason: "rejected", count: 1 }]);
    message.reject();
    await expect.poll(() => bodies(dead)).toEqual(["1"]);
    const [again] = (await dead.browsePage()).messages;
    expect(again!.deaths).toMatchObject([{ queue: "work", reason: "rejected", count: 2 }]);
  }));

test("a dry run says what would happen, and changes nothing", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const { work, other, dead } = await deadLetters(posthorn);
    await fail(work, ["1", "2"]);
    await fail(other, ["3"]);
    await dead.publish("4");
    await posthorn.queue("other").delete();
    expect(await dead.redrive({ dryRun: true })).toEqual({
      redriven: 2,
      missing: 2,
      examined: 4,
      counts: [
        { target: "work", reason: "rejected", outcome: "redriven", messages: 2 },
        { target: "other", reason: "rejected", outcome: "missing", messages: 1 },
        { target: undefined, reason: undefined, outcome: "missing", messages: 1 },
      ],
    });
    expect(await bodies(dead)).toEqual(["1", "2", "3", "4"]);
    expect(await bodies(work)).toEqual([]);
  }));

test("a message whose queue is gone, or that never failed, stays where it is and is counted", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const { work, other, dead } = await deadLetters(posthorn);
    await fail(other, ["1"]);
    await dead.publish("2");
    await fail(work, ["3"]);
    await other.delete();
    expect(await dead.redrive()).toMatchObject({ redriven: 1, missing: 2 });
    expect(await bodies(dead)).toEqual(["1", "2"]);
    expect(await bodies(work)).toEqual(["3"]);
  }));

test("a queue can be named, for all messages", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const { work, dead } = await deadLetters(posthorn);
    const fixed = await posthorn.queue("fixed").declare();
    await fail(work, ["1"]);
    await dead.publish("2");
    expect(await dead.redrive({ to: "fixed" })).toMatchObject({ redriven: 2, missing: 0 });
    expect(await bodies(fixed)).toEqual(["1", "2"]);
    await expect(dead.redrive({ to: "nowhere" })).rejects.toMatchObject({ code: "not-found" });
    await expect(dead.redrive({ to: "dead" })).rejects.toMatchObject({ code: "invalid-argument" });
  }));

test("only what a filter lets through goes, up to the limit; the rest keeps its order", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const { work, other, dead } = await deadLetters(posthorn);
    await fail(work, [
      { n: 1, kind: "a" },
      { n: 2, kind: "b" },
      { n: 3, kind: "a" },
      { n: 4, kind: "a" },
    ]);
    await fail(other, [{ n: 5, kind: "a" }]);
    const filter = { body: { "$.kind": "a" }, diedIn: "work", reason: "rejected" } as const;
    expect(await dead.redrive({ filter, limit: 2 })).toMatchObject({ redriven: 2 });
    expect(await bodies(work)).toEqual([
      { n: 1, kind: "a" },
      { n: 3, kind: "a" },
    ]);
    expect((await bodies(dead)).map((body) => (body as { n: number }).n)).toEqual([2, 4, 5]);
    expect(await dead.redrive({ filter: { reason: "expired" } })).toMatchObject({ redriven: 0, examined: 3 });
  }));

test("a copy leaves the messages where they are, too", () =>
  withBroker(
    async ({ connect, restart }) => {
      let posthorn = await connect();
      const { work, dead } = await deadLetters(posthorn);
      await fail(work, ["1", "2"]);
      expect(await dead.redrive({ mode: "copy" })).toMatchObject({ redriven: 2 });
      await restart();
      posthorn = await connect();
      expect(await bodies(posthorn.queue("dead"))).toEqual(["1", "2"]);
      expect(await bodies(posthorn.queue("work"))).toEqual(["1", "2"]);
      await posthorn.queue("dead").purge();
      (await posthorn.queue("work").get())!.ack();
      expect(await bodies(posthorn.queue("work"))).toEqual(["2"]);
    },
    { onDisk: true },
  ));

test("messages with consumers stay with them", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const { work, dead } = await deadLetters(posthorn);
    await fail(work, ["1", "2"]);
    const looking = (await dead.get())!;
    expect(await dead.redrive()).toMatchObject({ redriven: 1 });
    expect(await bodies(work)).toEqual(["2"]);
    looking.requeue();
    await expect.poll(async () => (await dead.status()).ready).toBe(1);
    expect(await dead.redrive()).toMatchObject({ redriven: 1 });
  }));

test("a message that fails again at once is redriven once only", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const { work, dead } = await deadLetters(posthorn);
    await fail(
      work,
      Array.from({ length: 600 }, (_, i) => `${i}`),
    );
    const consumer = await work.consume((message) => message.reject());
    expect(await dead.redrive()).toMatchObject({ redriven: 600 });
    await expect.poll(async () => (await dead.status()).ready).toBe(600);
    await consumer.cancel();
  }));

test("a backlog on disk is redriven whole, and a restart finds every message in one place", () =>
  withBroker(
    async ({ connect, restart }) => {
      let posthorn = await connect();
      const { work, dead } = await deadLetters(posthorn);
      const numbers = Array.from({ length: 1500 }, (_, i) => i);
      await Promise.all(numbers.map((n) => work.publish({ n })));
      const consumer = await work.consume((message) => message.reject(), { prefetch: 1000 });
      await expect.poll(async () => (await dead.status()).ready, { timeout: 10_000 }).toBe(1500);
      await consumer.cancel();
      await restart();
      posthorn = await connect();
      const steps: RedriveReport[] = [];
      const report = await posthorn.queue("dead").redrive({
        filter: { bodyPaths: ["$.n"] },
        limit: 1000,
        onProgress: (progress) => steps.push(progress),
      });
      expect(report.redriven).toBe(1000);
      expect(steps.map(({ redriven }) => redriven)).toEqual([256, 512, 768, 1000]);
      await restart();
      posthorn = await connect();
      expect((await posthorn.queue("work").status()).ready).toBe(1000);
      expect((await posthorn.queue("dead").status()).ready).toBe(500);
      expect(await bodies(posthorn.queue("work"))).toEqual(numbers.slice(0, 1000).map((n) => ({ n })));
      expect(await bodies(posthorn.queue("dead"))).toEqual(numbers.slice(1000).map((n) => ({ n })));
    },
    { onDisk: true },
  ));

test("a rate is kept by the broker's clock", () => {
  const clock = new ManualTime();
  return withBroker(
    async ({ connect }) => {
      const posthorn = await connect();
      const { work, dead } = await deadLetters(posthorn);
      await fail(
        work,
        Array.from({ length: 10 }, (_, i) => `${i}`),
      );
      const redriven: number[] = [];
      const done = dead.redrive({
        ratePerSecond: 8,
        onProgress: (progress) => redriven.push(progress.redriven),
      });
      for (let steps = 1; steps <= 5; steps++) {
        // A quarter of a second's worth has gone, and nothing more goes before that is over.
        await expect.poll(async () => (await work.status()).ready).toBe(2 * steps);
        expect(redriven).toHaveLength(steps - 1);
        clock.advance(249);
        await work.status();
        expect((await work.status()).ready).toBe(2 * steps);
        expect(redriven).toHaveLength(steps - 1);
        clock.advance(1);
        await expect.poll(() => redriven).toHaveLength(steps);
      }
      expect(await done).toMatchObject({ redriven: 10 });
    },
    { clock },
  );
});

test("whoever redrives can stop it; what has gone has gone, the rest stays", () => {
  const clock = new ManualTime();
  return withBroker(
    async ({ connect }) => {
      const posthorn = await connect();
      const { work, dead } = await deadLetters(posthorn);
      await fail(work, ["1", "2", "3"]);
      const stop = new AbortController();
      const done = dead.redrive({ ratePerSecond: 1, signal: stop.signal });
      await expect.poll(async () => (await work.status()).ready).toBe(1);
      stop.abort();
      await expect(done).rejects.toMatchObject({ code: "aborted" });
      clock.advance(10_000);
      expect(await bodies(work)).toEqual(["1"]);
      expect(await bodies(dead)).toEqual(["2", "3"]);
    },
    { clock },
  );
});

test("the broker can stop while a redrive waits for its rate", () => {
  const clock = new ManualTime();
  return withBroker(
    async ({ connect, restart }) => {
      const posthorn = await connect({ reconnect: false });
      const { work, dead } = await deadLetters(posthorn);
      await fail(work, ["1", "2"]);
      const done = dead.redrive({ ratePerSecond: 1 });
      const failed = expect(done).rejects.toMatchObject({ code: "connection-closed" });
      await expect.poll(async () => (await work.status()).ready).toBe(1);
      await restart();
      await failed;
      const again = await connect();
      expect(await bodies(again.queue("work"))).toEqual(["1"]);
      expect(await bodies(again.queue("dead"))).toEqual(["2"]);
    },
    { clock },
  );
});

test("a move between a durable and a transient queue keeps the message as it was published", () =>
  withBroker(
    async ({ connect, restart }) => {
      let posthorn = await connect();
      const from = await posthorn.queue("from").declare({ durable: false });
      await posthorn.queue("to").declare();
      await from.publish("persistent");
      await from.publish("passing", { persistent: false });
      await from.redrive({ to: "to" });
      expect(await bodies(posthorn.queue("to"))).toEqual(["persistent", "passing"]);
      await restart();
      posthorn = await connect();
      expect(await bodies(posthorn.queue("to"))).toEqual(["persistent"]);
    },
    { onDisk: true },
  ));

test("what is parked or delayed stays unless the filter asks for it, and then goes as new", async () => {
  const clock = new ManualTime();
  await withBroker(
    async ({ connect, restart }) => {
      const posthorn = await connect();
      const before = await posthorn.queue("q").declare({ deliveryLimit: 2 });
      await posthorn.queue("other").declare();
      for (const text of ["parked", "delayed", "ready"]) await before.publish(text);
      for (let i = 0; i < 2; i++) (await before.get())!.requeue({ reason: "no" });
      (await before.get())!.requeue({ delay: 60_000 });
      await before.check();
      await restart();
      clock.advance(0);
      const after = await connect();
      const queue = after.queue("q");
      const go = (state: "parked" | "delayed", dryRun: boolean) =>
        queue.redrive({ to: "other", filter: { state }, dryRun });
      for (const state of ["parked", "delayed"] as const) {
        expect(await go(state, true)).toMatchObject({ redriven: 1 });
        expect(await go(state, false)).toMatchObject({ redriven: 1 });
      }
      expect(await queue.status()).toMatchObject({ ready: 1, parked: 0, delayed: 0 });
      expect(await queue.redrive({ to: "other" })).toMatchObject({ redriven: 1 });
      await restart();
      clock.advance(60_000);
      const moved = (await connect()).queue("other");
      const found = [];
      for await (const message of moved.browse())
        found.push([message.text(), message.state, message.attempts, message.nackReason?.message]);
      expect(found).toEqual([
        ["parked", "ready", 0, "no"],
        ["delayed", "ready", 0, undefined],
        ["ready", "ready", 0, undefined],
      ]);
    },
    { clock, onDisk: true },
  );
});

test("a message that never died keeps its expiration where it is redriven to, and what was said about it", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const source = await posthorn.queue("source").declare();
    const target = await posthorn.queue("target").declare();
    await source.publish("late", { expiration: 60_000 });
    (await source.get())!.requeue({ reason: "not yet" });
    await expect.poll(async () => (await source.status()).ready).toBe(1);
    await source.redrive({ to: "target" });
    const [shown] = (await target.browsePage()).messages;
    expect(shown).toMatchObject({ attempts: 0, nackReason: { message: "not yet" } });
    expect(shown!.expiresAt).toBeInstanceOf(Date);
  }));
