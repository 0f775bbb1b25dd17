import { describe, expect, test } from "vitest";
import type { Posthorn, Queue, QueueArguments, ReceivedMessage } from "../../client/index.ts";
import { withBroker } from "../support/broker.ts";

/** A queue `work` with a dead-letter target, and a queue `failed`. */
async function workAndFailed(
  posthorn: Posthorn,
  target: QueueArguments = { deadLetterQueue: "failed" },
): Promise<[work: Queue, failed: Queue]> {
  return [await posthorn.queue("work").declare(target), await posthorn.queue("failed").declare()];
}

async function rejectNext(queue: Queue, reason?: string): Promise<void> {
  const message = await queue.get();
  message!.reject(reason === undefined ? {} : { reason });
}

async function got(queue: Queue): Promise<ReceivedMessage> {
  const message = await queue.get();
  expect(message, `a message in ${queue.name}`).toBeDefined();
  return message!;
}

describe("a rejected message", () => {
  test("goes to the dead-letter queue as it was published, and says what happened to it", () =>
    withBroker(async ({ connect }) => {
      const posthorn = await connect();
      const [work, failed] = await workAndFailed(posthorn);
      await work.bind("amq.topic", "order.#");
      const before = Date.now();
      await posthorn
        .exchange("amq.topic")
        .publish("order.germany", { id: 1 }, { headers: { a: 1 }, messageId: "m1", priority: 3 });
      await rejectNext(work);
      const message = await got(failed);
      expect(message.json()).toEqual({ id: 1 });
      expect([message.exchange, message.routingKey]).toEqual(["amq.topic", "order.germany"]);
      expect([message.headers, message.messageId, message.properties.priority]).toEqual([{ a: 1 }, "m1", 3]);
      expect([message.redelivered, message.attempts]).toEqual([false, 0]);
      expect(message.deaths).toEqual([
        {
          queue: "work",
          reason: "rejected",
          count: 1,
          exchange: "amq.topic",
          routingKeys: ["order.germany"],
          time: expect.any(Number),
        },
      ]);
      expect(message.lastDeath!.time).toBeGreaterThanOrEqual(before);
      expect(message.firstDeath).toEqual({ queue: "work", reason: "rejected", exchange: "amq.topic" });
      expect((await work.check()).messageCount).toBe(0);
    }));

  test("keeps what the consumer said last, to be seen by who gets it next and by browsing", () =>
    withBroker(async ({ connect }) => {
      const [work, failed] = await workAndFailed(await connect());
      await work.publish("1");
      await work.publish("2");
      (await got(work)).requeue({ reason: "Try again." });
      (await got(work)).reject({ reason: { code: "no-address", message: "Customer 17 has none." } });
      (await got(work)).nack({ requeue: false, reason: new TypeError("x is undefined") });
      const { messages } = await failed.browsePage();
      expect(messages.map(({ nackReason }) => nackReason?.code)).toEqual(["no-address", "TypeError"]);
      const [first, second] = [await got(failed), await got(failed)];
      expect(first.nackReason).toEqual({ code: "no-address", message: "Customer 17 has none." });
      expect(first.lastDeath?.nackReason).toEqual({ code: "no-address", message: "Customer 17 has none." });
      expect(second.lastDeath?.nackReason).toEqual({ code: "TypeError", message: "x is undefined" });
    }));

  test("is dropped by a queue without a target", () =>
    withBroker(async ({ connect }) => {
      const queue = await (await connect()).queue("q").declare();
      await queue.publish("1");
      await rejectNext(queue);
      expect(await queue.get()).toBeUndefined();
    }));

  test("goes to an exchange with its own routing key, to every queue bound there", () =>
    withBroker(async ({ connect }) => {
      const posthorn = await connect();
      await posthorn.exchange("dlx").declare({ type: "direct" });
      const [work, failed] = await workAndFailed(posthorn, { deadLetterExchange: "dlx" });
      const audit = await posthorn.queue("audit").declare();
      for (const queue of [failed, audit]) await queue.bind("dlx", "work");
      const other = await posthorn.queue("other").declare();
      await other.bind("dlx", "elsewhere");
      await work.publish("1");
      await rejectNext(work);
      for (const queue of [failed, audit]) expect((await got(queue)).deaths).toHaveLength(1);
      expect(await other.get()).toBeUndefined();
    }));

  test("goes to an exchange with the key that the queue was given", () =>
    withBroker(async ({ connect }) => {
      const target = { deadLetterExchange: "", deadLetterRoutingKey: "failed" };
      const [work, failed] = await workAndFailed(await connect(), target);
      await work.publish("1");
      await rejectNext(work);
      expect((await got(failed)).routingKey).toBe("work");
    }));

  test("goes by the keys in CC as by its own, and by none in BCC", () =>
    withBroker(async ({ connect }) => {
      const posthorn = await connect();
      await posthorn.exchange("dlx").declare({ type: "direct" });
      const work = await posthorn.queue("work").declare({ deadLetterExchange: "dlx" });
      const queues: Queue[] = [];
      for (const key of ["work", "copy", "blind"]) {
        const queue = await posthorn.queue(`${key}-failed`).declare();
        queues.push(await queue.bind("dlx", key));
      }
      await work.publish("1", { headers: { CC: ["copy"], BCC: ["blind"] } });
      await rejectNext(work);
      const [own, copy, blind] = queues as [Queue, Queue, Queue];
      for (const queue of [own, copy])
        expect((await got(queue)).lastDeath?.routingKeys).toEqual(["work", "copy"]);
      expect(await blind.get()).toBeUndefined();
    }));

  test("may go to an internal exchange, and by headers", () =>
    withBroker(async ({ connect, raw }) => {
      const client = await raw();
      await client.must("exchange.declare", { exchange: "dlx", exchangeType: "headers", internal: true });
      const [work, failed] = await workAndFailed(await connect(), { deadLetterExchange: "dlx" });
      await failed.bind("dlx", "", { arguments: { kind: "invoice" } });
      await work.publish("1", { headers: { kind: "invoice" } });
      await work.publish("2", { headers: { kind: "order" } });
      await rejectNext(work);
      await rejectNext(work);
      expect((await got(failed)).text()).toBe("1");
      expect(await failed.get()).toBeUndefined();
    }));

  test("may go to the end of its own queue, where it says how often it was rejected", () =>
    withBroker(async ({ connect }) => {
      const queue = await (await connect()).queue("q").declare({ deadLetterQueue: "q" });
      await queue.publish("1");
      await queue.publish("2");
      for (let round = 0; round < 3; round++) {
        await rejectNext(queue);
        await rejectNext(queue);
      }
      const [first, second] = [await got(queue), await got(queue)];
      expect([first.text(), first.deaths[0]!.count]).toEqual(["1", 3]);
      expect([second.text(), second.deaths[0]!.count]).toEqual(["2", 3]);
      expect(first.deaths).toHaveLength(1);
    }));

  test("is dropped while the target is not there, which is counted, and goes to it from when it is", () =>
    withBroker(async ({ connect }) => {
      const posthorn = await connect();
      const work = await posthorn.queue("work").declare({ deadLetterQueue: "failed" });
      await work.publish("1");
      expect((await work.status()).missedTargets).toBe(0);
      await rejectNext(work);
      expect((await work.status()).missedTargets).toBe(1);
      const failed = await posthorn.queue("failed").declare();
      await work.publish("2");
      await rejectNext(work);
      expect((await got(failed)).text()).toBe("2");
      expect(await failed.get()).toBeUndefined();
      expect((await work.status()).missedTargets).toBe(1);
    }));
});

