import { describe, expect, test } from "vitest";
import type { ReceivedMessage } from "../../client/index.ts";
import { connectToFake, reconnect } from "../support/fake-client.ts";
import { deliverFrame, type FakeConnection } from "../support/fake-server.ts";
import { settled } from "../support/manual-runtime.ts";

/** Starts a handler on queue `q` and answers its request as consumer 1. */
async function started<T>(broker: FakeConnection, consuming: Promise<T>, consumer = 1, prefetch = 100) {
  await broker.consumer(consumer, prefetch);
  return consuming;
}

function gate() {
  let open = () => {};
  const promise = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { promise, open };
}

describe("settling", () => {
  test("acks of one tick are told in ranges, whatever their order, and never cover a message that was not acked", async () => {
    const { posthorn, broker } = await connectToFake();
    const stream = posthorn.queue("q").consume();
    const first = stream.next();
    await broker.consumer(2);
    broker.binary(...[1, 2, 3, 4, 5, 6, 7].map((n) => deliverFrame(2, n, `${n}`)));
    const got = [(await first).value!];
    while (got.length < 7) got.push((await stream.next()).value!);
    for (const i of [3, 1, 0, 6, 2]) got[i]!.ack();
    got[4]!.reject();
    got[5]!.nack();
    const settles = [];
    for (let i = 0; i < 4; i++) settles.push(await broker.expect("settle"));
    expect(settles.map(({ first: from, last, outcome }) => [outcome, from, last])).toEqual([
      ["ack", 1, 4],
      ["ack", 7, 7],
      ["reject", 5, 5],
      ["requeue", 6, 6],
    ]);
    expect(broker.messages.at(-1)).toHaveLength(4);
  });

  test("a thousand acks in a row are one frame", async () => {
    const { posthorn, broker } = await connectToFake();
    await started(
      broker,
      posthorn.queue("q").consume(() => {}),
      1,
      1000,
    );
    broker.binary(...Array.from({ length: 1000 }, (_, i) => deliverFrame(1, i + 1, "x")));
    expect(await broker.expect("settle")).toEqual({
      type: "settle",
      consumer: 1,
      first: 1,
      last: 1000,
      outcome: "ack",
    });
  });

  test("settling twice throws unknown-delivery, and so does settling what needs no settlement", async () => {
    const { posthorn, broker } = await connectToFake();
    const stream = posthorn.queue("q").consume({ noAck: true });
    const first = stream.next();
    await broker.consumer(1);
    broker.deliver(1, 0, "x");
    const unnumbered = (await first).value!;
    expect(unnumbered.settled).toBe(true);
    const unknown = expect.objectContaining({ code: "unknown-delivery" });
    expect(() => unnumbered.ack()).toThrow(unknown);
    const getting = posthorn.queue("q").get();
    const { id } = await broker.expect("queue.get");
    broker.deliver(0, 1, "x");
    broker.control({ type: "ok", id, delivered: 1, messageCount: 0 });
    const message = await getting;
    message?.ack();
    expect(() => message?.ack()).toThrow(unknown);
    expect(() => message?.reject()).toThrow(unknown);
  });

  test("settling a message of a lost connection has no effect, and the message knows", async () => {
    const world = await connectToFake();
    const { posthorn, broker } = world;
    const stream = posthorn.queue("q").consume();
    const first = stream.next();
    await broker.consumer(1);
    broker.deliver(1, 1, "x");
    const message = (await first).value!;
    expect(message.stale).toBe(false);
    const again = await reconnect(world, broker);
    expect(message.stale).toBe(true);
    message.ack();
    await again.consumer(1);
    await settled();
    expect(again.unread).toEqual([]);
  });
});

