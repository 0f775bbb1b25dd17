import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Environment } from "../../../server/embedded/store/lmdb/environment.ts";
import { PageFile } from "../../../server/embedded/store/lmdb/page-file.ts";
import { copySnapshot, type SnapshotCopyOptions } from "../../../server/embedded/store/lmdb/snapshot-copy.ts";
import { LmdbStore } from "../../../server/embedded/store/lmdb-store.ts";
import { everything } from "../../contract/store-contract.ts";
import { commitsApplied, planEnvelope, planHolds, planNextId, planQueues } from "./commit-plan.ts";

const childPath = new URL("./committing-child.ts", import.meta.url).pathname;

let parent: string;
let source: string;

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "posthorn-copy-"));
  source = join(parent, "source");
});

afterEach(() => {
  rmSync(parent, { recursive: true });
});

/** Another process that commits the plan as fast as it can. */
function startCommitting() {
  const child = spawn(process.execPath, ["--import", "tsx", childPath, source], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout });
  let flushed = 0;
  let wanted = 0;
  let notify = () => {};
  lines.on("line", (line) => {
    flushed = Math.max(flushed, Number(line) || 0);
    if (flushed >= wanted) notify();
  });
  return {
    flushed: () => flushed,
    reaches(commits: number): Promise<void> {
      wanted = commits;
      return new Promise((resolve) => (notify = resolve));
    },
    async kill(): Promise<void> {
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

interface Copied {
  readonly directory: string;
  readonly snapshots: number;
}

const hurriedSnapshots = 5;

/** Before each of the first snapshots, so many transactions go by. */
async function copied(name: string, options: SnapshotCopyOptions, transactions = 0): Promise<Copied> {
  const directory = join(parent, name);
  mkdirSync(directory);
  const environment = new Environment(join(source, "store.mdb"), { readOnly: true });
  const file = new PageFile(join(source, "store.mdb"));
  let snapshots = 0;
  const holding = environment.holding.bind(environment);
  environment.holding = (read) => {
    const enough = file.meta().transaction + (snapshots < hurriedSnapshots ? transactions : 0);
    while (file.meta().transaction < enough);
    snapshots++;
    return holding(read);
  };
  try {
    await copySnapshot(environment, join(source, "store.mdb"), join(directory, "store.mdb"), options);
  } finally {
    file.close();
    await environment.close();
  }
  copyFileSync(join(source, "store.json"), join(directory, "store.json"));
  return { directory, snapshots };
}

/** Checks that the store is exactly what some number of whole commits makes it; returns that number. */
async function commitsIn(directory: string): Promise<number> {
  const store = new LmdbStore({ directory });
  const recovered = await store.open();
  const commits = commitsApplied(recovered);
  expect(recovered.nextMessageId).toBe(planNextId(commits));
  for (const queue of planQueues) {
    const loaded = everything(store, queue);
    expect(loaded.map(({ seq }) => seq)).toEqual(planHolds(commits, queue));
    expect(loaded.every(({ messageId, envelope }) => planEnvelope(messageId).equals(envelope))).toBe(true);
  }
  // It can be written, too.
  await store.commit({ messages: [], queues: [], dropped: [], records: [{ key: "x", value: 1 }] });
  await store.close({ clean: true });
  return commits;
}

test.each<[string, SnapshotCopyOptions, number]>([
  ["in many rounds", { lastRoundBytes: 0 }, 5],
  ["an entry at a time", { longHoldMs: 0 }, 10],
])(
  "a store that is written meanwhile is copied as some commit left it, %s",
  async (_, options, leastSnapshots) => {
    const committing = startCommitting();
    try {
      await committing.reaches(200);
      for (const copy of ["first", "second"]) {
        const flushed = committing.flushed();
        const { directory, snapshots } = await copied(copy, options, 20);
        const latest = committing.flushed();
        const commits = await commitsIn(directory);
        expect(commits).toBeGreaterThanOrEqual(flushed);
        expect(commits).toBeLessThanOrEqual(latest + 3);
        expect(snapshots).toBeGreaterThanOrEqual(leastSnapshots);
      }
    } finally {
      await committing.kill();
    }
  },
  60_000,
);

test("a store that nobody writes is copied as it is", async () => {
  const store = new LmdbStore({ directory: source });
  await store.open();
  await store.close({ clean: true });
  const { directory } = await copied("copy", {});
  expect(await commitsIn(directory)).toBe(0);
});

test("a file that is not LMDB's is refused", () => {
  const path = join(parent, "other");
  writeFileSync(path, Buffer.alloc(20_000, 7));
  expect(() => new PageFile(path)).toThrow("does not begin as an LMDB file does");
});
