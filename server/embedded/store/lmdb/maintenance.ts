import type { QueueId } from "../store.ts";
import type { CommitBuilder } from "./commit-builder.ts";
import type { DroppedRanges, GarbageRange } from "./dropped-ranges.ts";
import type { Environment } from "./environment.ts";
import { IndexRowReader } from "./index-row.ts";
import type { IndexRun } from "./index-run.ts";
import { messageKey, readMessageKey, readRunFirstSeq, readRunQueue, runKey } from "./keys.ts";
import type { MessageRowState } from "./message-row-state.ts";
import { type LiveEntry, mergeRuns, rewriteMessageRows } from "./rewriting.ts";
import type { RowCache } from "./row-cache.ts";
import type { StoredRows } from "./stored-rows.ts";

/** One step deletes or reads no more than this, so that it takes a few milliseconds and its commit stays small. */
const stepRows = 128;
const stepEntries = 4096;
const stepBytes = 512 * 1024;
const stepKeys = 1024;

/** Neighbours are merged up to this size, and only if there are some; what is larger than half of it is left alone. */
const mergedEntries = 1024;
const mergedBytes = 64 * 1024;
const leastMerged = 4;

/** A row whose dead messages take less is not worth writing again. */
const leastRewrittenBytes = 8 * 1024;
/** Nor is one of which more than this is still needed. */
const maxLiveShare = 0.25;

export interface MaintenanceOptions {
  /** A row that is mostly dead is rewritten when nothing has touched it for this many steps and commits. */
  readonly quietTicks: number;
  /** Merging begins when this many small rows have been written. */
  readonly smallRows: number;
}

interface QueueScan {
  readonly queue: QueueId;
  seq: number;
}

/**
 * The background work, in steps. Each step is a commit like any other: it takes its place in the order of commits, and goes
 * by the state in the cache, so that it agrees with the commits under way; rows that they have changed are left for later.
 */
export class Maintenance {
  readonly #environment: Environment;
  readonly #rows: StoredRows;
  readonly #cache: RowCache;
  readonly #dropped: DroppedRanges;
  readonly #options: MaintenanceOptions;
  /** First id of rows that are mostly dead → when they were last touched. */
  readonly #mostlyDead = new Map<number, number>();
  /** Queue → small runs written since they were last merged. */
  readonly #smallRuns = new Map<QueueId, number>();
  /** Queue → up to where its runs have been merged. */
  readonly #mergedBelow = new Map<QueueId, number>();
  readonly #scans: QueueScan[] = [];
  #smallMessageRows = 0;
  #messagesMergedBelow = 0;
  #isMergingMessages = true;
  /** After a start, until all have been looked at: where to go on in `refs`. */
  #referencesFrom: number | undefined = 0;
  #clock = 0;

  constructor(
    environment: Environment,
    rows: StoredRows,
    cache: RowCache,
    dropped: DroppedRanges,
    options: MaintenanceOptions,
    queues: Iterable<QueueId>,
  ) {
    this.#environment = environment;
    this.#rows = rows;
    this.#cache = cache;
    this.#dropped = dropped;
    this.#options = options;
    // After a start nothing is known of the runs: small ones, and entries that did not survive, have to be looked for.
    for (const queue of queues) this.#scans.push({ queue, seq: 0 });
  }

  /** A commit has left these rows of messages with fewer references. */
  noteShrunk(rows: readonly MessageRowState[]): void {
    this.#clock++;
    for (const row of rows) {
      if (row.isMostlyDead && row.rowBytes > leastRewrittenBytes)
        this.#mostlyDead.set(row.first, this.#clock);
    }
  }

  noteRetired(rows: readonly MessageRowState[]): void {
    for (const row of rows) this.#mostlyDead.delete(row.first);
  }

