import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type FoundMessage, Ledger, problems } from "./crash/ledger.ts";
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
  expect(results.reduce((sum, { dead }) => sum + dead, 0)).toBeGreaterThan(0);
}, 60_000);

function found(...numbers: number[]): FoundMessage[] {
  return numbers.map((number) => ({ number, attempts: 0, deaths: 0 }));
}

test("the comparison notices what is lost, doubled, out of order, back, or in one queue only", () => {
  const ledger = new Ledger();
  for (const number of [1, 2, 3, 4]) ledger.confirmed.add(number);
  const { acked } = ledger.at("a");
  acked.send(1);
  acked.prove(1);
  expect(
    problems(
      ledger,
      new Map([
        ["a", [found(2, 3, 4)]],
        ["b", [found(1, 2, 3, 4)]],
      ]),
    ),
  ).toEqual([]);
  expect(
    problems(
      ledger,
      new Map([
        ["a", [found(1, 3, 3, 2)]],
        ["b", [found(1, 2, 3, 4, 5)]],
      ]),
    ),
  ).toEqual([
    "a: 1 twice: 3",
    "a: 1 out of order: 2",
    "a: 1 confirmed and lost: 4",
    "a: 1 acked on disk and back: 1",
    "a: 2 in another place but not here: 4, 5",
  ]);
});

test("the comparison notices a message in its queue and its dead-letter queue, and counts that are wrong", () => {
  const ledger = new Ledger();
  for (const number of [1, 2, 3]) ledger.confirmed.add(number);
  const { rejected, requeued } = ledger.at("a");
  rejected.send(1);
  rejected.prove(1);
  rejected.send(2);
  requeued.send(3);
  requeued.send(3);
  requeued.prove(3);
  const dead = (number: number) => ({ number, attempts: 0, deaths: 1 });
  const requeuedTimes = (attempts: number) => ({ number: 3, attempts, deaths: 0 });
  expect(problems(ledger, new Map([["a", [[...found(2), requeuedTimes(2)], [dead(1)]]]]))).toEqual([]);
  expect(problems(ledger, new Map([["a", [[...found(1, 2), requeuedTimes(0)], [dead(2)]]]]))).toEqual([
    "a: 1 twice: 2",
    "a: 1 with a wrong count of rejections: 1",
    "a: 1 with a wrong count of attempts: 3",
  ]);
  expect(problems(ledger, new Map([["a", [[requeuedTimes(3)], [dead(1), dead(3)]]]]))).toEqual([
    "a: 1 twice: 3",
    "a: 1 confirmed and lost: 2",
    "a: 1 with a wrong count of rejections: 3",
    "a: 1 with a wrong count of attempts: 3",
  ]);
});
