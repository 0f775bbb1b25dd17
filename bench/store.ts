/**
 * What the store on disk does alone: `node --import tsx bench/store.ts [directory]`. Prints a Markdown table.
 * The directory defaults to one beside this checkout's temporary files; take one on the disk that is meant.
 */
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LmdbStore } from "../server/embedded/store/lmdb-store.ts";
import type { Changes, NewEntry, NewMessage, SettledEntry } from "../server/embedded/store/store.ts";

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
    appended.push({ seq: id, messageId: id, flags: 0, bytes: envelope.length, priority: 0 });
  }
  const counters = { nextSeq: firstId + count, messages: firstId + count - 1, bytes: 0 };
  const changes = [];
  for (let i = 0; i < queues; i++) changes.push({ queue: queue + i, counters, appended, settled: [], attempted: [] });
  return { messages, queues: changes, dropped: [], records: [] };
}

function settle(firstSeq: number, count: number): Changes {
  const settled: SettledEntry[] = [];
  for (let seq = firstSeq; seq < firstSeq + count; seq++) settled.push({ seq, messageId: seq });
  const counters = { nextSeq: 1, messages: 0, bytes: 0 };
  return { messages: [], queues: [{ queue, counters, appended: [], settled, attempted: [] }], dropped: [], records: [] };
}

/** Hands commits over, three at a time; `make` returns nothing when there are no more. */
async function commitAll(store: LmdbStore, make: () => Changes | undefined): Promise<void> {
  const worker = async () => {
    for (let changes = make(); changes !== undefined; changes = make()) await store.commit(changes);
  };
  await Promise.all(Array.from({ length: commitsInFlight }, worker));
}

async function publishAll(store: LmdbStore, total: number, bytes: number, queues = 1, size = batch): Promise<void> {
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

async function withStore(work: (store: LmdbStore, directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(process.argv[2] ?? tmpdir(), "posthorn-bench-"));
  const store = new LmdbStore({ directory });
  await store.open();
  try {
    await work(store, directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

await withStore(async (store) => {
  const total = 400_000;
  await publishAll(store, 20_000, 1024);
  await settleAll(store, 20_000);
  const seconds = await timed(() => publishAll(store, total, 1024));
  rate(`commit: ${batch} messages of 1 KiB, ${commitsInFlight} commits in flight`, total, seconds, "messages");
  await store.close({ clean: true });
});

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
  let steps = 0;
  const merged = await timed(async () => {
    while (await store.maintain()) steps++;
  });
  figures.push({ what: `merge those ${total} rows`, value: `${merged.toFixed(2)} s in ${steps} steps` });
  await store.close({ clean: true });
});

await withStore(async (store, directory) => {
  const total = 3_000_000;
  const before = await anonymousBytes();
  await publishAll(store, total, 100);
  globalThis.gc?.();
  figures.push({ what: "anonymous memory, 3 M messages queued", value: `+${mebibytes((await anonymousBytes()) - before)}` });
  await store.close({ clean: true });
  const again = new LmdbStore({ directory });
  const opened = await timed(() => again.open());
  figures.push({ what: "open with 3 M messages queued", value: `${(opened * 1000).toFixed(0)} ms` });
  const counters = { nextSeq: 1, messages: 0, bytes: 0 };
  const queues = [{ queue, counters, appended: [], settled: [], attempted: [] }];
  await again.commit({ messages: [], queues, dropped: [{ queue, fromSeq: 0, toSeq: total }], records: [] });
  let steps = 0;
  let longestMs = 0;
  const purged = await timed(async () => {
    for (;;) {
      const startMs = performance.now();
      const step = again.maintain();
      longestMs = Math.max(longestMs, performance.now() - startMs);
      if (!(await step)) break;
      steps++;
    }
  });
  const detail = `${purged.toFixed(2)} s, ${steps} steps, longest ${longestMs.toFixed(1)} ms`;
  figures.push({ what: "delete 3 M purged messages in the background", value: detail });
  figures.push({ what: "longest read transaction", value: `${again.longestReadMs.toFixed(1)} ms` });
  figures.push({ what: "file", value: mebibytes((await stat(join(directory, "store.mdb"))).size) });
  await again.close({ clean: true });
});

console.log("| what | figure |\n|---|---|");
for (const { what, value } of figures) console.log(`| ${what} | ${value} |`);