  /** A commit has added a run. */
  noteAppended(queue: QueueId, firstSeq: number, entries: number): void {
    if (entries > mergedEntries / leastMerged) return;
    const small = (this.#smallRuns.get(queue) ?? 0) + 1;
    if (small < this.#options.smallRows) {
      this.#smallRuns.set(queue, small);
      return;
    }
    this.#smallRuns.delete(queue);
    if (this.#scans.some((scan) => scan.queue === queue)) return;
    this.#scans.push({ queue, seq: Math.min(this.#mergedBelow.get(queue) ?? 0, firstSeq) });
  }

  noteMessageRow(messages: number): void {
    if (messages <= mergedEntries / leastMerged && ++this.#smallMessageRows >= this.#options.smallRows) {
      this.#isMergingMessages = true;
    }
  }

  noteDropped(queue: QueueId): void {
    this.#smallRuns.delete(queue);
    this.#mergedBelow.delete(queue);
  }

  /** Puts one step's writes into `builder`, if there is anything to do; says whether there may be more. */
  step(builder: CommitBuilder, flushedCommit: number): boolean {
    this.#clock++;
    const garbage = this.#dropped.next(flushedCommit);
    if (garbage !== undefined) {
      this.#collect(builder, garbage);
      return true;
    }
    const scan = this.#scans[0];
    if (scan !== undefined) {
      if (!this.#mergeRuns(builder, scan, flushedCommit)) this.#scans.shift();
      return true;
    }
    if (this.#referencesFrom !== undefined) {
      this.#findMostlyDead(this.#referencesFrom);
      return true;
    }
    if (this.#isMergingMessages) {
      this.#mergeMessages(builder, flushedCommit);
      return true;
    }
    return this.#rewrite(builder, flushedCommit);
  }

  /** Settles what is left of a dropped range, which deletes its rows and releases its messages. */
  #collect(builder: CommitBuilder, garbage: GarbageRange): void {
    const { queue, toSeq } = garbage;
    const from = garbage.doneBelow;
    const floor = this.#environment.floorKey("index", runKey(queue, from));
    const start = floor !== undefined && readRunQueue(floor) === queue ? floor : runKey(queue, from);
    let rows = 0;
    let entries = 0;
    for (const { key, value } of this.#environment.rows("index", start, stepRows + 1)) {
      const firstSeq = readRunFirstSeq(key);
      if (readRunQueue(key) !== queue || firstSeq > toSeq) break;
      if (rows++ === stepRows || entries > stepEntries) {
        garbage.doneBelow = firstSeq;
        return;
      }
      const row = IndexRowReader.read(value, queue, firstSeq);
      if (row === undefined) {
        // What it referred to cannot be known any more.
        if (firstSeq >= from) builder.removeRun(queue, firstSeq);
        continue;
      }
      const run = this.#rows.runOf(row);
      for (let ordinal = row.ordinalFrom(from); ordinal < row.count; ordinal++) {
        const seq = row.seqAt(ordinal);
        if (seq > toSeq) break;
        builder.settle(queue, seq, row.messageIdAt(ordinal));
        entries++;
      }
      if (run === undefined && firstSeq >= from) builder.removeRun(queue, firstSeq);
    }
    builder.forget(garbage);
    this.#dropped.delete(garbage);
  }

  /** Merges small neighbouring runs; false if the queue has been gone through. */
  #mergeRuns(builder: CommitBuilder, scan: QueueScan, flushedCommit: number): boolean {
    let entries: LiveEntry[] = [];
    let runs: IndexRun[] = [];
    const endGroup = () => {
      if (runs.length >= leastMerged) mergeRuns(builder, runs, entries);
      entries = [];
      runs = [];
    };
    let bytes = 0;
    let next: number | undefined;
    for (const { key, value } of this.#environment.rows("index", runKey(scan.queue, scan.seq), stepRows)) {
      if (readRunQueue(key) !== scan.queue) {
        next = undefined;
        break;
      }
      const firstSeq = readRunFirstSeq(key);
      next = firstSeq;
      bytes += value.length;
      if (bytes > stepBytes) break;
      next = firstSeq + 1;
      const row = IndexRowReader.read(value, scan.queue, firstSeq);
      const run = row && this.#rows.runOf(row);
      if (row === undefined || run === undefined || run.commit > flushedCommit || !run.hasShapeOf(row)) {
        endGroup();
        continue;
      }
      builder.settleExpired(run);
      if (run.commit === builder.commit || run.live > mergedEntries / 2) {
        endGroup();
        continue;
      }
      if (entries.length + run.live > mergedEntries) endGroup();
      runs.push(run);
      addLive(row, run, entries);
    }
    // The last group may go on behind the step's end: the next step begins with it, unless it is all there is.
    const restart = next !== undefined && runs.length < leastMerged ? runs[0]?.first : undefined;
    endGroup();
    if (next === undefined || restart === scan.seq) {
      this.#mergedBelow.set(scan.queue, scan.seq);
      return false;
    }
    scan.seq = restart ?? next;
    return true;
  }

  #findMostlyDead(from: number): void {
    const keys = this.#environment.keys("refs", messageKey(from), stepRows);
    for (const key of keys) {
      const row = this.#rows.messageRowAt(readMessageKey(key));
      if (row !== undefined) this.noteShrunk([row]);
    }
    const last = keys.at(-1);
    this.#referencesFrom =
      last === undefined || keys.length < stepRows ? undefined : readMessageKey(last) + 1;
  }

