import { expect, test } from "vitest";
import type { SessionLimits } from "../../server/session/session-limits.ts";
import { type SessionWorld, settled, startSessions, type TestSession } from "../support/sessions.ts";

const kiB = 1024;
const bodyBytes = 8 * kiB;

interface Feed {
  readonly world: SessionWorld;
  readonly client: TestSession;
  /** Publishes to the feed's topic exchange; bodies begin with `text` and have 8 KiB. */
  publish(...messages: readonly (readonly [key: string, text: string])[]): Promise<void>;
  /** Key and text of each delivery so far. */
  received(): string[];
}

/** A client with a queue of its own that gets everything from a topic exchange, without acks. */
async function liveFeed(
  consume: { readonly [field: string]: unknown },
  limits: Partial<SessionLimits> = {},
): Promise<Feed> {
  const world = await startSessions({ limits });
  const client = await world.open();
  client.send({ type: "queue.declare", id: 2, queue: "mine", exclusive: true });
  client.send({ type: "queue.bind", id: 3, exchange: "amq.topic", routingKey: "#" });
  client.send({ type: "queue.consume", id: 4, noAck: true, ...consume });
  const publisher = await world.open();
  await settled();
  let number = 0;
  return {
    world,
    client,
    async publish(...messages) {
      for (const [routingKey, text] of messages) {
        number++;
        const body = text.padEnd(bodyBytes, ".");
        publisher.send({ type: "publish", number, exchange: "amq.topic", routingKey, text: body });
      }
      await settled();
    },
    received: () =>
      client.socket
        .of("deliver")
        .map(({ routingKey, text }) => `${routingKey} ${(text as string).replaceAll(".", "")}`),
  };
}

const prices = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => ["price", `${from + i}`] as const);

test("a consumer that conflates gets everything while it reads", async () => {
  const feed = await liveFeed({ whenSlow: "conflate" });
  for (let round = 0; round < 10; round++) await feed.publish(...prices(5 * round + 1, 5 * round + 5));
  expect(feed.received()).toEqual(prices(1, 50).map(([key, text]) => `${key} ${text}`));
  expect(feed.client.socket.of("consumer.conflated")).toEqual([]);
});

test("a consumer that conflates and reads too slowly gets the newest of each key, and is told how many it missed", async () => {
  const feed = await liveFeed({ whenSlow: "conflate" });
  feed.client.socket.stopReading();
  await feed.publish(...prices(1, 20));
  const sent = feed.received().length;
  expect(sent).toBeLessThan(40);
  await feed.publish(["status", "up"], ...prices(21, 40), ["status", "down"], ["load", "7"]);
  await feed.publish(...prices(41, 60));
  expect(feed.received()).toHaveLength(sent);
  feed.client.socket.startReading();
  await settled();
  expect(feed.received().slice(sent)).toEqual(["status down", "load 7", "price 60"]);
  const notices = feed.client.socket.of("consumer.conflated");
  // Of 60 prices and two states all but those that were delivered.
  expect(notices).toEqual([{ type: "consumer.conflated", consumer: 1, dropped: 63 - sent - 3 }]);
  const types = feed.client.socket.frames.map(({ type }) => type);
  expect(types.lastIndexOf("consumer.conflated")).toBe(types.length - 4);
  await feed.publish(...prices(61, 62));
  expect(feed.received().slice(-2)).toEqual(["price 61", "price 62"]);
});

test("the same key of another exchange is another address", async () => {
  const feed = await liveFeed({ whenSlow: "conflate" });
  const { world, client } = feed;
  client.send({ type: "queue.bind", id: 9, queue: "mine", exchange: "amq.fanout" });
  const other = await world.open();
  client.socket.stopReading();
  await feed.publish(...prices(1, 20));
  other.send({ type: "publish", number: 1, exchange: "amq.fanout", routingKey: "price", text: "other" });
  await settled();
  client.socket.startReading();
  await settled();
  expect(feed.received().slice(-2)).toEqual(["price 20", "price other"]);
});

test("what is kept for a consumer that conflates is bounded in bytes: the oldest keys go first", async () => {
  const feed = await liveFeed({ whenSlow: "conflate" }, { highWaterBytes: 64 * kiB });
  feed.client.socket.stopReading();
  const keys = Array.from({ length: 200 }, (_, i) => [`key-${i}`, "x"] as const);
  for (let at = 0; at < keys.length; at += 10) await feed.publish(...keys.slice(at, at + 10));
  const sent = feed.received().length;
  feed.client.socket.startReading();
  await settled();
  const kept = feed.received().slice(sent);
  // Seven of 8 KiB and what they cost besides fit into 64 KiB.
  expect(kept).toEqual(keys.slice(-7).map(([key, text]) => `${key} ${text}`));
  expect(feed.client.socket.of("consumer.conflated")).toMatchObject([{ dropped: 200 - sent - 7 }]);
});

test("a message larger than what may be kept is kept all the same, alone", async () => {
  const feed = await liveFeed({ whenSlow: "conflate" }, { highWaterBytes: 4 * kiB });
  feed.client.socket.stopReading();
  await feed.publish(...prices(1, 3));
  await feed.publish(["a", "1"]);
  await feed.publish(["b", "2"]);
  const sent = feed.received().length;
  feed.client.socket.startReading();
  await settled();
  expect(feed.received().slice(sent)).toEqual(["b 2"]);
});

test("a consumer that conflates drains its queue however slowly its client reads", async () => {
  const feed = await liveFeed({ whenSlow: "conflate" });
  feed.client.socket.stopReading();
  for (let round = 0; round < 20; round++) await feed.publish(...prices(20 * round + 1, 20 * round + 20));
  feed.client.send({ type: "queue.declare", id: 9, queue: "mine", passive: true });
  await settled();
  expect(feed.client.socket.of("ok").at(-1)).toMatchObject({ id: 9, messageCount: 0 });
  expect(feed.client.socket.bufferedBytes).toBeLessThan((64 + 256 + 10) * kiB);
});

