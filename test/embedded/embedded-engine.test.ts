import { expect, test } from "vitest";
import { MemoryStore } from "../../server/embedded/store/memory-store.ts";
import { type Changes, type Recovered, StoreError } from "../../server/embedded/store/store.ts";
import {
  done,
  exchangeNamed,
  microtasks,
  owner,
  publication,
  queueNamed,
  RecordingConsumer,
  RecordingPublisher,
  steppedEngine,
  subscribing,
  textOf,
} from "../support/embedded.ts";

const me = owner();

/** A store whose disk can break. */
class BreakableStore extends MemoryStore {
  isUnreadable = false;
  writeError: Error | undefined;
  recovered: Recovered | undefined;

  constructor() {
    super({ manualFlush: true });
  }

  override async open(): Promise<Recovered> {
    this.recovered = await super.open();
    return this.recovered;
  }

  override commit(changes: Changes): Promise<void> {
    return this.writeError === undefined ? super.commit(changes) : Promise.reject(this.writeError);
  }

  override load(...where: Parameters<MemoryStore["load"]>) {
    if (this.isUnreadable) throw new StoreError("damaged", "A row's checksum does not match.");
    return super.load(...where);
  }
}

test("a queue that cannot be read delivers nothing, is reported once, and leaves the others alone", async () => {
  const store = new BreakableStore();
  const stepped = await steppedEngine({ store, queueMemoryBytes: 1024 });
  const { engine, turns } = stepped;
  const publisher = new RecordingPublisher();
  for (const name of ["damaged", "whole"]) await done(stepped, engine.declareQueue(queueNamed(name), me));
  for (let number = 1; number <= 20; number++)
    engine.publish(publication(number, "damaged", `${number}`), publisher);
  await stepped.rest();
  store.isUnreadable = true;
  const consumer = new RecordingConsumer();
  (await engine.subscribe("damaged", subscribing(), me, consumer)).resume();
  turns.endAll();
  // What was in memory still.
  const had = consumer.texts.length;
  expect(consumer.texts).toEqual(Array.from({ length: had }, (_, i) => `${i + 1}`));
  expect(had).toBeLessThan(20);
  engine.publish(publication(21, "damaged", "21"), publisher);
  engine.publish(publication(22, "whole", "22"), publisher);
  turns.endAll();
  await expect(engine.get("damaged", { noAck: true }, me)).rejects.toMatchObject({ code: "internal-error" });
  expect(consumer.texts).toHaveLength(had);
  expect(stepped.damaged).toEqual(["damaged"]);
  expect(textOf((await engine.get("whole", { noAck: true }, me)).delivery!)).toBe("22");
});

test("purging makes a queue that could not be read usable again", async () => {
  const store = new BreakableStore();
  const stepped = await steppedEngine({ store, queueMemoryBytes: 1024 });
  const { engine } = stepped;
  const publisher = new RecordingPublisher();
  await done(stepped, engine.declareQueue(queueNamed("q"), me));
  for (let number = 1; number <= 20; number++)
    engine.publish(publication(number, "q", `${number}`), publisher);
  await stepped.rest();
  store.isUnreadable = true;
  const consumer = new RecordingConsumer();
  (await engine.subscribe("q", subscribing({ noAck: true }), me, consumer)).resume();
  await stepped.rest();
  const had = consumer.texts.length;
  expect(await done(stepped, engine.purgeQueue("q", me))).toBe(20 - had);
  store.isUnreadable = false;
  engine.publish(publication(21, "q", "21"), publisher);
  await stepped.rest();
  expect(consumer.texts.slice(had)).toEqual(["21"]);
  expect(publisher.confirmedNumbers).toHaveLength(21);
});

test("after a failed commit nothing persistent is confirmed, and stopping says why", async () => {
  const store = new BreakableStore();
  const stepped = await steppedEngine({ store });
  const { engine, turns } = stepped;
  const publisher = new RecordingPublisher();
  await done(stepped, engine.declareQueue(queueNamed("q"), me));
  store.writeError = new StoreError("io", "No space is left.");
  engine.publish(publication(1, "q", "1"), publisher);
  turns.endAll();
  await microtasks();
  engine.publish(publication(2, "q", "2"), publisher);
  turns.endAll();
  await microtasks();
  expect(publisher.outcomes).toEqual([]);
  expect(stepped.failures).toEqual([store.writeError]);
  await expect(engine.stop()).rejects.toThrow("No space is left.");
});

test("what a transient queue had paged is gone for good after a crash", async () => {
  const store = new BreakableStore();
  const stepped = await steppedEngine({ store, queueMemoryBytes: 1024 });
  await done(stepped, stepped.engine.declareQueue(queueNamed("q", { durable: false }), me));
  const publisher = new RecordingPublisher();
  for (let number = 1; number <= 20; number++)
    stepped.engine.publish(publication(number, "q", "x"), publisher);
  await stepped.rest();
  store.crash();
  const second = await steppedEngine({ store });
  expect(store.recovered!.queues.size).toBe(1);
  expect(second.engine.counts().queues).toBe(0);
  store.crash();
  await steppedEngine({ store });
  expect(store.recovered!.queues.size).toBe(0);
});

test("a queue's number is never used again, also after a crash", async () => {
  const store = new BreakableStore();
  const ids: unknown[] = [];
  for (const name of ["a", "b", "c"]) {
    const stepped = await steppedEngine({ store });
    await done(stepped, stepped.engine.declareQueue(queueNamed("transient", { durable: false }), me));
    await done(stepped, stepped.engine.declareQueue(queueNamed(name), me));
    store.crash();
    await store.open();
    ids.push((store.recovered!.records.get(`queue/${name}`) as { id: number }).id);
    store.crash();
  }
  expect(new Set(ids).size).toBe(3);
});

test("an alternate exchange that is missing is told once for each exchange that needs it, and counted each time", async () => {
  const stepped = await steppedEngine();
  const { engine, missingTargets } = stepped;
  const publisher = new RecordingPublisher();
  const args = { arguments: { alternateExchange: "none" } };
  for (const name of ["a", "b"])
    await done(stepped, engine.declareExchange(exchangeNamed(name, "topic", args)));
  for (const [number, exchange] of ["a", "a", "b", "a"].entries())
    engine.publish(publication(number + 1, "key", "x", { exchange }), publisher);
  expect(missingTargets).toEqual([
    ["alternateExchange", "none", 'exchange "a"'],
    ["alternateExchange", "none", 'exchange "b"'],
  ]);
  expect(engine.counts().missedTargets).toBe(4);
});