describe("a message", () => {
  test("shows what was published, and what the broker says about the delivery", async () => {
    const { posthorn, broker } = await connectToFake();
    const stream = posthorn.queue("q").consume();
    const first = stream.next();
    await broker.consumer(1);
    const body = new TextEncoder().encode('{"id":1}');
    const properties = {
      persistent: true,
      contentType: "application/json",
      messageId: "m",
      correlationId: "c",
      replyTo: "r",
      type: "placed",
      timestamp: 5,
      headers: { n: 1 },
    };
    broker.deliver(1, 1, "", {
      redelivered: true,
      attempts: 3,
      message: { exchange: "orders", routingKey: "order.x", properties, body },
    });
    const message = (await first).value!;
    expect(message).toMatchObject({
      exchange: "orders",
      routingKey: "order.x",
      redelivered: true,
      attempts: 3,
      messageId: "m",
      correlationId: "c",
      replyTo: "r",
      type: "placed",
      headers: { n: 1 },
      properties,
    });
    expect(message.timestamp).toEqual(new Date(5));
    expect(message.text()).toBe('{"id":1}');
    expect(message.json<{ id: number }>().id).toBe(1);
    expect(message.value).toEqual({ id: 1 });
    expect(message.bytes).toEqual(body);
  });

  test("its value follows the content type, and a body that is not what it says is invalid-body", async () => {
    const { posthorn, broker } = await connectToFake();
    const stream = posthorn.queue("q").consume({ noAck: true });
    const first = stream.next();
    await broker.consumer(1);
    const typed = (contentType: string | undefined, body: number[]) =>
      deliverFrame(1, 0, "", {
        message: {
          exchange: "",
          routingKey: "q",
          properties: { persistent: true, ...(contentType !== undefined && { contentType }) },
          body: new Uint8Array(body),
        },
      });
    broker.binary(
      typed("text/plain; charset=utf-8", [104, 105]),
      typed(undefined, [1, 2]),
      typed("application/vnd.order+json", [34, 34]),
      typed("application/json", [123]),
      typed("text/plain", [255]),
    );
    const values = [(await first).value!];
    while (values.length < 5) values.push((await stream.next()).value!);
    expect(values.slice(0, 3).map((message) => message.value)).toEqual(["hi", new Uint8Array([1, 2]), ""]);
    const invalid = expect.objectContaining({ code: "invalid-body" });
    expect(() => values[3]!.value).toThrow(invalid);
    expect(() => values[4]!.value).toThrow(invalid);
  });
});

