import { expect, test } from "vitest";
import { ByteWriter, writeSettle } from "../../protocol/index.ts";
import type { Delivery, Engine, Pulled, Subscription } from "../../server/engine/engine.ts";
import { type SessionWorld, settled, startSessions, type TestSession } from "../support/sessions.ts";

const kiB = 1024;

/** Puts messages of 10 KiB into a new queue. */
async function fill(world: SessionWorld, queue: string, messages: number): Promise<TestSession> {
  const publisher = await world.open();
  publisher.send({ type: "queue.declare", id: 2, queue });
  await settled();
  for (let number = 1; number <= messages; number++) {
    publisher.send({
      type: "publish",
      number,
      exchange: "",
      routingKey: queue,
      text: `${number}`.padEnd(10 * kiB, "."),
    });
  }
  await settled();
  expect(publisher.socket.of("confirm").at(-1)?.last).toBe(messages);
  return publisher;
}

function numbers(client: TestSession): number[] {
  return client.socket.of("deliver").map(({ text }) => Number((text as string).replaceAll(".", "")));
}

const upTo = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

test("deliveries to a client that does not read pause at the high-water mark and go on when it reads", async () => {
  const world = await startSessions({ limits: { highWaterBytes: 64 * kiB, maxBytes: 1024 * kiB } });
  await fill(world, "q", 200);
  const client = await world.open();
  client.socket.stopReading();
  client.send({ type: "queue.consume", id: 2, queue: "q", prefetch: 0 });
  await settled();
  const paused = client.socket.of("deliver").length;
  expect(paused).toBeGreaterThan(5);
  // One turn of the dispatcher beyond the mark, at most.
  expect(client.socket.bufferedBytes).toBeLessThan((64 + 256 + 20) * kiB);
  expect(client.socket.isPaused).toBe(false);
  client.socket.startReading();
  await settled();
  await settled();
  expect(numbers(client)).toEqual(upTo(200));
});

test("a consumer that does not read does not hold up another of the same queue", async () => {
  const world = await startSessions({ limits: { highWaterBytes: 16 * kiB } });
  const publisher = await fill(world, "q", 1);
  const slow = await world.open();
  slow.socket.stopReading();
  slow.send({ type: "queue.consume", id: 2, queue: "q", prefetch: 0 });
  const brisk = await world.open();
  brisk.send({ type: "queue.consume", id: 2, queue: "q", prefetch: 0 });
  await settled();
  for (let number = 2; number <= 100; number++) {
    publisher.send({
      type: "publish",
      number,
      exchange: "",
      routingKey: "q",
      text: `${number}`.padEnd(10 * kiB, "."),
    });
    await settled();
  }
  expect(slow.socket.of("deliver").length).toBeLessThan(5);
  expect([...numbers(slow), ...numbers(brisk)].sort((a, b) => a - b)).toEqual(upTo(100));
});

test("of a client that asks and asks and does not read, no more is handled than may wait for it", async () => {
  const world = await startSessions({ limits: { maxBytes: 256 * kiB, maxPrefetch: 3000 } });
  await fill(world, "q", 3000);
  const client = await world.open();
  client.socket.stopReading();
  // All of it has been read from the socket already: stopping to read is not enough.
  for (let id = 2; id < 3002; id++) client.send({ type: "queue.get", id, queue: "q" });
  await settled();
  expect(client.socket.isPaused).toBe(true);
  expect(client.socket.bufferedBytes).toBeLessThan((256 + 20) * kiB);
  client.socket.startReading();
  for (let turn = 0; turn < 100 && client.socket.of("ok").length < 3000; turn++) await settled();
  expect(numbers(client)).toEqual(upTo(3000));
  expect(client.socket.of("ok").map(({ id }) => id)).toEqual(upTo(3001).slice(1));
  expect(client.socket.isPaused).toBe(false);
});

test("many errors asked for in one binary message are not all kept for a client that does not read", async () => {
  const world = await startSessions({ limits: { maxBytes: 256 * kiB } });
  const client = await world.open({ encoding: "binary" });
  client.socket.stopReading();
  const writer = new ByteWriter();
  for (let number = 1; number <= 20_000; number++) writeSettle(writer, 1, number, number, "ack");
  client.session.receive(writer.written());
  await settled();
  expect(client.socket.bufferedBytes).toBeLessThan((256 + 1) * kiB);
  client.socket.startReading();
  for (let turn = 0; turn < 100 && client.socket.of("error").length < 20_000; turn++) await settled();
  expect(client.socket.of("error").map(({ details }) => (details as { last: number }).last)).toEqual(
    upTo(20_000),
  );
});

