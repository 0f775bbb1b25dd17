import { expect, test } from "vitest";
import type { ReceivedMessage } from "../../client/index.ts";
import { connectToFake, reconnect } from "../support/fake-client.ts";
import { deliverFrame, type FakeConnection } from "../support/fake-server.ts";
import { settled } from "../support/manual-runtime.ts";

/** Answers a consumer whose messages have to be settled within three seconds. */
function answerConsumer(broker: FakeConnection) {
  const reply = { consumer: 1, consumerTag: "tag", prefetch: 100, ackTimeout: 3000 };
  return broker.answer("queue.consume", reply);
}

/** What the client has touched since this was asked last. */
function touches(broker: FakeConnection): [first: number, last: number][] {
  return broker.unread.flatMap((frame) =>
    frame.type === "consumer.touch" ? [[frame.first, frame.last]] : [],
  );
}

test("messages are touched three times in each time-out while their handlers run or they wait for one", async () => {
  const { posthorn, broker, clock } = await connectToFake();
  const finish: (() => void)[] = [];
  const handler = () => new Promise<void>((resolve) => finish.push(resolve));
  void posthorn.queue("q").consume(handler, { concurrency: 1 });
  await answerConsumer(broker);
  broker.binary(...[1, 2, 3].map((n) => deliverFrame(1, n, `${n}`)));
  await clock.advance(999);
  expect(touches(broker)).toEqual([]);
  await clock.advance(1);
  expect(touches(broker)).toEqual([[1, 3]]);
  await broker.answer("consumer.touch", { touched: 3 });
  finish[0]!();
  await settled();
  await broker.expect("settle");
  await clock.advance(1000);
  expect(touches(broker)).toEqual([[2, 3]]);
  expect(clock.timers).toBeLessThanOrEqual(2);
});

test("when everything is settled nothing is touched, and no timer is left", async () => {
  const { posthorn, broker, clock } = await connectToFake();
  void posthorn.queue("q").consume(() => {});
  await answerConsumer(broker);
  broker.binary(...[1, 2, 3].map((n) => deliverFrame(1, n, `${n}`)));
  await broker.expect("settle");
  await clock.advance(60_000);
  expect(touches(broker)).toEqual([]);
  expect(clock.timers).toBe(0);
});

test("a message that the program keeps for itself is not touched, nor covered by a range", async () => {
  const { posthorn, broker, clock } = await connectToFake();
  posthorn.on("error", () => {});
  const kept: ReceivedMessage[] = [];
  const handler = (message: ReceivedMessage) => {
    if (message.text() !== "2") return new Promise(() => {});
    kept.push(message);
    throw new Error("later");
  };
  void posthorn.queue("q").consume(handler, { onError: "leave" });
  await answerConsumer(broker);
  broker.binary(...[1, 2, 3].map((n) => deliverFrame(1, n, `${n}`)));
  await clock.advance(1000);
  expect(touches(broker)).toEqual([
    [1, 1],
    [3, 3],
  ]);
  await broker.answer("consumer.touch", { touched: 1 });
  await broker.answer("consumer.touch", { touched: 1 });
  const touched = kept[0]!.touch();
  expect(await broker.answer("consumer.touch", { touched: 1 })).toMatchObject({
    consumer: 1,
    first: 2,
    last: 2,
  });
  await touched;
});

test("a loop's message is touched while the body is at work on it, and those that wait for the loop", async () => {
  const { posthorn, broker, clock } = await connectToFake();
  const stream = posthorn.queue("q").consume();
  const first = stream.next();
  await answerConsumer(broker);
  broker.binary(...[1, 2, 3].map((n) => deliverFrame(1, n, `${n}`)));
  await first;
  await clock.advance(1000);
  expect(touches(broker)).toEqual([[1, 3]]);
  await broker.answer("consumer.touch", { touched: 3 });
  await stream.next();
  await clock.advance(1000);
  expect(touches(broker)).toEqual([[2, 3]]);
});

test("a handler that never comes to an end is not touched for ever", async () => {
  const { posthorn, broker, clock } = await connectToFake();
  void posthorn.queue("q").consume(() => new Promise(() => {}), { maxTouchMs: 2500 });
  await answerConsumer(broker);
  broker.binary(deliverFrame(1, 1, "1"));
  await clock.advance(60_000);
  expect(touches(broker)).toEqual([
    [1, 1],
    [1, 1],
  ]);
});

test("expired messages that wait for a handler never get to one; those at work are not acked", async () => {
  const { posthorn, broker, clock } = await connectToFake();
  const errors: unknown[] = [];
  posthorn.on("error", (error) => errors.push(error));
  const handled: string[] = [];
  let finish = () => {};
  const handler = async (message: ReceivedMessage) => {
    handled.push(message.text());
    if (message.text() === "1") await new Promise<void>((resolve) => (finish = resolve));
  };
  void posthorn.queue("q").consume(handler, { concurrency: 1, maxTouchMs: 0 });
  await answerConsumer(broker);
  broker.binary(...[1, 2, 3].map((n) => deliverFrame(1, n, `${n}`)));
  await settled();
  broker.control({ type: "delivery.expired", consumer: 1, first: 1, last: 2 });
  await settled();
  finish();
  expect(await broker.expect("settle")).toMatchObject({ first: 3, last: 3, outcome: "ack" });
  await clock.advance(0);
  expect(handled).toEqual(["1", "3"]);
  expect(errors).toMatchObject([{ code: "delivery-expired", details: { first: 1, last: 2 } }]);
  expect(broker.unread).toEqual([]);
});

test("after a lost connection nothing is touched of what was held before", async () => {
  const world = await connectToFake();
  const { posthorn, broker, clock } = world;
  void posthorn.queue("q").consume(() => new Promise(() => {}));
  await answerConsumer(broker);
  broker.binary(deliverFrame(1, 1, "1"));
  await settled();
  const next = await reconnect(world, broker);
  await answerConsumer(next);
  await clock.advance(60_000);
  expect(touches(next)).toEqual([]);
  next.binary(deliverFrame(1, 1, "1", { redelivered: true }));
  await clock.advance(1000);
  expect(touches(next)).toEqual([[1, 1]]);
});

test("touching what is settled throws unknown-delivery, what has expired delivery-expired", async () => {
  const { posthorn, broker } = await connectToFake();
  const stream = posthorn.queue("q").consume();
  const first = stream.next();
  await broker.consumer(1);
  broker.binary(deliverFrame(1, 1, "1"), deliverFrame(1, 2, "2"));
  const message = (await first).value!;
  message.ack();
  await expect(message.touch()).rejects.toMatchObject({ code: "unknown-delivery" });
  const late = (await stream.next()).value!.touch();
  late.catch(() => {});
  await broker.expect("settle");
  await broker.answer("consumer.touch", { touched: 0 });
  await expect(late).rejects.toMatchObject({ code: "delivery-expired" });
});
