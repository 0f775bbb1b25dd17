import { expect, test } from "vitest";
import { MemoryStore } from "../../server/embedded/store/memory-store.ts";
import {
  done,
  envelope,
  owner,
  publication,
  queueNamed,
  RecordingConsumer,
  RecordingPublisher,
  type SteppedEngine,
  steppedEngine,
  subscribing,
} from "../support/embedded.ts";

const kiB = 1024;
const me = owner();

interface OverloadedEngine extends SteppedEngine {
  /** Lets a second pass. */
  second(): Promise<void>;
  memory: { usedBytes: number };
}

/** An engine that wants 100 KiB left on its disk, and to use no more than 1 MiB. */
async function overloadable(): Promise<OverloadedEngine> {
  const due: (() => void)[] = [];
  const memory = { usedBytes: 0 };
  const stepped = await steppedEngine({
    store: new MemoryStore({ manualFlush: true }),
    queueMemoryBytes: 16 * kiB,
    delay: (_delayMs, callback) => due.push(callback),
    overload: {
      minFreeDiskBytes: 100 * kiB,
      maxMemoryBytes: 1024 * kiB,
      usedMemoryBytes: () => memory.usedBytes,
      collectGarbage: () => {},
    },
  });
  const second = async () => {
    for (const callback of due.splice(0)) callback();
    await stepped.rest();
  };
  return { ...stepped, second, memory };
}

test("on a full disk a persistent message to a durable queue is refused, and one that needs no disk is not", async () => {
  const world = await overloadable();
  const { engine, store, second, rest } = world;
  await done(world, engine.declareQueue(queueNamed("durable"), me));
  await done(world, engine.declareQueue(queueNamed("fleeting", { durable: false }), me));
  store.roomBytes = 50 * kiB;
  await second();
  const publisher = new RecordingPublisher();
  engine.publish(publication(1, "durable", "a"), publisher);
  engine.publish(publication(2, "durable", "b", { persistent: false }), publisher);
  engine.publish(publication(3, "fleeting", "c"), publisher);
  engine.publish(publication(4, "nowhere", "d"), publisher);
  await rest();
  expect(publisher.outcomes).toEqual(["refused 1 disk-full", "confirmed 2", "confirmed 3", "confirmed 4"]);
  expect((await engine.checkQueue("durable", me)).messages).toBe(1);
});

test("on a full disk a message for two queues is refused whole if one of them needs the disk", async () => {
  const world = await overloadable();
  const { engine, store, second, rest } = world;
  await done(world, engine.declareQueue(queueNamed("durable"), me));
  await done(world, engine.declareQueue(queueNamed("fleeting", { durable: false }), me));
  for (const queue of ["durable", "fleeting"]) {
    await done(world, engine.bindQueue({ queue, exchange: "amq.fanout", routingKey: "", arguments: {} }, me));
  }
  store.roomBytes = 0;
  await second();
  const publisher = new RecordingPublisher();
  engine.publish(publication(1, "", "a", { exchange: "amq.fanout" }), publisher);
  await rest();
  expect(publisher.outcomes).toEqual(["refused 1 disk-full"]);
  expect((await engine.checkQueue("fleeting", me)).messages).toBe(0);
});

test("on a full disk a queue that has no memory left takes nothing, persistent or not", async () => {
  const world = await overloadable();
  const { engine, store, second, rest } = world;
  await done(world, engine.declareQueue(queueNamed("q", { durable: false }), me));
  store.roomBytes = 0;
  await second();
  const publisher = new RecordingPublisher();
  for (let number = 1; number <= 10; number++) {
    const body = envelope("x".repeat(4 * kiB));
    engine.publish(publication(number, "q", "", { persistent: false, envelope: body }), publisher);
  }
  await rest();
  expect(publisher.outcomes.filter((outcome) => outcome.startsWith("confirmed")).length).toBe(4);
  expect(publisher.outcomes.at(-1)).toBe("refused 10 disk-full");
  expect(store.pendingCommits).toBe(0);
});

test("on a full disk everything but publishing goes on", async () => {
  const world = await overloadable();
  const { engine, store, second, rest } = world;
  await done(world, engine.declareQueue(queueNamed("q"), me));
  const publisher = new RecordingPublisher();
  for (let number = 1; number <= 4; number++)
    engine.publish(publication(number, "q", `${number}`), publisher);
  await rest();
  store.roomBytes = 0;
  await second();
  const consumer = new RecordingConsumer();
  const subscription = await engine.subscribe("q", subscribing({ prefetch: 2 }), me, consumer);
  subscription.resume();
  await rest();
  engine.settle(consumer.pick("1"), "ack");
  engine.settle(consumer.pick("2"), "requeue");
  await rest();
  expect(consumer.texts).toEqual(["1", "2", "2", "3"]);
  subscription.cancel();
  expect((await engine.get("q", { noAck: true }, me)).delivery).toBeDefined();
  await done(world, engine.declareQueue(queueNamed("new"), me));
  expect(await done(world, engine.deleteQueue("new", { ifUnused: false, ifEmpty: false }, me))).toBe(0);
  await done(world, engine.flushed());
  expect(world.failures).toEqual([]);
});

test("publishing stops and goes on by itself, and says so once each time", async () => {
  const world = await overloadable();
  const { engine, store, second, rest } = world;
  await done(world, engine.declareQueue(queueNamed("q"), me));
  const changes: (string | undefined)[] = [];
  engine.onBlockedChange((blocked) => changes.push(blocked?.code));
  for (const room of [99, 120, 90, 149, 150, 120, 101]) {
    store.roomBytes = room * kiB;
    await second();
  }
  expect(changes).toEqual(["disk-full", undefined]);
  expect(engine.blocked).toBeUndefined();
  const publisher = new RecordingPublisher();
  engine.publish(publication(1, "q", "a"), publisher);
  await rest();
  expect(publisher.outcomes).toEqual(["confirmed 1"]);
});

test("a burst within one second does not run past the mark", async () => {
  const world = await overloadable();
  const { engine, store, second } = world;
  await done(world, engine.declareQueue(queueNamed("q"), me));
  store.roomBytes = 300 * kiB;
  await second();
  const publisher = new RecordingPublisher();
  const body = envelope("x".repeat(kiB));
  for (let number = 1; number <= 1000; number++) {
    engine.publish(publication(number, "q", "", { envelope: body }), publisher);
  }
  await world.rest();
  const accepted = publisher.confirmedNumbers.length;
  expect(accepted).toBeGreaterThan(190);
  expect(accepted).toBeLessThan(210);
  expect(engine.blocked?.code).toBe("disk-full");
});

test("with too much memory in use everything that would be kept is refused, and the rest goes on", async () => {
  const world = await overloadable();
  const { engine, second, rest, memory } = world;
  await done(world, engine.declareQueue(queueNamed("q", { durable: false }), me));
  const publisher = new RecordingPublisher();
  engine.publish(publication(1, "q", "a", { persistent: false }), publisher);
  memory.usedBytes = 2048 * kiB;
  await second();
  engine.publish(publication(2, "q", "b", { persistent: false }), publisher);
  engine.publish(publication(3, "nowhere", "c"), publisher);
  await rest();
  expect(publisher.outcomes).toEqual(["confirmed 1", "refused 2 memory-high", "confirmed 3"]);
  expect((await engine.get("q", { noAck: true }, me)).messages).toBe(0);
  memory.usedBytes = 800 * kiB;
  await second();
  engine.publish(publication(4, "q", "d", { persistent: false }), publisher);
  expect(publisher.outcomes.at(-1)).toBe("confirmed 4");
});
