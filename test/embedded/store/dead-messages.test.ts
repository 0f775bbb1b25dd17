import { expect, test } from "vitest";
import { DeadMessages } from "../../../server/embedded/store/lmdb/dead-messages.ts";

const rowBytes = 120_000;
const always = () => true;

/** Takes rows out as long as there is one that is ready. */
function inOrder(
  dead: DeadMessages,
  lowestLevel: number,
  isReady: Parameters<DeadMessages["next"]>[1],
): number[] {
  const order: number[] = [];
  for (
    let first = dead.next(lowestLevel, isReady);
    first !== undefined;
    first = dead.next(lowestLevel, isReady)
  ) {
    order.push(first);
    dead.forget(first);
  }
  return order;
}

test("the row with the largest dead part comes first, and of equals the one that was left alone for longest", () => {
  const dead = new DeadMessages();
  dead.note(1, rowBytes, 50_000, 1, 1);
  dead.note(2, rowBytes, 110_000, 2, 2);
  dead.note(3, rowBytes, 70_000, 3, 3);
  dead.note(4, rowBytes, 115_000, 4, 4);
  dead.note(2, rowBytes, 112_000, 5, 5);
  expect(inOrder(dead, 0, always)).toEqual([4, 2, 3, 1]);
});

test("rows below a level are left out, and so are those that are not ready", () => {
  const dead = new DeadMessages();
  dead.note(1, rowBytes, 50_000, 1, 1);
  dead.note(2, rowBytes, 110_000, 2, 2);
  dead.note(3, rowBytes, 115_000, 9, 9);
  expect(inOrder(dead, 4, ({ commit }) => commit < 9)).toEqual([2]);
});

test("the dead bytes of all rows are known, but of small ones and of those with a small dead part", () => {
  const dead = new DeadMessages();
  dead.note(1, rowBytes, 60_000, 1, 1);
  dead.note(2, rowBytes, 10_000, 1, 1);
  dead.note(3, 5000, 4000, 1, 1);
  expect(dead.bytes).toBe(60_000);
  dead.note(1, rowBytes, 90_000, 2, 2);
  dead.note(2, rowBytes, 100_000, 2, 2);
  expect(dead.bytes).toBe(190_000);
  dead.forget(1);
  expect(dead.bytes).toBe(100_000);
  expect(dead.has(1)).toBe(false);
  expect(dead.has(2)).toBe(true);
});