describe("the history of a message", () => {
  test("has one entry for each queue and reason, the latest first, and counts", () =>
    withBroker(async ({ connect }) => {
      const posthorn = await connect();
      const a = await posthorn.queue("a").declare({ deadLetterQueue: "b" });
      const b = await posthorn.queue("b").declare({ deadLetterQueue: "a" });
      await a.publish("1");
      for (let round = 0; round < 5; round++) {
        await rejectNext(a, `a${round}`);
        await rejectNext(b, `b${round}`);
      }
      await rejectNext(a, "last");
      const message = await got(b);
      expect(message.deaths.map(({ queue, count }) => [queue, count])).toEqual([
        ["a", 6],
        ["b", 5],
      ]);
      expect(message.lastDeath?.nackReason?.message).toBe("last");
      expect(message.firstDeath?.queue).toBe("a");
    }));

  test("has at most 20 entries, of which the oldest go, and still knows the very first", () =>
    withBroker(async ({ connect }) => {
      const posthorn = await connect();
      for (let i = 0; i < 25; i++) await posthorn.queue(`q${i}`).declare({ deadLetterQueue: `q${i + 1}` });
      await posthorn.queue("q25").declare();
      await posthorn.queue("q0").publish("1");
      for (let i = 0; i < 25; i++) await rejectNext(posthorn.queue(`q${i}`));
      const message = await got(posthorn.queue("q25"));
      expect(message.deaths.map(({ queue }) => queue)).toEqual(
        Array.from({ length: 20 }, (_, i) => `q${24 - i}`),
      );
      expect(message.firstDeath?.queue).toBe("q0");
    }));

  test("is not what a publisher writes into headers", () =>
    withBroker(async ({ connect }) => {
      const queue = await (await connect()).queue("q").declare();
      await queue.publish("1", { headers: { "x-death": [{ queue: "q", reason: "rejected", count: 7 }] } });
      const message = await got(queue);
      expect(message.deaths).toEqual([]);
      expect([message.firstDeath, message.lastDeath, message.nackReason]).toEqual([
        undefined,
        undefined,
        undefined,
      ]);
    }));

  test("travels in JSON, too", () =>
    withBroker(async ({ connect, raw }) => {
      const [work] = await workAndFailed(await connect());
      await work.publish("1");
      await rejectNext(work, "no");
      const client = await raw();
      await client.must("queue.get", { queue: "failed" });
      expect(await client.next({ type: "deliver" })).toMatchObject({
        deaths: [{ queue: "work", reason: "rejected", count: 1, nackReason: { message: "no" } }],
        firstDeath: { queue: "work", reason: "rejected", exchange: "" },
      });
    }));

  test("is there after a restart, with the message, and for consumers without acks as well", () =>
    withBroker(
      async ({ connect, restart }) => {
        const [work] = await workAndFailed(await connect());
        await work.publish("1");
        await rejectNext(work, "no");
        await work.check();
        await restart();
        const failed = (await connect()).queue("failed");
        const message = await failed.get({ noAck: true });
        expect(message?.text()).toBe("1");
        expect(message?.deaths[0]).toMatchObject({ queue: "work", count: 1, nackReason: { message: "no" } });
      },
      { onDisk: true },
    ));
});

