import { expect, test } from "vitest";
import type { Subscription } from "../../server/engine/engine.ts";
import {
  done,
  owner,
  publication,
  queueNamed,
  RecordingConsumer,
  RecordingPublisher,
  type SteppedEngine,
  steppedEngine,
  subscribing,
} from "../support/embedded.ts";

const me = owner();
const publisher = new RecordingPublisher();

async function engineWith(...queues: string[]): Promise<SteppedEngine> {
  const stepped = await steppedEngine({ queueMemoryBytes: 64 * 1024 * 1024 });
  for (const name of queues)
    await done(stepped, stepped.engine.declareQueue(queueNamed(name, { durable: false }), me));
  return stepped;
}

async function consume(
  { engine }: SteppedEngine,
  queue: string,
  options: Parameters<typeof subscribing>[0] = {},
): Promise<RecordingConsumer & { subscription: Subscription }> {
  const sink = new RecordingConsumer();
  const subscription = await engine.subscribe(
    queue,
    subscribing({ prefetch: 1_000_000, ...options }),
    me,
    sink,
  );
  subscription.resume();
  return Object.assign(sink, { subscription });
}

function publish({ engine }: SteppedEngine, queue: string, count: number, bytes = 1): void {
  for (let i = 0; i < count; i++) engine.publish(publication(1, queue, "x".repeat(bytes)), publisher);
}

test("in one turn a queue hands out at most 256 messages, each consumer's in one call", async () => {
  const stepped = await engineWith("q");
  publish(stepped, "q", 600);
  const first = await consume(stepped, "q");
  const second = await consume(stepped, "q");
  for (let turn = 0; turn < 3; turn++) stepped.turns.end();
  expect(first.batchSizes).toEqual([128, 128, 44]);
  expect(second.batchSizes).toEqual([128, 128, 44]);
  expect(stepped.turns.pending).toBe(0);
});

test("in one turn a queue hands out no more once it has handed out 256 KiB", async () => {
  const stepped = await engineWith("q");
  publish(stepped, "q", 7, 100 * 1024);
  const consumer = await consume(stepped, "q");
  for (let turn = 0; turn < 3; turn++) stepped.turns.end();
  expect(consumer.batchSizes).toEqual([3, 3, 1]);
});

test("a queue with a long backlog delays another one's message by no more than its own turn", async () => {
  const stepped = await engineWith("hot", "calm");
  publish(stepped, "hot", 5000);
  const hot = await consume(stepped, "hot");
  const calm = await consume(stepped, "calm");
  stepped.turns.end();
  for (let turn = 1; turn <= 5; turn++) {
    publish(stepped, "calm", 1);
    stepped.turns.end();
    expect(calm.texts).toHaveLength(turn);
    expect(hot.texts.length).toBeLessThanOrEqual((turn + 1) * 256);
  }
});

test("a consumer that refuses everything at once takes its queue's turn and no more", async () => {
  const stepped = await engineWith("hot", "calm");
  const hot = await consume(stepped, "hot", { prefetch: 10 });
  hot.onDelivery = (delivery) => stepped.engine.settle([delivery], "requeue");
  const calm = await consume(stepped, "calm");
  publish(stepped, "hot", 3);
  for (let turn = 1; turn <= 5; turn++) {
    publish(stepped, "calm", 1);
    stepped.turns.end();
    expect(calm.texts).toHaveLength(turn);
    expect(hot.batchSizes).toEqual(Array(turn).fill(3));
  }
});

test("nothing is deferred while nothing can be delivered", async () => {
  const stepped = await engineWith("q");
  const consumer = await consume(stepped, "q", { prefetch: 1 });
  publish(stepped, "q", 3);
  stepped.turns.endAll();
  consumer.room = false;
  stepped.engine.settle(consumer.deliveries, "ack");
  stepped.turns.endAll();
  expect(consumer.texts).toHaveLength(1);
  consumer.room = true;
  consumer.subscription.resume();
  stepped.turns.endAll();
  expect(consumer.texts).toHaveLength(2);
});

test("a consumer that leaves keeps the turn with whose it was", async () => {
  const stepped = await engineWith("q");
  const [a, b, c] = [await consume(stepped, "q"), await consume(stepped, "q"), await consume(stepped, "q")];
  publish(stepped, "q", 2);
  stepped.turns.endAll();
  a.subscription.cancel();
  publish(stepped, "q", 1);
  stepped.turns.endAll();
  expect([a, b, c].map(({ texts }) => texts.length)).toEqual([1, 1, 1]);
  publish(stepped, "q", 1);
  stepped.turns.endAll();
  expect([b, c].map(({ texts }) => texts.length)).toEqual([2, 1]);
});

test("in one round all queues together hand out some 4096 messages; the others come first in the next", async () => {
  const names = Array.from({ length: 40 }, (_, i) => `q${i}`);
  const stepped = await engineWith(...names);
  const consumers: RecordingConsumer[] = [];
  for (const name of names) {
    publish(stepped, name, 300);
    consumers.push(await consume(stepped, name));
  }
  const handedOut = () => consumers.map(({ batchSizes }) => batchSizes.reduce((sum, size) => sum + size, 0));
  stepped.turns.end();
  expect(handedOut()).toEqual([...Array(16).fill(256), ...Array(24).fill(0)]);
  stepped.turns.end();
  expect(handedOut()).toEqual([...Array(32).fill(256), ...Array(8).fill(0)]);
  for (let round = 0; round < 3; round++) stepped.turns.end();
  expect(handedOut()).toEqual(Array(40).fill(300));
  expect(stepped.turns.pending).toBe(0);
});