  #mergeMessages(builder: CommitBuilder, flushedCommit: number): void {
    const keys = this.#environment.keys("messages", messageKey(this.#messagesMergedBelow), stepKeys);
    const ids = keys.map(readMessageKey);
    let group: MessageRowState[] = [];
    let bytes = 0;
    let read = 0;
    const endGroup = () => {
      if (group.length >= leastMerged) rewriteMessageRows(builder, group, 1, this.#environment, this.#cache);
      group = [];
      bytes = 0;
    };
    let at = 0;
    for (; at < ids.length && read < stepBytes; at++) {
      const firstId = ids[at]!;
      // How many messages a row has at most is seen from the next key: large rows are not even read.
      const most = (ids[at + 1] ?? Number.POSITIVE_INFINITY) - firstId;
      if (most > mergedEntries / leastMerged) {
        endGroup();
        continue;
      }
      const row = this.#rows.messageRowAt(firstId);
      read += row?.rowBytes ?? 0;
      const isSmall = row !== undefined && row.rowBytes <= mergedBytes / leastMerged;
      if (!isSmall || row.commit > flushedCommit || row.live === 0) {
        endGroup();
        continue;
      }
      if (bytes + row.rowBytes > mergedBytes) endGroup();
      group.push(row);
      bytes += row.rowBytes;
    }
    const isEnd = at >= ids.length && ids.length < stepKeys;
    const restart = !isEnd && group.length > 0 && group.length < leastMerged ? group[0]!.first : undefined;
    endGroup();
    if (isEnd || restart === this.#messagesMergedBelow) {
      this.#isMergingMessages = false;
      this.#smallMessageRows = 0;
    }
    if (ids.length > 0 && !isEnd) this.#messagesMergedBelow = restart ?? ids[at - 1]! + 1;
  }

  /** Writes a row that is mostly dead again, without what is dead. */
  #rewrite(builder: CommitBuilder, flushedCommit: number): boolean {
    for (const [firstId, touched] of this.#mostlyDead) {
      const row = this.#rows.messageRowAt(firstId);
      if (row === undefined || !row.isMostlyDead) {
        this.#mostlyDead.delete(firstId);
        continue;
      }
      if (this.#clock - touched < this.#options.quietTicks || row.commit > flushedCommit) continue;
      this.#mostlyDead.delete(firstId);
      rewriteMessageRows(builder, [row], maxLiveShare, this.#environment, this.#cache);
      return true;
    }
    return false;
  }
}

function addLive(row: IndexRowReader, run: IndexRun, entries: LiveEntry[]): void {
  for (let ordinal = 0; ordinal < row.count; ordinal++) {
    if (run.isSettled(ordinal)) continue;
    entries.push({
      seq: row.seqAt(ordinal),
      messageId: row.messageIdAt(ordinal),
      flags: row.flagsAt(ordinal),
      bytes: row.bytesAt(ordinal),
      priority: row.priorityAt(ordinal),
      attempts: run.attempts?.get(ordinal) ?? 0,
    });
  }
}