test("a persistent message that dies in a queue that is not durable survives a restart in one that is", () =>
  withBroker(
    async ({ connect, restart }) => {
      const posthorn = await connect();
      const work = await posthorn.queue("work").declare({ durable: false, deadLetterQueue: "failed" });
      await posthorn.queue("failed").declare();
      await work.publish("persistent");
      await work.publish("not persistent", { persistent: false });
      await rejectNext(work);
      await rejectNext(work);
      await work.check();
      await restart();
      const failed = (await connect()).queue("failed");
      expect((await got(failed)).text()).toBe("persistent");
      expect(await failed.get()).toBeUndefined();
    },
    { onDisk: true },
  ));

test("purging or deleting a queue dead-letters nothing, nor does settling what it had", () =>
  withBroker(async ({ connect }) => {
    const [work, failed] = await workAndFailed(await connect());
    await work.publish("1");
    await work.publish("2");
    expect(await work.purge()).toBe(2);
    await work.publish("3");
    await work.publish("4");
    const held = await got(work);
    await work.delete();
    held.reject();
    expect((await failed.check()).messageCount).toBe(0);
  }));

test("a message that goes from a durable queue through one that is not to a durable one survives a restart there", () =>
  withBroker(
    async ({ connect, restart }) => {
      const posthorn = await connect();
      const work = await posthorn.queue("work").declare({ deadLetterQueue: "retry" });
      const retry = await posthorn.queue("retry").declare({ durable: false, deadLetterQueue: "failed" });
      await posthorn.queue("failed").declare();
      await work.publish("1");
      for (const queue of [work, retry]) {
        await rejectNext(queue);
        // Written before the next step.
        await posthorn.queue("other").declare();
        await posthorn.queue("other").delete();
      }
      await restart();
      const message = await got((await connect()).queue("failed"));
      expect([message.text(), message.deaths.length]).toEqual(["1", 2]);
    },
    { onDisk: true },
  ));