describe("a loop over a queue", () => {
  test("the consumer starts with the loop and gets the options", async () => {
    const { posthorn, broker } = await connectToFake();
    const stream = posthorn.queue("q").consume({ prefetch: 5, exclusive: true, consumerTag: "me" });
    await settled();
    expect(broker.unread).toEqual([]);
    void stream.next();
    expect(await broker.expect("queue.consume")).toMatchObject({
      queue: "q",
      prefetch: 5,
      exclusive: true,
      consumerTag: "me",
    });
  });

  test("deliveries that come in the same breath as the ok are not lost", async () => {
    const { posthorn, broker } = await connectToFake();
    const first = posthorn.queue("q").consume().next();
    const { id } = await broker.expect("queue.consume");
    const { socket } = broker;
    socket!.onmessage!({
      data: JSON.stringify({ type: "ok", id, consumer: 1, consumerTag: "t", prefetch: 10 }),
    });
    broker.deliver(1, 1, "x");
    expect((await first).value?.text()).toBe("x");
  });

  test("leaving the loop cancels the consumer, then releases what was not handed out; what was can still be acked", async () => {
    const { posthorn, broker } = await connectToFake();
    const seen: ReceivedMessage[] = [];
    const loop = (async () => {
      for await (const message of posthorn.queue("q").consume()) {
        seen.push(message);
        if (seen.length === 2) break;
      }
    })();
    await broker.consumer(1);
    broker.binary(...[1, 2, 3, 4].map((n) => deliverFrame(1, n, `${n}`)));
    const { id } = await broker.expect("consumer.cancel");
    expect(await broker.expect("settle")).toMatchObject({ first: 3, last: 4, outcome: "release" });
    broker.deliver(1, 5, "late");
    expect(await broker.expect("settle")).toMatchObject({ first: 5, last: 5, outcome: "release" });
    broker.control({ type: "ok", id });
    await loop;
    for (const message of seen) message.ack();
    expect(await broker.expect("settle")).toMatchObject({ first: 1, last: 2, outcome: "ack" });
  });

  test("the loop goes on after a reconnect; what was buffered from before is dropped, as it comes again", async () => {
    const world = await connectToFake();
    const { posthorn, broker } = world;
    const stream = posthorn.queue("q").consume();
    const first = stream.next();
    await broker.consumer(1);
    broker.binary(...[1, 2, 3].map((n) => deliverFrame(1, n, `old ${n}`)));
    expect((await first).value?.text()).toBe("old 1");
    const again = await reconnect(world, broker);
    const second = stream.next();
    await again.consumer(9);
    again.binary(deliverFrame(9, 1, "new 1", { redelivered: true }));
    expect((await second).value?.text()).toBe("new 1");
  });

  test("with noAck, what was buffered before a reconnect is handed out, as it does not come again", async () => {
    const world = await connectToFake();
    const { posthorn, broker } = world;
    const stream = posthorn.queue("q").consume({ noAck: true });
    const first = stream.next();
    await broker.consumer(1);
    broker.binary(...[1, 2].map((n) => deliverFrame(1, 0, `${n}`)));
    await first;
    const again = await reconnect(world, broker);
    await again.consumer(1);
    expect((await stream.next()).value?.text()).toBe("2");
  });

  test("with noAck, a loop that is too slow ends with buffer-full after what was kept", async () => {
    const { posthorn, broker } = await connectToFake();
    const stream = posthorn.queue("q").consume({ noAck: true, maxBuffered: 2 });
    const first = stream.next();
    await broker.consumer(1);
    broker.binary(...[1, 2, 3, 4].map((n) => deliverFrame(1, 0, `${n}`)));
    expect((await first).value?.text()).toBe("1");
    await broker.answer("consumer.cancel");
    await settled();
    expect((await stream.next()).value?.text()).toBe("2");
    expect((await stream.next()).value?.text()).toBe("3");
    await expect(stream.next()).rejects.toMatchObject({ code: "buffer-full" });
    expect((await stream.next()).done).toBe(true);
  });

  test("with whenSlow conflate, a loop that is too slow gets the newest of each key, and counts what it missed", async () => {
    const { posthorn, broker } = await connectToFake();
    const stream = posthorn.queue("q").consume({ noAck: true, maxBuffered: 1, whenSlow: "conflate" });
    const first = stream.next();
    expect(await broker.consumer(1)).toMatchObject({ noAck: true, whenSlow: "conflate" });
    broker.binary(...[1, 2, 3, 4].map((n) => deliverFrame(1, 0, `${n}`)));
    expect((await first).value?.text()).toBe("1");
    expect(stream.dropped).toBe(1);
    broker.control({ type: "consumer.conflated", consumer: 1, dropped: 10 });
    await settled();
    expect(stream.dropped).toBe(11);
    expect((await stream.next()).value?.text()).toBe("2");
    expect((await stream.next()).value?.text()).toBe("4");
  });

  test("when the broker ends the consumer, the loop throws its code", async () => {
    const { posthorn, broker } = await connectToFake();
    const stream = posthorn.queue("q").consume();
    const first = stream.next();
    await broker.consumer(1);
    broker.control({
      type: "consumer.cancelled",
      consumer: 1,
      consumerTag: "tag-1",
      code: "queue-deleted",
      message: "The queue was deleted.",
    });
    await expect(first).rejects.toMatchObject({ code: "queue-deleted" });
    expect((await stream.next()).done).toBe(true);
  });

  test("a refused consumer makes the loop throw", async () => {
    const { posthorn, broker } = await connectToFake();
    const first = posthorn.queue("missing").consume().next();
    const { id } = await broker.expect("queue.consume");
    broker.control({ type: "error", id, code: "not-found", message: "No such queue." });
    await expect(first).rejects.toMatchObject({ code: "not-found" });
  });

  test("a signal ends the loop with aborted and releases what was buffered", async () => {
    const { posthorn, broker } = await connectToFake();
    const abort = new AbortController();
    const stream = posthorn.queue("q").consume({ signal: abort.signal });
    const first = stream.next();
    await broker.consumer(1);
    broker.binary(...[1, 2].map((n) => deliverFrame(1, n, `${n}`)));
    await first;
    abort.abort();
    await broker.answer("consumer.cancel");
    expect(await broker.expect("settle")).toMatchObject({ first: 2, last: 2, outcome: "release" });
    await expect(stream.next()).rejects.toMatchObject({ code: "aborted" });
    const late = posthorn.queue("q").consume({ signal: abort.signal });
    await expect(late.next()).rejects.toMatchObject({ code: "aborted" });
  });

  test("a consumer whose start was aborted is cancelled when the broker starts it all the same", async () => {
    const { posthorn, broker } = await connectToFake();
    const abort = new AbortController();
    const first = posthorn.queue("q").consume({ signal: abort.signal }).next();
    const { id } = await broker.expect("queue.consume");
    abort.abort();
    await expect(first).rejects.toMatchObject({ code: "aborted" });
    broker.control({ type: "ok", id, consumer: 7, consumerTag: "t", prefetch: 10 });
    broker.deliver(7, 1, "x");
    expect(await broker.expect("consumer.cancel")).toMatchObject({ consumer: 7 });
    expect(await broker.expect("settle")).toMatchObject({ consumer: 7, first: 1, outcome: "release" });
  });

  test("an exclusive consumer that the lost session still holds is asked for until it is free", async () => {
    const world = await connectToFake();
    const { posthorn, broker, clock } = world;
    const stream = posthorn.queue("q").consume({ exclusive: true });
    const first = stream.next();
    await broker.consumer(1);
    const again = await reconnect(world, broker);
    for (let i = 0; i < 3; i++) {
      const { id } = await again.expect("queue.consume");
      again.control({ type: "error", id, code: "in-use", message: "Another consumer." });
      await clock.advance(500);
    }
    await again.consumer(1);
    again.deliver(1, 1, "x");
    expect((await first).value?.text()).toBe("x");
  });
});

