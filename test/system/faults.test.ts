import { writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { proveConfirms } from "./faults/confirm-proof.ts";
import { confirmProofRound } from "./faults/confirm-proof-round.ts";
import { powerCutRounds } from "./faults/power-cut-rounds.ts";
import { slowSyncRound } from "./faults/slow-sync.ts";
import { type StoreErrorResult, storeErrorRound } from "./faults/store-error.ts";
import { straceProblem } from "./faults/strace.ts";
import { withTemporaryDirectory } from "./faults/temporary-directory.ts";

/** The long forms, with more of everything, are in docs/guides/durability.md. */
const problem = straceProblem();
const seed = Date.now() % 1_000_000;
const title = problem === undefined ? `a broker whose disk fails (seed ${seed})` : `skipped: ${problem}`;

function expectNothingConfirmedOrLost({ proof, confirmed, lost }: StoreErrorResult): void {
  expect(proof.injected).not.toEqual([]);
  // A broker that had confirmed nothing before the error would prove nothing.
  expect(confirmed).toBeGreaterThan(0);
  expect(proof.violations).toEqual([]);
  expect(lost).toEqual([]);
}

describe.skipIf(problem !== undefined)(title, { timeout: 60_000 }, () => {
  test("no confirm leaves before the message's transaction has been synced", async () => {
    const proof = await withTemporaryDirectory((directory) =>
      confirmProofRound({ directory, seed, messages: 900 }),
    );
    expect(proof.violations).toEqual([]);
    expect(proof.confirmed - proof.delivered).toBeGreaterThan(100);
    expect(proof.transactions).toBeGreaterThan(10);
  });

  test("after a failed sync it confirms nothing of that commit, stops with exit code 70, and loses nothing", async () => {
    // Counted by thread, and late enough for something to have been confirmed whichever thread it is.
    const inject = `fdatasync:error=EIO:when=${8 + (seed % 4)}`;
    const result = await withTemporaryDirectory((directory) => storeErrorRound({ directory, inject, seed }));
    expectNothingConfirmedOrLost(result);
    expect(result.ended).toEqual({ exitCode: 70, signal: null });
    expect(result.fatal).toEqual([expect.stringContaining("the store failed")]);
  });

  test("after a failed write it confirms nothing of that commit, stops, and loses nothing", async () => {
    const inject = `pwrite64:error=ENOSPC:when=${24 + (seed % 8)}`;
    const result = await withTemporaryDirectory((directory) => storeErrorRound({ directory, inject, seed }));
    expectNothingConfirmedOrLost(result);
    // lmdb-js puts its message about a failed write into a buffer that is too small for it; if the C library notices
    // before the broker has ended, it aborts.
    expect(["70", "SIGABRT", "SIGSEGV"]).toContain(String(result.ended.exitCode ?? result.ended.signal));
  });

  test("while a sync is slow only confirms wait: other clients are answered", async () => {
    const { confirmMs, answersMeanwhile } = await withTemporaryDirectory((directory) =>
      slowSyncRound({ directory, delayMs: 300, publishes: 2 }),
    );
    // Strace sleeps at least that long before the sync; the confirm cannot come sooner.
    for (const ms of confirmMs) expect(ms).toBeGreaterThanOrEqual(300);
    for (const answers of answersMeanwhile) expect(answers).toBeGreaterThanOrEqual(5);
  });

  test("after a power cut the store opens and holds everything that was confirmed", async () => {
    const { selfCheck, points } = await withTemporaryDirectory((directory) =>
      powerCutRounds({ directory, seed, points: 8, messages: 600 }),
    );
    expect(selfCheck, "the replay of all writes and the file itself").toBeUndefined();
    expect(points.filter(({ problems }) => problems.length > 0)).toEqual([]);
    expect(points.some(({ unsynced }) => unsynced > 0)).toBe(true);
    expect(points.some(({ confirmed }) => confirmed > 0)).toBe(true);
  });
});

describe("the proof that confirms wait for the disk", () => {
  const hex = (text: string) =>
    [...Buffer.from(text, "latin1")].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
  const storeFile = "/store.mdb";
  const file = (descriptor: number) => `${descriptor}<${hex(storeFile)}>`;
  const socket = "9<TCP:[127.0.0.1:1->127.0.0.1:2]>";
  const confirm = JSON.stringify({ type: "confirm", first: 1, last: 1 });
  const opened = [
    `openat(AT_FDCWD, "${hex(storeFile)}", O_RDWR|O_CREAT, 0664) = ${file(5)}`,
    `openat(AT_FDCWD, "${hex(storeFile)}", O_WRONLY|O_DSYNC|O_CLOEXEC) = ${file(6)}`,
    `write(${socket}, "${hex("HTTP/1.1 101 \r\n\r\n")}", 17) = 17`,
  ];
  const body = `pwrite64(${file(5)}, "${hex("<json:1:0>")}", 10, 8192)`;
  const sync = `fdatasync(${file(5)})`;
  const firstPage = `pwrite64(${file(6)}, "\\x00", 1, 24) = 1`;
  const text = `\x81${String.fromCharCode(confirm.length)}${confirm}`;
  const send = `write(${socket}, "${hex(text)}", ${text.length}) = ${text.length}`;

  async function violations(lines: readonly string[]): Promise<readonly string[]> {
    return withTemporaryDirectory(async (directory) => {
      const all = [...opened, ...lines].map((line) => (/^\d+ /.test(line) ? line : `1 0.0 ${line}`));
      writeFileSync(`${directory}/trace`, `${all.join("\n")}\n`);
      return (await proveConfirms(`${directory}/trace`, storeFile)).violations;
    });
  }

  test("accepts a confirm after the body, a sync, and the page that makes it valid", async () => {
    expect(await violations([`${body} = 10`, `${sync} = 0`, firstPage, send])).toEqual([]);
  });

  test("finds a confirm that comes before any of them, or after one that failed", async () => {
    const early = ["json:1"];
    expect(await violations([send, `${body} = 10`, `${sync} = 0`, firstPage])).toEqual(early);
    expect(await violations([`${body} = 10`, send, `${sync} = 0`, firstPage])).toEqual(early);
    expect(await violations([`${body} = 10`, `${sync} = 0`, send, firstPage])).toEqual(early);
    expect(await violations([`${body} = 10`, firstPage, send])).toEqual(early);
    expect(
      await violations([`${body} = 10`, `${sync} = -1 EIO (Input/output error) (INJECTED)`, firstPage, send]),
    ).toEqual(early);
  });

  test("does not count a sync that began before the write had returned", async () => {
    const overlapping = [
      `2 0.0 ${body.slice(0, -1)} <unfinished ...>`,
      `3 0.0 ${sync.slice(0, -1)} <unfinished ...>`,
      "2 0.0 <... pwrite64 resumed>) = 10",
      "3 0.0 <... fdatasync resumed>) = 0",
    ];
    expect(await violations([...overlapping, firstPage, send])).toEqual(["json:1"]);
  });
});
