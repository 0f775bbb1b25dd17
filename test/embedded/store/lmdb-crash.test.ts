import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { LmdbStore } from "../../../server/embedded/store/lmdb-store.ts";
import { everything } from "../../contract/store-contract.ts";
import { commitsApplied, planEnvelope, planFacts, planHolds, planNextId, planQueues } from "./commit-plan.ts";

const childPath = new URL("./committing-child.ts", import.meta.url).pathname;

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "posthorn-crash-"));
});

afterEach(() => rm(directory, { recursive: true }));

/** Checks that the store is exactly what some number of whole commits makes it; returns that number. */
async function checkStore(): Promise<number> {
  const store = new LmdbStore({ directory });
  const recovered = await store.open();
  const commits = commitsApplied(recovered);
  expect(recovered.clean).toBe(commits === 0);
  if (commits > 0) {
    expect(recovered.nextMessageId).toBe(planNextId(commits));
    expect(recovered.queues.get(1)?.nextSeq).toBe(planNextId(commits));
  }
  const check = () => {
    for (const queue of planQueues) {
      const loaded = everything(store, queue);
      expect(loaded.map(({ seq }) => seq)).toEqual(planHolds(commits, queue));
      expect(loaded.every(({ messageId, envelope }) => planEnvelope(messageId).equals(envelope))).toBe(true);
      for (const { messageId, expiresAt, note } of loaded)
        expect({ messageId, expiresAt, note: note && Buffer.from(note) }).toEqual({
          messageId,
          ...planFacts(commits, messageId),
        });
    }
  };
  check();
  for (let steps = 0; (await store.maintain()) !== "nothing"; steps++) if (steps % 25 === 0) check();
  check();
  await store.close({ clean: false });
  return commits;
}

interface Committing {
  readonly child: ChildProcess;
  /** The last commit that was reported as flushed. */
  flushed(): number;
  /** Settles with the exit code when all output has been read. */
  readonly done: Promise<number | null>;
  /** Resolves once this many commits have been reported. */
  reported(commits: number): Promise<void>;
  errors(): string;
  failure(): string;
}

function startCommitting(shellPrefix = ""): Committing {
  const command = `${shellPrefix} exec "${process.execPath}" --import tsx "${childPath}" "${directory}"`;
  const child = spawn("sh", ["-c", command], { stdio: ["ignore", "pipe", "pipe"] });
  let last = 0;
  let reports = 0;
  let errors = "";
  let failure = "";
  let wanted = Number.POSITIVE_INFINITY;
  let notify = () => {};
  child.stderr.on("data", (text) => {
    errors += text;
  });
  const lines = createInterface({ input: child.stdout });
  lines.on("line", (line) => {
    if (line.startsWith("failed")) failure = line;
    const number = Number(line);
    if (Number.isNaN(number)) return;
    last = Math.max(last, number);
    if (++reports >= wanted) notify();
  });
  const done = Promise.all([once(child, "exit"), once(lines, "close")]).then(
    ([[code]]) => code as number | null,
  );
  return {
    child,
    flushed: () => last,
    done,
    reported: (commits) => {
      wanted = commits;
      return new Promise((resolve, reject) => {
        notify = resolve;
        void done.then(() => reject(new Error(`the child ended before its time: ${errors}`)));
      });
    },
    errors: () => errors,
    failure: () => failure,
  };
}

describe("a store whose process is killed", () => {
  test("holds every commit that was flushed, whole, and no part of any other", async () => {
    let before = 0;
    for (let round = 0; round < 4; round++) {
      const committing = startCommitting();
      await committing.reported(20 + Math.floor(Math.random() * 200));
      committing.child.kill("SIGKILL");
      await committing.done;
      const commits = await checkStore();
      expect(commits).toBeGreaterThanOrEqual(committing.flushed());
      expect(commits).toBeLessThanOrEqual(committing.flushed() + 3);
      expect(commits).toBeGreaterThan(before);
      before = commits;
    }
  }, 30_000);
});

describe("a store whose disk refuses to write", () => {
  test("rejects the commit and all after it, and opens again with what was flushed", async () => {
    // Files may not grow over four megabytes.
    const committing = startCommitting("ulimit -f 8192;");
    expect(await committing.done).toBe(3);
    expect(committing.failure()).toBe("failed io");
    expect(committing.errors()).not.toContain("Unhandled");
    const commits = await checkStore();
    expect(commits).toBe(committing.flushed());
  }, 20_000);
});