test("requests under way are limited, and none is lost", async () => {
  const held: (() => void)[] = [];
  const world = await startSessions({
    engine: (engine) =>
      replacing(engine, { declareExchange: () => new Promise((resolve) => held.push(resolve)) }),
  });
  const client = await world.open();
  for (let id = 2; id < 1002; id++) {
    client.send({ type: "exchange.declare", id, exchange: `e${id}`, exchangeType: "fanout" });
  }
  await settled();
  expect(held.length).toBeLessThan(300);
  expect(client.socket.isPaused).toBe(true);
  for (let turn = 0; turn < 20; turn++) {
    for (const resolve of held.splice(0)) resolve();
    await settled();
  }
  expect(client.socket.of("ok")).toHaveLength(1000);
  expect(client.socket.isPaused).toBe(false);
});

test("a client for which too much waits too long is told slow-consumer, with heartbeats or without", async () => {
  for (const heartbeatMs of [0, 5000]) {
    const world = await startSessions({ limits: { maxBytes: 64 * kiB, slowConsumerTimeoutMs: 40_000 } });
    await fill(world, "q", 20);
    const client = await world.open({ heartbeatMs });
    client.socket.stopReading();
    for (let id = 2; id < 22; id++) client.send({ type: "queue.get", id, queue: "q" });
    await settled();
    world.pass(39_500);
    expect(client.socket.closed).toBeUndefined();
    world.pass(1000);
    expect(client.socket.closed?.code).toBe(4002);
    expect(client.socket.frames.at(-1)).toMatchObject({ type: "error", code: "slow-consumer" });
  }
});

test("a client that reads again in time is not held to have been silent while the broker did not read", async () => {
  const world = await startSessions({ limits: { maxBytes: 64 * kiB, heartbeatMs: 20_000 } });
  await fill(world, "q", 20);
  const client = await world.open({ heartbeatMs: 5000 });
  client.socket.stopReading();
  for (let id = 2; id < 22; id++) client.send({ type: "queue.get", id, queue: "q" });
  await settled();
  world.pass(30_000);
  client.socket.startReading();
  await settled();
  world.pass(9000);
  expect(client.socket.closed).toBeUndefined();
  expect(client.socket.of("deliver")).toHaveLength(20);
});

test("what a session was given after it ended goes back to where it came from", async () => {
  const pulls: ((pulled: Pulled) => void)[] = [];
  const subscriptions: ((subscription: Subscription) => void)[] = [];
  const returned: unknown[] = [];
  let cancelled = 0;
  const world = await startSessions({
    engine: (engine) =>
      replacing(engine, {
        get: () => new Promise((resolve) => pulls.push(resolve)),
        subscribe: () => new Promise((resolve) => subscriptions.push(resolve)),
        settle: (deliveries, outcome) =>
          void returned.push(...deliveries.map((delivery) => [delivery, outcome])),
      }),
  });
  const delivery: Delivery = {
    envelope: new Uint8Array(4),
    redelivered: false,
    attempts: 0,
    history: undefined,
  };
  const gone = await world.open();
  gone.send({ type: "queue.get", id: 2, queue: "q" });
  gone.session.disconnected();
  const left = await world.open();
  left.send({ type: "queue.consume", id: 2, queue: "q" });
  left.session.disconnected();
  await settled();
  pulls[0]!({ delivery, messages: 0 });
  subscriptions[0]!({
    queue: "q",
    prefetchBytes: 1,
    ackTimeout: Number.POSITIVE_INFINITY,
    messageGroups: undefined,
    retries: false,
    resume: () => expect.unreachable(),
    cancel: () => void cancelled++,
  });
  await settled();
  expect(returned).toEqual([[delivery, "return"]]);
  expect(cancelled).toBe(1);
  expect(world.errors).toEqual([]);
});

/** An engine of which some methods are others. */
function replacing(engine: Engine, methods: Partial<Engine>): Engine {
  return new Proxy(engine, {
    get(target, name) {
      const value: unknown = Reflect.get(methods, name) ?? Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
