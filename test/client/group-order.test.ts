import { expect, test } from "vitest";
import type { ConsumeOptions, Headers, ReceivedMessage } from "../../client/index.ts";
import { connectToFake, reconnect } from "../support/fake-client.ts";
import { deliverFrame, type FakeConnection, message } from "../support/fake-server.ts";
import { settled } from "../support/manual-runtime.ts";

/** Deliveries named `a1`, `b7`, …: of the group that the letter names, or `-`: of none. */
function deliver(broker: FakeConnection, from: number, ...names: string[]): void {
  const frames = names.map((name, index) => {
    const headers: Headers = name[0] === "-" ? {} : { group: name[0]! };
    return deliverFrame(1, from + index, name, {
      message: message(name, { properties: { persistent: true, headers } }),
    });
  });
  broker.binary(...frames);
}

function answerConsumer(broker: FakeConnection) {
  const messageGroups = { by: "header", name: "group" };
  const reply = { consumer: 1, consumerTag: "tag", prefetch: 100, ackTimeout: 60_000, messageGroups };
  return broker.answer("queue.consume", reply);
}

/** A consumer whose handlers end when the test says so. */
async function working(options: ConsumeOptions = {}) {
  const world = await connectToFake();
  world.posthorn.on("error", () => {});
  const begun: string[] = [];
  const ends = new Map<string, { resolve: () => void; reject: (error: Error) => void }>();
  const handler = (received: ReceivedMessage) => {
    begun.push(received.text());
    return new Promise<void>((resolve, reject) => ends.set(received.text(), { resolve, reject }));
  };
  const consuming = world.posthorn.queue("q").consume(handler, options);
  await answerConsumer(world.broker);
  return { ...world, world, consumer: await consuming, begun, ends };
}

function settlements(broker: FakeConnection): unknown[] {
  return broker.unread.flatMap((frame) =>
    frame.type === "settle" ? [[frame.outcome, frame.first, frame.last]] : [],
  );
}

test("of each group one handler is at work, the others wait behind it and do not count as running", async () => {
  const { broker, begun, ends } = await working({ concurrency: 3 });
  deliver(broker, 1, "a1", "a2", "b1", "-1", "c1");
  await settled();
  expect(begun).toEqual(["a1", "b1", "-1"]);
  ends.get("a1")!.resolve();
  await settled();
  expect(begun.slice(3)).toEqual(["a2"]);
  ends.get("b1")!.resolve();
  await settled();
  expect(begun.slice(4)).toEqual(["c1"]);
});

test("what waits behind a message that goes back is given back with it, without counting as an attempt", async () => {
  const { broker, begun, ends, clock } = await working();
  deliver(broker, 1, "a1", "a2", "b1", "a3");
  await settled();
  ends.get("a1")!.reject(new Error("no"));
  await clock.advance(100);
  expect(begun).toEqual(["a1", "b1"]);
  expect(settlements(broker)).toEqual([
    ["requeue", 1, 1],
    ["release", 2, 2],
    ["release", 4, 4],
  ]);
  deliver(broker, 5, "a1");
  await settled();
  expect(begun).toEqual(["a1", "b1", "a1"]);
});

test("also when the handler gave it back itself; one that it rejects makes way", async () => {
  const { posthorn, broker } = await connectToFake();
  const handler = (received: ReceivedMessage) => {
    if (received.text() === "a1") received.requeue();
    else if (received.text() === "b1") received.reject();
    return Promise.resolve();
  };
  void posthorn.queue("q").consume(handler);
  await answerConsumer(broker);
  deliver(broker, 1, "a1", "a2", "b1", "b2");
  await settled();
  expect(settlements(broker)).toEqual([
    ["requeue", 1, 1],
    ["reject", 3, 3],
    ["release", 2, 2],
    ["ack", 4, 4],
  ]);
});

test("behind a message that has expired nothing of its group is begun", async () => {
  const { broker, begun, ends } = await working();
  deliver(broker, 1, "a1", "a2", "a3");
  await settled();
  broker.control({ type: "delivery.expired", consumer: 1, first: 1, last: 1 });
  await settled();
  ends.get("a1")!.resolve();
  await settled();
  expect(begun).toEqual(["a1"]);
});

test("cancelling gives back what waits in groups", async () => {
  const { broker, consumer, begun, ends } = await working();
  deliver(broker, 1, "a1", "a2", "a3");
  await settled();
  const cancelled = consumer.cancel();
  await broker.answer("consumer.cancel");
  await settled();
  expect(settlements(broker)).toEqual([["release", 2, 3]]);
  ends.get("a1")!.resolve();
  await cancelled;
  expect(begun).toEqual(["a1"]);
});

test("after a reconnect, a group waits for the handler that is still at work from before", async () => {
  const { world, broker, begun, ends } = await working();
  deliver(broker, 1, "a1", "a2");
  await settled();
  const next = await reconnect(world, broker);
  await answerConsumer(next);
  deliver(next, 1, "a1", "b1");
  await settled();
  expect(begun).toEqual(["a1", "b1"]);
  ends.get("a1")!.resolve();
  await settled();
  expect(begun).toEqual(["a1", "b1", "a1"]);
});

test("many handlers of one group that do not wait need no deep stack", async () => {
  const { posthorn, broker } = await connectToFake();
  let handled = 0;
  let open = () => {};
  const first = new Promise<void>((resolve) => {
    open = resolve;
  });
  void posthorn.queue("q").consume((received) => {
    handled++;
    return received.text() === "a0" ? first : undefined;
  });
  await answerConsumer(broker);
  deliver(broker, 1, ...Array.from({ length: 20_000 }, (_, i) => `a${i}`));
  await settled();
  open();
  await settled();
  expect(handled).toBe(20_000);
});