describe("a handler", () => {
  test("its message is acked when it is through, not before", async () => {
    const { posthorn, broker } = await connectToFake();
    const work = gate();
    await started(
      broker,
      posthorn.queue("q").consume(() => work.promise),
    );
    broker.deliver(1, 1, "x");
    await settled();
    expect(broker.unread).toEqual([]);
    work.open();
    expect(await broker.expect("settle")).toMatchObject({ first: 1, last: 1, outcome: "ack" });
  });

  test("what the handler settled itself is left alone", async () => {
    const { posthorn, broker } = await connectToFake();
    await started(
      broker,
      posthorn.queue("q").consume((message) => message.reject()),
    );
    broker.deliver(1, 1, "x");
    expect(await broker.expect("settle")).toMatchObject({ outcome: "reject" });
    await settled();
    expect(broker.unread).toEqual([]);
  });

  test("handlers run up to the concurrency at once, started in order", async () => {
    const { posthorn, broker } = await connectToFake();
    const gates = new Map<string, () => void>();
    const startedHandlers: string[] = [];
    await started(
      broker,
      posthorn.queue("q").consume(
        (message) => {
          const work = gate();
          startedHandlers.push(message.text());
          gates.set(message.text(), work.open);
          return work.promise;
        },
        { concurrency: 2 },
      ),
    );
    broker.binary(...[1, 2, 3, 4].map((n) => deliverFrame(1, n, `${n}`)));
    await settled();
    expect(startedHandlers).toEqual(["1", "2"]);
    gates.get("2")?.();
    await settled();
    expect(startedHandlers).toEqual(["1", "2", "3"]);
    gates.get("1")?.();
    await settled();
    expect(startedHandlers).toEqual(["1", "2", "3", "4"]);
  });

  test("a long buffer worked off by a handler that does not wait needs no deep stack", async () => {
    const { posthorn, broker } = await connectToFake();
    const work = gate();
    let count = 0;
    await started(
      broker,
      posthorn.queue("q").consume(() => (count++ === 0 ? work.promise : undefined), { concurrency: 1 }),
      1,
      20_000,
    );
    broker.binary(...Array.from({ length: 20_000 }, (_, i) => deliverFrame(1, i + 1, "x")));
    await settled();
    expect(count).toBe(1);
    work.open();
    expect(await broker.expect("settle")).toMatchObject({ first: 1, last: 20_000 });
  });

  test("a failed message is requeued after a pause that grows while everything fails, and is told as an error event", async () => {
    const { posthorn, broker, clock } = await connectToFake();
    const errors: unknown[] = [];
    posthorn.on("error", (error, message) => errors.push([(error as Error).message, message?.text()]));
    let fails = true;
    await started(
      broker,
      posthorn.queue("q").consume((message) => {
        if (fails) throw new Error(`no ${message.text()}`);
      }),
    );
    for (const [delivery, pauseMs] of [
      [1, 100],
      [2, 200],
      [3, 400],
    ] as const) {
      broker.deliver(1, delivery, "poison");
      await clock.advance(pauseMs - 1);
      expect(broker.unread).toEqual([]);
      await clock.advance(1);
      expect(await broker.expect("settle")).toMatchObject({ first: delivery, outcome: "requeue" });
    }
    for (let delivery = 4; delivery < 12; delivery++) {
      broker.deliver(1, delivery, "poison");
      await clock.advance(5000);
      expect(await broker.expect("settle")).toMatchObject({ first: delivery, outcome: "requeue" });
    }
    expect(errors).toHaveLength(11);
    expect(errors[0]).toEqual(["no poison", "poison"]);
    fails = false;
    broker.deliver(1, 12, "good");
    expect(await broker.expect("settle")).toMatchObject({ first: 12, outcome: "ack" });
    fails = true;
    broker.deliver(1, 13, "poison");
    await clock.advance(100);
    expect(await broker.expect("settle")).toMatchObject({ first: 13, outcome: "requeue" });
  });

  test("onError decides otherwise: reject, ack, leave, by the error", async () => {
    const { posthorn, broker } = await connectToFake();
    posthorn.on("error", () => {});
    await started(
      broker,
      posthorn.queue("q").consume(
        async (message) => {
          throw message.text();
        },
        { onError: (error) => error as "ack" | "reject" | "leave" },
      ),
    );
    broker.binary(deliverFrame(1, 1, "reject"), deliverFrame(1, 2, "leave"), deliverFrame(1, 3, "ack"));
    expect(await broker.expect("settle")).toMatchObject({ first: 1, last: 1, outcome: "reject" });
    expect(await broker.expect("settle")).toMatchObject({ first: 3, last: 3, outcome: "ack" });
    await settled();
    expect(broker.unread).toEqual([]);
  });

  test("what onError should not say is told, and drops no message", async () => {
    const world = await connectToFake();
    const { posthorn, broker, clock } = world;
    const errors: unknown[] = [];
    posthorn.on("error", (error) => errors.push(error));
    await started(
      broker,
      posthorn.queue("q").consume(
        () => {
          throw new Error("no");
        },
        { onError: () => undefined as unknown as "reject" },
      ),
    );
    broker.deliver(1, 1, "a");
    await clock.advance(100);
    expect(await broker.expect("settle")).toMatchObject({ first: 1, outcome: "requeue" });
    expect(errors[1]).toMatchObject({ code: "invalid-argument", details: { option: "onError" } });
  });

  test.each<[object, string]>([
    [{ concurrency: 0 }, "concurrency"],
    [{ concurrency: "4" }, "concurrency"],
    [{ onError: "drop" }, "onError"],
    [{ onError: { delay: -1 } }, "onError"],
    [{ onError: null }, "onError"],
    [{ maxTouchMs: -1 }, "maxTouchMs"],
    [{ maxBuffered: 0 }, "maxBuffered"],
  ])("says which option is wrong, before anything is asked of the broker: %o", async (options, option) => {
    const { posthorn, broker } = await connectToFake();
    await expect(posthorn.queue("q").consume(() => {}, options)).rejects.toMatchObject({
      code: "invalid-argument",
      details: { option },
    });
    expect(broker.unread).toEqual([]);
  });

  test("a handler at work when the connection breaks goes on; its result counts no more", async () => {
    const world = await connectToFake();
    const { posthorn, broker } = world;
    const work = gate();
    const texts: string[] = [];
    await started(
      broker,
      posthorn.queue("q").consume(
        async (message) => {
          await work.promise;
          texts.push(message.text());
        },
        { concurrency: 1 },
      ),
    );
    broker.binary(deliverFrame(1, 1, "a"), deliverFrame(1, 2, "b"));
    await settled();
    const again = await reconnect(world, broker);
    await again.consumer(1);
    work.open();
    await settled();
    expect(texts).toEqual(["a"]);
    expect(again.unread).toEqual([]);
    again.binary(deliverFrame(1, 1, "a"));
    expect(await again.expect("settle")).toMatchObject({ first: 1, last: 1, outcome: "ack" });
  });

  test("a consumer is active from its start until it is outranked, the connection is lost, or it is cancelled", async () => {
    const world = await connectToFake();
    const { posthorn, broker } = world;
    const changes: boolean[] = [];
    const options = { onActiveChange: (active: boolean) => changes.push(active) };
    const consumer = await started(
      broker,
      posthorn.queue("q").consume(() => {}, options),
    );
    expect([consumer.active, ...changes]).toEqual([true, true]);
    broker.control({ type: "consumer.active", consumer: 1, active: false });
    broker.control({ type: "consumer.active", consumer: 1, active: true });
    await settled();
    expect(changes.splice(0)).toEqual([true, false, true]);
    const next = await reconnect(world, broker);
    expect(changes.splice(0)).toEqual([false]);
    await next.answer("queue.consume", { consumer: 4, consumerTag: "tag", prefetch: 100, active: false });
    await settled();
    expect(consumer.active).toBe(false);
    next.control({ type: "consumer.active", consumer: 4, active: true });
    await settled();
    const cancelled = consumer.cancel();
    expect(consumer.active).toBe(false);
    next.control({ type: "consumer.active", consumer: 4, active: true });
    await next.answer("consumer.cancel");
    await cancelled;
    expect(changes).toEqual([true, false]);
  });

  test("cancel waits for handlers at work and releases what was not started", async () => {
    const { posthorn, broker } = await connectToFake();
    const work = gate();
    const consumer = await started(
      broker,
      posthorn.queue("q").consume(() => work.promise, { concurrency: 1 }),
    );
    broker.binary(...[1, 2, 3].map((n) => deliverFrame(1, n, `${n}`)));
    await settled();
    let cancelled = false;
    const cancelling = consumer.cancel().then(() => {
      cancelled = true;
    });
    await broker.answer("consumer.cancel");
    expect(await broker.expect("settle")).toMatchObject({ first: 2, last: 3, outcome: "release" });
    await settled();
    expect(cancelled).toBe(false);
    work.open();
    await cancelling;
    await consumer.closed;
    expect(await broker.expect("settle")).toMatchObject({ first: 1, last: 1, outcome: "ack" });
  });

  test("cancelling ends the pause of failed messages", async () => {
    const { posthorn, broker } = await connectToFake();
    posthorn.on("error", () => {});
    const consumer = await started(
      broker,
      posthorn.queue("q").consume(() => Promise.reject(new Error("no"))),
    );
    broker.deliver(1, 1, "x");
    await settled();
    const cancelling = consumer.cancel();
    await broker.answer("consumer.cancel");
    await cancelling;
    expect(await broker.expect("settle")).toMatchObject({ first: 1, outcome: "requeue" });
  });

  test("a signal cancels the consumer quietly", async () => {
    const { posthorn, broker } = await connectToFake();
    const abort = new AbortController();
    const consumer = await started(
      broker,
      posthorn.queue("q").consume(() => {}, { signal: abort.signal }),
    );
    abort.abort();
    await broker.answer("consumer.cancel");
    await consumer.closed;
    const late = posthorn.queue("q").consume(() => {}, { signal: abort.signal });
    await expect(late).rejects.toMatchObject({ code: "aborted" });
  });

  test("a refused consumer rejects consume, and is no error event besides", async () => {
    const { posthorn, broker } = await connectToFake();
    const errors: unknown[] = [];
    posthorn.on("error", (error) => errors.push(error));
    const consuming = posthorn.queue("q").consume(() => {});
    const { id } = await broker.expect("queue.consume");
    broker.control({ type: "error", id, code: "in-use", message: "Exclusive." });
    await expect(consuming).rejects.toMatchObject({ code: "in-use" });
    expect(errors).toEqual([]);
  });

  test("when the broker ends the consumer, closed rejects and an error event tells it", async () => {
    const { posthorn, broker } = await connectToFake();
    const errors: unknown[] = [];
    posthorn.on("error", (error) => errors.push(error));
    const consumer = await started(
      broker,
      posthorn.queue("q").consume(() => {}),
    );
    broker.control({
      type: "consumer.cancelled",
      consumer: 1,
      consumerTag: "tag-1",
      code: "queue-deleted",
      message: "Deleted.",
    });
    await expect(consumer.closed).rejects.toMatchObject({ code: "queue-deleted" });
    expect(errors).toMatchObject([{ code: "queue-deleted" }]);
  });

  test("when the connection is given up, closed rejects and a loop throws", async () => {
    const { posthorn, broker } = await connectToFake({ reconnect: false });
    posthorn.on("error", () => {});
    const consumer = await started(
      broker,
      posthorn.queue("q").consume(() => {}),
    );
    const first = posthorn.queue("q").consume().next();
    await broker.consumer(2);
    await settled();
    broker.drop();
    await expect(consumer.closed).rejects.toMatchObject({ code: "connection-closed" });
    await expect(first).rejects.toMatchObject({ code: "connection-closed" });
  });
});

