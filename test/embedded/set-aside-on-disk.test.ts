import { expect, test } from "vitest";
import { MemoryStore } from "../../server/embedded/store/memory-store.ts";
import {
  done,
  owner,
  publication,
  queueNamed,
  RecordingConsumer,
  RecordingPublisher,
  steppedEngine,
  subscribing,
} from "../support/embedded.ts";
import { ManualTime } from "../support/manual-time.ts";

const me = owner();
const ttlMs = 50;

test("a message that was parked before a restart and is released too late to expire is delivered at once", async () => {
  const store = new MemoryStore({ manualFlush: true });
  const time = new ManualTime();
  const start = () => steppedEngine({ store, now: time.now, delay: time.delay });
  const before = await start();
  const args = { deliveryLimit: 1, messageTtl: ttlMs };
  await done(before, before.engine.declareQueue(queueNamed("q", { arguments: args }), me));
  before.engine.publish(publication(1, "q", "poison"), new RecordingPublisher());
  const { delivery } = await before.engine.get("q", { noAck: false }, me);
  before.engine.settle([delivery!], "requeue");
  await done(before, before.engine.stop());

  const { engine, rest } = await start();
  // Nobody has looked at the clock yet: its place is still on disk.
  time.stall(ttlMs);
  const [parked] = (await engine.browseQueue("q", { cursor: undefined, limit: 10, filter: {} }, me)).messages;
  expect(parked!.state).toBe("parked");
  const consumer = new RecordingConsumer();
  (await engine.subscribe("q", subscribing(), me, consumer)).resume();
  const released = engine.releaseMessage("q", parked!.position, me);
  await rest();
  await released;
  expect(consumer.texts).toEqual(["poison"]);
});
