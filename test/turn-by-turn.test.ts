import { expect, test } from "vitest";
import { TurnByTurn } from "../server/turn-by-turn.ts";

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

test("a crowd is served in its order, a few in each turn of the event loop, and others have their turns in between", async () => {
  const { run } = new TurnByTurn();
  const served: number[] = [];
  for (let job = 0; job < 1000; job++) run(() => served.push(job));
  expect(served).toEqual([]);
  let before = 0;
  let turns = 0;
  while (served.length < 1000) {
    await nextTurn();
    expect(served.length - before).toBeLessThanOrEqual(32);
    before = served.length;
    turns++;
  }
  expect(turns).toBeGreaterThan(30);
  expect(served).toEqual(Array.from({ length: 1000 }, (_, job) => job));
});

test("who comes while others are served has his turn behind them", async () => {
  const { run } = new TurnByTurn();
  const served: string[] = [];
  run(() => {
    served.push("first");
    run(() => served.push("third"));
  });
  run(() => served.push("second"));
  await nextTurn();
  await nextTurn();
  expect(served).toEqual(["first", "second", "third"]);
  run(() => served.push("later"));
  await nextTurn();
  expect(served.at(-1)).toBe("later");
});