describe("closing with consumers", () => {
  test("close stops consumers, lets handlers finish and publish, and ends loops", async () => {
    const { posthorn, broker } = await connectToFake();
    const work = gate();
    await started(
      broker,
      posthorn.queue("q").consume(async () => {
        await work.promise;
        await posthorn.defaultExchange.publish("done", "x");
      }),
    );
    broker.deliver(1, 1, "x");
    await settled();
    const closing = posthorn.close();
    await broker.answer("consumer.cancel");
    await settled();
    work.open();
    await broker.expect("publish");
    broker.confirm(1);
    expect(await broker.expect("settle")).toMatchObject({ first: 1, outcome: "ack" });
    await broker.answer("bye");
    await closing;
  });

  test("close lets the body of a loop come to its end and ack, then the loop ends", async () => {
    const { posthorn, broker } = await connectToFake();
    const work = gate();
    const loop = (async () => {
      for await (const message of posthorn.queue("q").consume()) {
        await work.promise;
        message.ack();
      }
    })();
    await broker.consumer(1);
    broker.deliver(1, 1, "x");
    await settled();
    const closing = posthorn.close();
    await broker.answer("consumer.cancel");
    await settled();
    expect(broker.unread).toEqual([]);
    work.open();
    expect(await broker.expect("settle")).toMatchObject({ first: 1, outcome: "ack" });
    await broker.answer("bye");
    await Promise.all([closing, loop]);
  });
});
