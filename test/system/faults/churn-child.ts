/**
 * Churns a store at full speed and prints what it saw, a line of JSON every second and one at the end.
 *
 *     node --import tsx churn-child.ts DIRECTORY SECONDS SEED
 */
import { statSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { MaintenanceLoop } from "../../../server/embedded/maintenance-loop.ts";
import { LmdbStore } from "../../../server/embedded/store/lmdb-store.ts";
import { ChurnModel, type ChurnQueue, expiresAt as expiryOf, isIntact } from "./churn-model.ts";
import { type LongestReads, ReadTimes } from "./read-times.ts";
import { seeded } from "./seeded.ts";

export interface ChurnLine {
  readonly seconds: number;
  readonly published: number;
  readonly publishedBytes: number;
  readonly settled: number;
  readonly purged: number;
  readonly browsed: number;
  readonly liveBytes: number;
  readonly peakLiveBytes: number;
  readonly fileBytes: number;
  readonly exported: number;
  readonly longestReads: LongestReads;
  /** Of the last line: what was left is right, before and after opening again. */
  readonly done: boolean;
}

const [directory, seconds, seed] = process.argv.slice(2) as [string, string, string];
const random = seeded(Number(seed));
const model = new ChurnModel({ queues: 50, random, maxLiveBytes: 200_000_000 });
const reads = new ReadTimes();
const store = new LmdbStore({ directory, reads });
await store.open();
const startMs = performance.now();
let isOver = false;
let browsed = 0;
let exported = 0;

function fail(error: unknown): void {
  process.stderr.write(`${(error as Error).stack}\n`);
  process.exit(3);
}

async function commit(): Promise<void> {
  while (!isOver) {
    const { changes, flushed } = model.next();
    reads.what = "commit";
    await store.commit(changes);
    flushed();
  }
}

const none = Buffer.alloc(0);

/** Compares a window of a queue with what must be there. */
function browse(from: LmdbStore, queue: ChurnQueue, first: number, maxEntries: number): number {
  const expected = queue.live.slice(first, first + maxEntries).filter(({ seq }) => seq <= queue.flushedSeq);
  const fromSeq = queue.live[first]?.seq ?? 0;
  reads.what = "load";
  const loaded = from.load(queue.id, fromSeq, queue.flushedSeq, maxEntries, 1_000_000);
  for (const [i, { seq, messageId, envelope, note, expiresAt }] of loaded.entries()) {
    if (seq !== expected[i]?.seq)
      throw new Error(`queue ${queue.id}: ${seq} where ${expected[i]?.seq} was to be`);
    if (!isIntact(messageId, envelope))
      throw new Error(`queue ${queue.id}: the envelope of ${seq} is not right`);
    if (expiresAt !== expiryOf(messageId))
      throw new Error(`queue ${queue.id}: ${seq} expires at the wrong time`);
    if (Buffer.compare(note ?? none, expected[i]!.note ?? none) !== 0)
      throw new Error(`queue ${queue.id}: the note of ${seq} is not right`);
  }
  // There may be fewer than were asked for: the next window begins with the first that is missing.
  if (loaded.length === 0 && expected.length > 0)
    throw new Error(`queue ${queue.id}: nothing from ${fromSeq} on, not ${expected.length}`);
  return loaded.length;
}

async function browseAtRandom(): Promise<void> {
  while (!isOver) {
    const queue = model.queues[Math.floor(random() * model.queues.length)]!;
    browsed += browse(store, queue, Math.floor(random() * queue.live.length), 1 + Math.floor(random() * 500));
    await sleep(2);
  }
}

/** Goes through one queue after the other from its beginning to its end, as far as that stays where it is. */
async function exportQueues(): Promise<void> {
  for (let at = 0; !isOver; at = (at + 1) % model.queues.length) {
    const queue = model.queues[at]!;
    for (let seq = 0; !isOver && seq <= queue.flushedSeq; ) {
      const first = queue.live.findIndex((entry) => entry.seq >= seq);
      if (first === -1) break;
      const count = browse(store, queue, first, 500);
      if (count === 0) break;
      exported += count;
      seq = queue.live[first + count - 1]!.seq + 1;
      await nextTurn();
    }
    await sleep(20);
  }
}

async function checkAll(from: LmdbStore): Promise<void> {
  for (const queue of model.queues) {
    for (let first = 0; first < queue.live.length; ) {
      first += browse(from, queue, first, 500);
      await nextTurn();
    }
  }
}

function report(done: boolean): void {
  const line: ChurnLine = {
    seconds: (performance.now() - startMs) / 1000,
    published: model.published,
    publishedBytes: model.publishedBytes,
    settled: model.settled,
    purged: model.purged,
    browsed,
    exported,
    liveBytes: model.liveBytes,
    peakLiveBytes: model.peakLiveBytes,
    fileBytes: statSync(join(directory, "store.mdb")).size,
    longestReads: reads.longest,
    done,
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

const maintenance = new MaintenanceLoop({
  store: {
    maintain() {
      reads.what = "maintain";
      return store.maintain();
    },
  },
  delay: (delayMs, callback) => void setTimeout(callback, delayMs).unref(),
  // At full speed there always is a commit under way.
  isBusy: () => true,
  onFailure: fail,
});
maintenance.start();
const reporting = setInterval(() => report(false), 1000);
setTimeout(() => {
  isOver = true;
}, Number(seconds) * 1000);
try {
  await Promise.all([commit(), browseAtRandom(), exportQueues()]);
  clearInterval(reporting);
  await maintenance.stop();
  await checkAll(store);
  await store.close({ clean: true });
  const again = new LmdbStore({ directory, reads });
  await again.open();
  await checkAll(again);
  await again.close({ clean: true });
  report(true);
} catch (error) {
  fail(error);
}
