import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Ledger, problems } from "./crash/ledger.ts";
import type { RoundResult } from "./crash/round.ts";
import { crashRounds } from "./crash/rounds.ts";

test("after kill -9 under load, every confirmed message is there, in order, in all its queues or in none", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "posthorn-crash-"));
  const results: RoundResult[] = [];
  const seed = Date.now() % 1_000_000;
  try {
    await crashRounds({ dataDir, seed, rounds: 4, onRound: (_round, result) => results.push(result) });
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
  expect(
    results.flatMap((result) => result.problems),
    `seed ${seed}`,
  ).toEqual([]);
  // A run in which nothing was confirmed or acked before the kill would prove nothing.
  expect(results.reduce((sum, { confirmed }) => sum + confirmed, 0)).toBeGreaterThan(100);
  expect(results.reduce((sum, { acked }) => sum + acked, 0)).toBeGreaterThan(100);
}, 60_000);

test("the comparison notices what is lost, doubled, out of order, back, or in one queue only", () => {
  const ledger = new Ledger();
  for (const number of [1, 2, 3, 4]) ledger.confirmed.add(number);
  ledger.of(ledger.acked, "a").add(1);
  ledger.of(ledger.settled, "a").add(1);
  expect(
    problems(
      ledger,
      new Map([
        ["a", [2, 3, 4]],
        ["b", [1, 2, 3, 4]],
      ]),
    ),
  ).toEqual([]);
  expect(
    problems(
      ledger,
      new Map([
        ["a", [1, 3, 3, 2]],
        ["b", [1, 2, 3, 4, 5]],
      ]),
    ),
  ).toEqual([
    "a: 1 twice: 3",
    "a: 1 out of order: 2",
    "a: 1 confirmed and lost: 4",
    "a: 1 acked on disk and back: 1",
    "a: 2 in another queue but not here: 4, 5",
  ]);
});
