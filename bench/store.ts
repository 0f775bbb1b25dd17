/**
 * What the store on disk does alone: `node --import tsx bench/store.ts`. Prints a Markdown table. `TMPDIR` says on which
 * disk.
 */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { LmdbStore } from "../server/embedded/store/lmdb-store.ts";
import type { Changes, NewEntry, NewMessage, SettledEntry } from "../server/embedded/store/store.ts";
import { withTemporaryDirectory } from "./temporary-directory.ts";

const commitsInFlight = 3;
const batch = 256;

interface Figure {
  readonly what: string;
  readonly value: string;
}

const figures: Figure[] = [];
const queue = 1;

function publish(firstId: number, count: number, envelope: Uint8Array, queues: number): Changes {
  const messages: NewMessage[] = [];
  const appended: NewEntry[] = [];
  for (let id = firstId; id < firstId + count; id++) {
    messages.push({ id, envelope });
    appended.push({
      seq: id,
      messageId: id,
      flags: 0,
      bytes: envelope.length,
      priority: 0,
      expiresAt: 0,
      note: undefined,
    });
  }
  const counters = { nextSeq: firstId + count, messages: firstId + count - 1, bytes: 0 };
  const changes = [];
  for (let i = 0; i < queues; i++)
    changes.push({ queue: queue + i, counters, appended, settled: [], attempted: [], noted: [] });
  return { messages, queues: changes, dropped: [], records: [] };
}

function settle(firstSeq: number, count: number): Changes {
  const settled: SettledEntry[] = [];
  for (let seq = firstSeq; seq < firstSeq + count; seq++) settled.push({ seq, messageId: seq });
  const counters = { nextSeq: 1, messages: 0, bytes: 0 };
  return {
    messages: [],
    queues: [{ queue, counters, appended: [], settled, attempted: [], noted: [] }],
    dropped: [],
    records: [],
  };
}

/** Hands commits over, three at a time; `make` returns nothing when there are no more. */
async function commitAll(store: LmdbStore, make: () => Changes | undefined): Promise<void> {
  const worker = async () => {
    for (let changes = make(); changes !== undefined; changes = make()) await store.commit(changes);
  };
  await Promise.all(Array.from({ length: commitsInFlight }, worker));
}

async function publishAll(
  store: LmdbStore,
  total: number,
  bytes: number,
  queues = 1,
  size = batch,
): Promise<void> {
  const envelope = new Uint8Array(bytes).fill(65);
  let next = 1;
  await commitAll(store, () => {
    if (next > total) return undefined;
    const changes = publish(next, Math.min(size, total - next + 1), envelope, queues);
    next += size;
    return changes;
  });
}

async function settleAll(store: LmdbStore, total: number): Promise<void> {
  let next = 1;
  await commitAll(store, () => {
    if (next > total) return undefined;
    const changes = settle(next, Math.min(batch, total - next + 1));
    next += batch;
    return changes;
  });
}

async function maintainAll(store: LmdbStore): Promise<string> {
  let steps = 0;
  let longestMs = 0;
  const seconds = await timed(async () => {
    for (let hasMore = true; hasMore; steps++) {
      const startMs = performance.now();
      const step = store.maintain();
      longestMs = Math.max(longestMs, performance.now() - startMs);
      hasMore = (await step) !== "nothing";
    }
  });
  return `${seconds.toFixed(2)} s, ${steps} steps, the longest held the event loop for ${longestMs.toFixed(1)} ms`;
}

async function timed(work: () => unknown): Promise<number> {
  const startMs = performance.now();
  await work();
  return (performance.now() - startMs) / 1000;
}

function rate(what: string, number: number, seconds: number, unit: string): void {
  figures.push({ what, value: `${Math.round(number / seconds).toLocaleString("en")} ${unit}/s` });
}

async function anonymousBytes(): Promise<number> {
  const status = await readFile("/proc/self/status", "utf8").catch(() => "");
  return Number(/RssAnon:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(0)} MiB`;
}

function withStore(work: (store: LmdbStore, directory: string) => Promise<void>): Promise<void> {
  return withTemporaryDirectory(async (directory) => {
    const store = new LmdbStore({ directory });
    await store.open();
    await work(store, directory);
  });
}

await withStore(async (store, directory) => {
  const total = 3_000_000;
  const before = await anonymousBytes();
  await publishAll(store, total, 100);
  globalThis.gc?.();
  figures.push({
    what: "anonymous memory, 3 M messages queued",
    value: `+${mebibytes((await anonymousBytes()) - before)}`,
  });
  await store.close({ clean: true });
  const again = new LmdbStore({ directory });
  const opened = await timed(() => again.open());
  figures.push({ what: "open with 3 M messages queued", value: `${(opened * 1000).toFixed(0)} ms` });
  const counters = { nextSeq: 1, messages: 0, bytes: 0 };
  const queues = [{ queue, counters, appended: [], settled: [], attempted: [], noted: [] }];
  await again.commit({ messages: [], queues, dropped: [{ queue, fromSeq: 0, toSeq: total }], records: [] });
  figures.push({ what: "delete 3 M purged messages in the background", value: await maintainAll(again) });
  figures.push({ what: "longest read transaction", value: `${again.longestReadMs.toFixed(1)} ms` });
  figures.push({ what: "file", value: mebibytes((await stat(join(directory, "store.mdb"))).size) });
  await again.close({ clean: true });
});

// The disk is what limits this one, and disks have moods: the middle one of three.
const commitSeconds: number[] = [];
const commitTotal = 300_000;
for (let round = 0; round < 3; round++) {
  await withStore(async (store) => {
    commitSeconds.push(await timed(() => publishAll(store, commitTotal, 1024)));
    await store.close({ clean: true });
  });
}
const median = commitSeconds.sort((a, b) => a - b)[1]!;
rate(
  `commit: ${batch} messages of 1 KiB, ${commitsInFlight} commits in flight`,
  commitTotal,
  median,
  "messages",
);

await withStore(async (store) => {
  const total = 1_000_000;
  const published = await timed(() => publishAll(store, total, 100));
  rate(`commit: ${batch} messages of 100 B`, total, published, "messages");
  for (const [window, what] of [
    [1024, "load: windows of 1024"],
    [100, "load: windows of 100"],
  ] as const) {
    let loaded = 0;
    const seconds = await timed(() => {
      for (let from = 1; ; ) {
        const entries = store.load(queue, from, total, window, 1024 * 1024);
        if (entries.length === 0) break;
        loaded += entries.length;
        from = entries.at(-1)!.seq + 1;
      }
    });
    rate(`${what}, rows of ${batch} × 100 B`, loaded, seconds, "entries");
  }
  const settled = await timed(() => settleAll(store, total));
  rate("settle: in order, 256 a commit", total, settled, "settles");
  await store.close({ clean: true });
});

await withStore(async (store) => {
  const total = 200_000;
  const seconds = await timed(() => publishAll(store, total, 1024, 10));
  rate("commit: fan-out to 10 queues, 1 KiB", total, seconds, "messages");
  await store.close({ clean: true });
});

await withStore(async (store) => {
  const total = 20_000;
  const seconds = await timed(() => publishAll(store, total, 100, 1, 1));
  rate("commit: one message of 100 B each", total, seconds, "commits");
  figures.push({ what: `merge those ${total} rows`, value: await maintainAll(store) });
  await store.close({ clean: true });
});

console.log("| what | figure |\n|---|---|");
for (const { what, value } of figures) console.log(`| ${what} | ${value} |`);
