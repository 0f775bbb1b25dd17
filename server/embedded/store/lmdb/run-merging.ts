import type { QueueId } from "../store.ts";
import type { CommitBuilder } from "./commit-builder.ts";
import type { Environment } from "./environment.ts";
import { IndexRowReader } from "./index-row.ts";
import type { IndexRun } from "./index-run.ts";
import { readRunFirstSeq, runKey } from "./keys.ts";
import { type LiveEntry, mergeRuns } from "./rewriting.ts";
import type { StepBudget } from "./step-budget.ts";
import type { StoredRows } from "./stored-rows.ts";

const stepRows = 256;
const stepBytes = 512 * 1024;
/** Runs are merged up to this many entries; one that holds more than half of it is left alone. */
const mergedEntries = 1024;
/** So many neighbours have to come together for it to be worth while. */
const leastMerged = 4;

interface QueueScan {
  readonly queue: QueueId;
  seq: number;
}

/**
 * Makes larger runs of small ones, which a message now and then leaves in the index. A queue is gone through when enough
 * small runs have been added to it, from where merging ended the last time; and once after a start, which at the same time
 * settles the entries that did not survive it.
 */
export class RunMerging {
  readonly #environment: Environment;
  readonly #rows: StoredRows;
  readonly #leastSmallRuns: number;
  readonly #scans: QueueScan[];
  /** Queue → small runs added since it was gone through. */
  readonly #smallRuns = new Map<QueueId, number>();
  /** Queue → everything below has been merged. */
  readonly #mergedBelow = new Map<QueueId, number>();

  constructor(environment: Environment, rows: StoredRows, leastSmallRuns: number, queues: Iterable<QueueId>) {
    this.#environment = environment;
    this.#rows = rows;
    this.#leastSmallRuns = leastSmallRuns;
    this.#scans = [...queues].map((queue) => ({ queue, seq: 0 }));
  }

  /** A commit has added entries. */
  noteAppended(queue: QueueId, firstSeq: number, entries: number): void {
    if (entries > mergedEntries / leastMerged) return;
    const small = (this.#smallRuns.get(queue) ?? 0) + 1;
    if (small < this.#leastSmallRuns) {
      this.#smallRuns.set(queue, small);
      return;
    }
    this.#smallRuns.delete(queue);
    if (this.#scans.some((scan) => scan.queue === queue)) return;
    this.#scans.push({ queue, seq: Math.min(this.#mergedBelow.get(queue) ?? 0, firstSeq) });
  }

  noteDropped(queue: QueueId): void {
    this.#smallRuns.delete(queue);
    this.#mergedBelow.delete(queue);
  }

  /** One step, through as many queues as it has time for; false if there is nothing to do. */
  step(builder: CommitBuilder, flushedCommit: number, budget: StepBudget): boolean {
    if (this.#scans.length === 0) return false;
    do {
      const scan = this.#scans[0]!;
      if (this.#scan(builder, scan, flushedCommit, budget)) break;
      this.#scans.shift();
      this.#mergedBelow.set(scan.queue, scan.seq);
    } while (this.#scans.length > 0 && !budget.isSpent);
    return true;
  }

  /** Returns whether there is more of the queue; `scan` is where to go on, or where to begin the next time. */
  #scan(builder: CommitBuilder, scan: QueueScan, flushedCommit: number, budget: StepBudget): boolean {
    const group = new Group(builder);
    let next = scan.seq;
    const [start, end] = [runKey(scan.queue, scan.seq), runKey(scan.queue + 1, 0)];
    const read = this.#environment.readRows("index", start, end, stepRows, stepBytes);
    let { isEnd } = read;
    for (const { key, value } of read.rows) {
      if (next !== scan.seq && budget.isSpent) {
        isEnd = false;
        break;
      }
      const firstSeq = readRunFirstSeq(key);
      next = firstSeq + 1;
      const row = IndexRowReader.read(value, scan.queue, firstSeq);
      const run = row && this.#rows.runOf(row);
      // What commits under way have changed is left for another time.
      if (row === undefined || run === undefined || run.commit > flushedCommit || !run.hasShapeOf(row)) {
        group.end();
        continue;
      }
      builder.settleExpired(run);
      if (run.commit === builder.commit || run.live > mergedEntries / 2) group.end();
      else group.add(run, row);
    }
    // The last group may go on behind this step: the next one begins with what has become of it, if that leads any further.
    const { first } = group;
    const isMerged = group.end();
    if (first !== undefined && (isEnd || isMerged || first !== scan.seq)) scan.seq = first;
    else scan.seq = next;
    return !isEnd;
  }
}

/** Neighbouring small runs. */
class Group {
  readonly #builder: CommitBuilder;
  #runs: IndexRun[] = [];
  #entries: LiveEntry[] = [];

  constructor(builder: CommitBuilder) {
    this.#builder = builder;
  }

  /** Where the group begins, if it is still small. */
  get first(): number | undefined {
    return this.#entries.length > mergedEntries / 2 ? undefined : this.#runs[0]?.first;
  }

  add(run: IndexRun, row: IndexRowReader): void {
    if (this.#entries.length + run.live > mergedEntries) this.end();
    this.#runs.push(run);
    for (let ordinal = 0; ordinal < row.count; ordinal++) {
      if (run.isSettled(ordinal)) continue;
      this.#entries.push({
        seq: row.seqAt(ordinal),
        messageId: row.messageIdAt(ordinal),
        flags: row.flagsAt(ordinal),
        bytes: row.bytesAt(ordinal),
        priority: row.priorityAt(ordinal),
        expiresAt: row.expiresAt(ordinal),
        note: undefined,
        attempts: run.attempts?.get(ordinal) ?? 0,
        hasNote: run.hasNote(ordinal),
      });
    }
  }

  /** Merges what was added, if it is worth while. */
  end(): boolean {
    const isMerged = this.#runs.length >= leastMerged && mergeRuns(this.#builder, this.#runs, this.#entries);
    this.#runs = [];
    this.#entries = [];
    return isMerged;
  }
}
