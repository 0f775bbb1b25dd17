import type { QueueId } from "../store.ts";
import type { CommitBuilder } from "./commit-builder.ts";
import type { DroppedRanges, GarbageRange } from "./dropped-ranges.ts";
import type { Environment } from "./environment.ts";
import { IndexRowReader, maxRunEntries } from "./index-row.ts";
import { noteKey, readNoteQueue, readNoteSeq, readRunFirstSeq, readRunQueue, runKey } from "./keys.ts";
import type { StepBudget } from "./step-budget.ts";
import type { StoredRows } from "./stored-rows.ts";

/** So much of the index is read at a time, */
const rowsAtATime = 16;
const bytesAtATime = 256 * 1024;
/** and after so many entries the time is looked at: each may be in a row of messages of its own. */
const entriesAtATime = 64;

/** Deletes what has been dropped, by settling it: that deletes the rows and releases the messages. */
export class GarbageCollection {
  readonly #environment: Environment;
  readonly #rows: StoredRows;
  readonly #dropped: DroppedRanges;

  constructor(environment: Environment, rows: StoredRows, dropped: DroppedRanges) {
    this.#environment = environment;
    this.#rows = rows;
    this.#dropped = dropped;
  }

  /** There is a range whose rows may be deleted: until then their room cannot be used again, and it may be much. */
  isWaiting(flushedCommit: number): boolean {
    return this.#dropped.next(flushedCommit) !== undefined;
  }

  /** One step; false if there is nothing to do. */
  step(builder: CommitBuilder, flushedCommit: number, budget: StepBudget): boolean {
    const garbage = this.#dropped.next(flushedCommit);
    if (garbage === undefined) return false;
    while (this.#deleteSome(garbage, builder, budget)) if (budget.isSpent) return true;
    builder.forget(garbage);
    this.#dropped.delete(garbage);
    return true;
  }

  /** Returns whether there is more of the range. */
  #deleteSome(garbage: GarbageRange, builder: CommitBuilder, budget: StepBudget): boolean {
    const { queue, toSeq, doneBelow: from } = garbage;
    const floor = this.#environment.floorKey("index", runKey(queue, from));
    const start = floor !== undefined && readRunQueue(floor) === queue ? floor : runKey(queue, from);
    const end = runKey(queue + 1, 0);
    const { rows, isEnd } = this.#environment.readRows("index", start, end, rowsAtATime, bytesAtATime);
    let entries = 0;
    for (const { key, value } of rows) {
      const firstSeq = readRunFirstSeq(key);
      if (firstSeq > toSeq) return false;
      const row = IndexRowReader.read(value, queue, firstSeq);
      if (row === undefined || this.#rows.runOf(row) === undefined) {
        // Damaged: what it referred to cannot be known any more.
        if (firstSeq >= from) {
          builder.removeRun(queue, firstSeq);
          this.#removeNotes(builder, queue, firstSeq);
        }
        garbage.doneBelow = Math.max(from, firstSeq + 1);
        continue;
      }
      for (let ordinal = row.ordinalFrom(from); ordinal < row.count; ordinal++) {
        const seq = row.seqAt(ordinal);
        if (seq > toSeq) return false;
        garbage.doneBelow = seq;
        if (++entries % entriesAtATime === 0 && budget.isSpent) return true;
        builder.settle(queue, seq, row.messageIdAt(ordinal));
      }
      garbage.doneBelow = Math.max(from, row.lastSeq + 1);
    }
    return !isEnd;
  }

  /** Removes the notes of a damaged run, which reached as far as the next one at most. */
  #removeNotes(builder: CommitBuilder, queue: QueueId, firstSeq: number): void {
    const [next] = this.#environment.keys("index", runKey(queue, firstSeq + 1), 1);
    const isLast = next === undefined || readRunQueue(next) !== queue;
    const end = isLast ? Number.POSITIVE_INFINITY : readRunFirstSeq(next);
    for (const key of this.#environment.keys("notes", noteKey(queue, firstSeq), maxRunEntries)) {
      const seq = readNoteSeq(key);
      if (readNoteQueue(key) !== queue || seq >= end) return;
      builder.removeNote(queue, seq);
    }
  }
}
