/**
 * `npm run test:faults -- [--only proof,errors,slow,power-cut,creation] [--rounds 12] [--points 50] [--messages 3000] [--seed N]`:
 * a broker under strace whose disk fails, is slow, or loses its power.
 */
import { parseArgs } from "node:util";
import { confirmProofRound } from "./confirm-proof-round.ts";
import { powerCutRounds } from "./power-cut-rounds.ts";
import { seeded } from "./seeded.ts";
import { slowSyncRound } from "./slow-sync.ts";
import { storeErrorRound } from "./store-error.ts";
import { straceProblem } from "./strace.ts";
import { withTemporaryDirectory } from "./temporary-directory.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "proof,errors,slow,power-cut" },
    rounds: { type: "string", default: "12" },
    points: { type: "string", default: "50" },
    messages: { type: "string", default: "3000" },
    seed: { type: "string" },
  },
});
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const rounds = Number(values.rounds);
const points = Number(values.points);
const messages = Number(values.messages);
let failures = 0;

/** The stop after an error is part of the promise. */
const maxSecondsToExit = 1;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function verdict(problems: readonly string[]): string {
  if (problems.length === 0) return "ok";
  failures++;
  return `FAILED\n  ${problems.join("\n  ")}`;
}

async function proof(): Promise<void> {
  for (let round = 1; round <= rounds; round++) {
    const { confirmed, delivered, transactions, syncs, violations } = await withTemporaryDirectory(
      (directory) => confirmProofRound({ directory, seed: seed + round, messages }),
    );
    const problems = violations.slice(0, 10).map((mark) => `${mark} was confirmed and not on disk`);
    const counts = `${confirmed} confirmed, ${delivered} of them delivered before, ${transactions} transactions, ${syncs} syncs`;
    say(`proof ${round}: ${counts}: ${verdict(problems)}`);
  }
}

const faults = [
  (when: number) => `fdatasync:error=EIO:when=${when}`,
  (when: number) => `fdatasync:error=EIO:when=${when}+`,
  (when: number) => `pwrite64:error=EIO:when=${3 * when}`,
  (when: number) => `pwrite64:error=EIO:when=${3 * when}+`,
  (when: number) => `pwrite64:error=ENOSPC:when=${3 * when}`,
  (when: number) => `pwrite64:error=ENOSPC:when=${3 * when}+`,
];

async function errors(): Promise<void> {
  const random = seeded(seed);
  for (let round = 1; round <= rounds; round++) {
    const inject = faults[round % faults.length]!(6 + Math.floor(random() * 10));
    const result = await withTemporaryDirectory((directory) =>
      storeErrorRound({ directory, inject, seed: seed + round }),
    );
    const { ended, confirmed, recovered, lost } = result;
    const { injected, violations, secondsToExit } = result.proof;
    const end = String(ended.exitCode ?? ended.signal);
    const problems: string[] = [];
    if (injected.length === 0) problems.push("strace did not make anything fail");
    if (violations.length > 0)
      problems.push(`${violations.length} confirmed and not on disk: ${violations[0]}`);
    if (lost.length > 0) problems.push(`${lost.length} confirmed and lost: ${lost[0]}`);
    if (end === "70" && result.fatal.length === 0) problems.push("nothing in the log says why");
    // See the test for why a failed write may also end like this.
    const mayAbort = injected[0]?.startsWith("write") === true;
    if (end !== "70" && !(mayAbort && ended.signal !== null)) problems.push(`it ended with ${end}`);
    if (secondsToExit !== undefined && secondsToExit > maxSecondsToExit)
      problems.push(`it ended only after ${secondsToExit.toFixed(2)} s`);
    const how = `${injected[0]}, ended with ${end} after ${((secondsToExit ?? Number.NaN) * 1000).toFixed(0)} ms`;
    say(
      `error ${round}: ${inject}: ${how}, ${confirmed} confirmed, ${recovered} recovered: ${verdict(problems)}`,
    );
  }
}

function quantile(sorted: readonly number[], share: number): string {
  return (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN).toFixed(1);
}

async function slow(): Promise<void> {
  for (const delayMs of [10, 200]) {
    const result = await withTemporaryDirectory((directory) =>
      slowSyncRound({ directory, delayMs, publishes: Math.ceil(4000 / delayMs) }),
    );
    const confirms = result.confirmMs.toSorted((a, b) => a - b);
    const answers = result.answerMs.toSorted((a, b) => a - b);
    const problems: string[] = [];
    if (confirms[0]! < delayMs) problems.push("a confirm did not wait for the disk");
    if (answers.length < 2 * confirms.length) problems.push("another client had to wait for the disk");
    const waited = `confirms p50 ${quantile(confirms, 0.5)} ms, p99 ${quantile(confirms, 0.99)} ms`;
    const meanwhile = `${answers.length} other answers p50 ${quantile(answers, 0.5)} ms, p99 ${quantile(answers, 0.99)} ms, at most ${quantile(answers, 1)} ms`;
    say(`fdatasync + ${delayMs} ms: ${waited}; ${meanwhile}: ${verdict(problems)}`);
  }
}

async function powerCut(withCreation: boolean): Promise<void> {
  const result = await withTemporaryDirectory((directory) =>
    powerCutRounds({
      directory,
      seed,
      points,
      messages: withCreation ? 1 : messages,
      withCreation,
      onPoint(point, { at, of, fate, unsynced, confirmed, recovered, problems }) {
        const what = `before moment ${at} of ${of}, ${unsynced} writes ${fate}, ${confirmed} confirmed, ${recovered} there`;
        say(`cut ${point + 1}: ${what}: ${verdict(problems)}`);
      },
    }),
  );
  const problems = result.selfCheck === undefined ? [] : [result.selfCheck];
  say(`self-check, ${result.fileBytes} bytes replayed: ${verdict(problems)}`);
}

const parts: Readonly<Record<string, () => Promise<void>>> = {
  proof,
  errors,
  slow,
  "power-cut": () => powerCut(false),
  creation: () => powerCut(true),
};

const problem = straceProblem();
if (problem !== undefined) {
  say(`Not possible here: ${problem}.`);
  process.exit(1);
}
say(`seed ${seed}`);
for (const name of values.only.split(",")) {
  const part = parts[name];
  if (part === undefined) throw new Error(`There is no ${name}; there are ${Object.keys(parts).join(", ")}.`);
  await part();
}
say(failures === 0 ? "passed" : `${failures} FAILED`);
process.exitCode = failures === 0 ? 0 : 1;