test("no delivery follows to a consumer that was cancelled while its messages were kept", async () => {
  const feed = await liveFeed({ whenSlow: "conflate" });
  feed.client.socket.stopReading();
  await feed.publish(...prices(1, 40));
  const sent = feed.received().length;
  feed.client.send({ type: "consumer.cancel", id: 9, consumer: 1 });
  await settled();
  feed.client.socket.startReading();
  await settled();
  expect(feed.received()).toHaveLength(sent);
  expect(feed.client.socket.frames.at(-1)).toEqual({ type: "ok", id: 9 });
});

test("messages of several consumers of one client are kept apart", async () => {
  const feed = await liveFeed({ whenSlow: "conflate" });
  const { client } = feed;
  client.send({ type: "queue.declare", id: 9, queue: "also-mine", exclusive: true });
  client.send({ type: "queue.bind", id: 10, exchange: "amq.topic", routingKey: "#" });
  client.send({ type: "queue.consume", id: 11, noAck: true, whenSlow: "conflate" });
  await settled();
  client.socket.stopReading();
  await feed.publish(...prices(1, 20));
  await feed.publish(...prices(21, 30));
  const sent = feed.received().length;
  client.socket.startReading();
  await settled();
  const last = client.socket.of("deliver").slice(sent);
  expect(last.map(({ consumer, text }) => [consumer, Number.parseInt(text as string, 10)])).toEqual([
    [1, 30],
    [2, 30],
  ]);
  const dropped = client.socket.of("consumer.conflated").map(({ dropped: count }) => count as number);
  expect(dropped).toHaveLength(2);
  expect(dropped[0]! + dropped[1]!).toBe(60 - sent - 2);
});

test("a consumer with acks cannot conflate", async () => {
  const world = await startSessions();
  const client = await world.open();
  client.send({ type: "queue.declare", id: 2, queue: "q" });
  client.send({ type: "queue.consume", id: 3, queue: "q", whenSlow: "conflate" });
  await settled();
  expect(client.socket.of("error")).toMatchObject([
    { id: 3, code: "invalid-argument", details: { field: "whenSlow" } },
  ]);
});

test("a consumer gets the policy that it asks for only if the broker allows it", async () => {
  const world = await startSessions({ limits: { slowConsumer: "close", slowConsumerAllowed: ["close"] } });
  const client = await world.open();
  client.send({ type: "queue.declare", id: 2, queue: "q" });
  client.send({ type: "queue.consume", id: 3, queue: "q", whenSlow: "pause" });
  client.send({ type: "queue.consume", id: 4, queue: "q", whenSlow: "close" });
  await settled();
  expect(client.socket.of("error")).toMatchObject([
    { id: 3, code: "invalid-argument", details: { field: "whenSlow", allowed: ["close"] } },
  ]);
  expect(client.socket.of("ok").find(({ id }) => id === 4)).toMatchObject({ consumer: 1 });
});

test("the broker's policy holds for consumers that name none; one with acks is paused instead of conflated", async () => {
  const feed = await liveFeed({}, { slowConsumer: "conflate" });
  feed.client.socket.stopReading();
  await feed.publish(...prices(1, 40));
  feed.client.socket.startReading();
  await settled();
  expect(feed.client.socket.of("consumer.conflated")).toHaveLength(1);
  expect(feed.received().at(-1)).toBe("price 40");
  const acking = await liveFeed({ noAck: false }, { slowConsumer: "conflate" });
  acking.client.socket.stopReading();
  await acking.publish(...prices(1, 40));
  acking.client.socket.startReading();
  await settled();
  expect(acking.received()).toEqual(prices(1, 40).map(([key, text]) => `${key} ${text}`));
});

test("a consumer that pauses may stay behind for as long as it likes", async () => {
  const feed = await liveFeed(
    { whenSlow: "pause" },
    { slowConsumerTimeoutMs: 10_000, heartbeatMs: 3_600_000 },
  );
  feed.client.socket.stopReading();
  await feed.publish(...prices(1, 20));
  feed.world.pass(3_600_000);
  expect(feed.client.socket.closed).toBeUndefined();
  feed.client.socket.startReading();
  await settled();
  expect(feed.received()).toHaveLength(20);
});

test("a client with a consumer that closes is closed with slow-consumer once it has been behind for too long", async () => {
  const feed = await liveFeed({ whenSlow: "close" }, { slowConsumerTimeoutMs: 10_000 });
  feed.client.socket.stopReading();
  await feed.publish(...prices(1, 40));
  feed.world.pass(9750);
  expect(feed.client.socket.closed).toBeUndefined();
  feed.world.pass(500);
  expect(feed.client.socket.closed?.code).toBe(4002);
  expect(feed.client.socket.frames.at(-1)).toMatchObject({
    type: "error",
    code: "slow-consumer",
    retryAfterMs: 500,
  });
});

test("a client with a consumer that closes is not closed if it has caught up in time", async () => {
  const feed = await liveFeed({ whenSlow: "close" }, { slowConsumerTimeoutMs: 10_000 });
  for (let round = 0; round < 5; round++) {
    feed.client.socket.stopReading();
    await feed.publish(...prices(1, 40));
    feed.world.pass(8000);
    feed.client.socket.startReading();
    await settled();
    feed.world.pass(250);
  }
  expect(feed.client.socket.closed).toBeUndefined();
  expect(feed.received()).toHaveLength(200);
});
