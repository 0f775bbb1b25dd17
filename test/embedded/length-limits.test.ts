import { expect, test } from "vitest";
import {
  done,
  owner,
  publication,
  queueNamed,
  RecordingPublisher,
  steppedEngine,
} from "../support/embedded.ts";

const someone = owner();

async function ready(stepped: Awaited<ReturnType<typeof steppedEngine>>): Promise<number> {
  return (await stepped.engine.checkQueue("q", someone)).messages;
}

test("however many come in one turn, the limit is kept at its end, and what gave way is never written", async () => {
  const stepped = await steppedEngine();
  const { engine, store, turns } = stepped;
  await done(stepped, engine.declareQueue(queueNamed("q", { arguments: { maxLength: 10 } }), someone));
  const publisher = new RecordingPublisher();
  for (let i = 1; i <= 2000; i++) engine.publish(publication(i, "q", `${i}`), publisher);
  turns.end();
  expect(await ready(stepped)).toBe(10);
  await stepped.rest();
  expect(publisher.confirmedNumbers).toHaveLength(2000);
  const texts = store.load(1, 0, Number.MAX_SAFE_INTEGER, 100, 1_000_000).map(({ seq }) => seq);
  expect(texts).toEqual(Array.from({ length: 10 }, (_, i) => 1991 + i));
});

test("what a lowered limit makes too much goes in bounded portions, one a turn", async () => {
  const stepped = await steppedEngine();
  const { engine, turns } = stepped;
  await done(stepped, engine.declareQueue(queueNamed("q"), someone));
  for (let i = 1; i <= 1000; i++) engine.publish(publication(i, "q", `${i}`), new RecordingPublisher());
  await stepped.rest();
  const changed = engine.declareQueue(queueNamed("q", { arguments: { maxLength: 10 } }), someone, "update");
  const left: number[] = [];
  for (let turn = 0; turn < 5; turn++) {
    turns.end();
    left.push(await ready(stepped));
  }
  await done(stepped, changed);
  expect(left).toEqual([744, 488, 232, 10, 10]);
});
