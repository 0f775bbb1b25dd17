import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type FoundMessage, Ledger, problems } from "./crash/ledger.ts";
import { type RedriveRoundResult, redriveRound } from "./crash/redrive-round.ts";
import { crashRound, type RoundResult } from "./crash/round.ts";
import type { Tally } from "./crash/tally.ts";
import { seeded } from "./faults/seeded.ts";

test("after kill -9 under load, every confirmed message is there, in order, in all its queues or in none", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "posthorn-crash-"));
  const results: RoundResult[] = [];
  const seed = Date.now() % 1_000_000;
  const random = seeded(seed);
  let firstNumber = 1;
  try {
    for (let round = 1; round <= 4; round++) {
      const result = await crashRound({ dataDir, random, firstNumber, isEarly: round === 4 });
      firstNumber += result.published;
      results.push(result);
    }
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
  expect(
    results.flatMap((result) => result.problems),
    `seed ${seed}`,
  ).toEqual([]);
  // A run in which nothing was confirmed or acked before the kill would prove nothing.
  const sum = (what: (result: RoundResult) => number) => results.reduce((all, one) => all + what(one), 0);
  expect(sum(({ confirmed }) => confirmed)).toBeGreaterThan(100);
  expect(sum(({ acked }) => acked)).toBeGreaterThan(100);
  for (const fate of ["dead", "delayed", "parked"] as const)
    expect(
      sum((result) => result[fate]),
      fate,
    ).toBeGreaterThan(0);
}, 60_000);

test("after kill -9 in the middle of a redrive, every message is in one of the two queues, and the rest can be redriven", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "posthorn-crash-"));
  const results: RedriveRoundResult[] = [];
  const seed = Date.now() % 1_000_000;
  const random = seeded(seed);
  try {
    for (let round = 1; round <= 3; round++) results.push(await redriveRound({ dataDir, random }));
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
  expect(
    results.flatMap(({ problems }) => problems),
    `seed ${seed}`,
  ).toEqual([]);
  expect(results.some(({ moved, messages }) => moved > 0 && moved < messages)).toBe(true);
}, 60_000);

function found(...numbers: number[]): FoundMessage[] {
  return numbers.map((number) => foundWith(number, {}));
}

function foundWith(number: number, known: Partial<FoundMessage>): FoundMessage {
  const { attempts = 0 } = known;
  const lastAttempt = attempts === 0 ? undefined : attempts;
  return { number, attempts, lastAttempt, rejections: 0, givenUp: 0, state: "ready", ...known };
}

function say(tally: Tally, number: number, sent: number, onDisk: number): void {
  for (let i = 0; i < sent; i++) tally.send(number);
  for (let i = 0; i < onDisk; i++) tally.prove(number);
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
  say(rejected, 1, 1, 1);
  say(rejected, 2, 1, 0);
  say(requeued, 3, 2, 1);
  const dead = (number: number) => foundWith(number, { rejections: 1 });
  const requeuedTimes = (attempts: number) => foundWith(3, { attempts });
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
    "a: 1 parked or not, against what was released: 3",
  ]);
});

test("the comparison knows how often a message was tried that was given up, and in the end rejected", () => {
  const ledger = new Ledger();
  const { requeued, rejected } = ledger.at("a");
  for (const number of [1, 2, 3]) say(requeued, number, 4, 4);
  say(rejected, 2, 1, 1);
  const givenUp = { givenUp: 1, attempts: 1 };
  const right = [foundWith(1, givenUp), foundWith(2, { rejections: 1, attempts: 1 }), foundWith(3, givenUp)];
  expect(problems(ledger, new Map([["a", [right]]]))).toEqual([]);
  const wrong = [
    foundWith(1, { givenUp: 1 }),
    foundWith(2, { rejections: 1, givenUp: 1, attempts: 2 }),
    foundWith(3, { givenUp: 1, attempts: 2 }),
  ];
  expect(problems(ledger, new Map([["a", [wrong]]]))).toEqual([
    "a: 3 with a wrong count of attempts: 1, 2, 3",
  ]);
});

test("the comparison notices what is parked or delayed and should not be, and what is not and should be", () => {
  const ledger = new Ledger();
  const { requeued, delayed, released } = ledger.at("a");
  for (const number of [1, 2, 3, 4]) say(requeued, number, 4, 3);
  say(released, 2, 1, 0);
  say(released, 3, 1, 1);
  say(requeued, 5, 1, 1);
  say(delayed, 5, 1, 1);
  const aside = (number: number, attempts: number, state: FoundMessage["state"]) =>
    foundWith(number, { attempts, state });
  const right = [
    aside(1, 3, "parked"),
    aside(2, 3, "parked"),
    aside(3, 4, "parked"),
    aside(4, 3, "parked"),
    aside(5, 1, "delayed"),
  ];
  expect(problems(ledger, new Map([["a", [right]]]))).toEqual([]);
  expect(problems(ledger, new Map([["a", [[aside(2, 3, "ready"), aside(3, 3, "ready")]]]]))).toEqual([]);
  const wrong = [
    aside(1, 3, "ready"),
    aside(2, 4, "ready"),
    aside(3, 3, "parked"),
    aside(4, 4, "parked"),
    aside(5, 1, "ready"),
    aside(6, 0, "delayed"),
    foundWith(7, { lastAttempt: 1 }),
  ];
  expect(problems(ledger, new Map([["a", [wrong]]]))).toEqual([
    "a: 1 with another reason than that of the last attempt: 7",
    "a: 4 parked or not, against what was released: 1, 2, 3, 4",
    "a: 1 delayed on disk and back at once: 5",
    "a: 1 delayed and never given back: 6",
  ]);
});