test("thousands of messages die into a queue that pages, in order, and come back the same way", () =>
  withBroker(
    async ({ connect }) => {
      const posthorn = await connect();
      const [work, failed] = await workAndFailed(posthorn);
      const count = 3000;
      const published = Array.from({ length: count }, (_, i) => work.publish(`${i}`));
      await Promise.all(published);
      const rejecting = await work.consume((message) => message.reject({ reason: message.text() }));
      const seen: string[] = [];
      await new Promise<void>((resolve) => {
        void failed.consume((message) => {
          seen.push(`${message.text()} ${message.deaths[0]?.nackReason?.message}`);
          if (seen.length === count) resolve();
        });
      });
      await rejecting.cancel();
      expect(seen).toEqual(Array.from({ length: count }, (_, i) => `${i} ${i}`));
    },
    { onDisk: true, config: { queueMemoryBytes: 16 * 1024 } },
  ));

test("what a consumer says when it requeues is told to whoever gets the message next, also after a restart", () =>
  withBroker(
    async ({ connect, restart }) => {
      const queue = await (await connect()).queue("q").declare();
      await queue.publish("1");
      (await got(queue)).requeue({ reason: { code: "busy", message: "Later." } });
      const again = await got(queue);
      expect([again.nackReason, again.attempts]).toEqual([{ code: "busy", message: "Later." }, 1]);
      expect(again.deaths).toEqual([]);
      again.requeue();
      await queue.check();
      await restart();
      const afterwards = await got((await connect()).queue("q"));
      expect([afterwards.nackReason?.code, afterwards.attempts]).toEqual(["busy", 2]);
    },
    { onDisk: true },
  ));

test.each([true, false])(
  "what is dead-lettered stays when its queue is deleted at once, on disk: %s",
  (onDisk) =>
    withBroker(
      async ({ connect, restart }) => {
        const [work, failed] = await workAndFailed(await connect());
        await work.publish("1");
        await failed.check();
        (await got(work)).reject();
        await work.delete();
        await restart();
        const after = (await connect()).queue("failed");
        expect((await got(after)).text()).toBe("1");
      },
      { onDisk },
    ),
);

test("a reason is cut to 64 characters of code and 512 of message", () =>
  withBroker(async ({ connect, raw }) => {
    const queue = await (await connect()).queue("q").declare();
    await queue.publish("1");
    const client = await raw();
    await client.must("queue.get", { queue: "q" });
    const reason = { code: "c".repeat(1000), message: "😀".repeat(1000) };
    client.send({ type: "settle", consumer: 0, first: 1, last: 1, outcome: "requeue", reason });
    await client.must("queue.declare", { queue: "q" });
    const { nackReason } = await got(queue);
    expect(nackReason).toEqual({ code: "c".repeat(64), message: "😀".repeat(256) });
  }));

test("what is no reason is refused, and the message can still be settled", () =>
  withBroker(async ({ connect }) => {
    const queue = await (await connect()).queue("q").declare();
    await queue.publish("1");
    const message = await got(queue);
    for (const wrong of [3, null, {}, { code: 1, message: "no" }, { code: "no" }])
      expect(() => message.reject({ reason: wrong as unknown as string })).toThrow(
        expect.objectContaining({ code: "invalid-argument" }),
      );
    message.requeue({ reason: new RangeError("too far") });
    expect((await got(queue)).nackReason).toEqual({ code: "RangeError", message: "too far" });
  }));

test("a message that was released does not count as attempted", () =>
  withBroker(async ({ connect }) => {
    const queue = await (await connect()).queue("q").declare();
    await queue.publish("1");
    (await got(queue)).release();
    const again = await got(queue);
    expect([again.redelivered, again.attempts]).toEqual([true, 0]);
  }));

test("a settlement that makes no sense is refused, and the delivery stays outstanding", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await client.must("queue.declare", { queue: "q" });
    await client.confirmed({ routingKey: "q" });
    await client.must("queue.get", { queue: "q" });
    const reason = { code: "", message: "no" };
    for (const [settlement, field] of [
      [{ outcome: "ack", reason }, "reason"],
      [{ outcome: "release", reason }, "reason"],
      [{ outcome: "ack", delay: 1 }, "delay"],
      [{ outcome: "reject", delay: 1 }, "delay"],
    ] as const) {
      client.send({ type: "settle", consumer: 0, first: 1, last: 1, ...settlement });
      expect(await client.next({ type: "error" })).toMatchObject({
        code: "invalid-argument",
        details: { field },
      });
    }
    client.send({ type: "settle", consumer: 0, first: 1, last: 1, outcome: "ack" });
    expect(await client.must("queue.delete", { queue: "q" })).toMatchObject({ messageCount: 0 });
  }));
