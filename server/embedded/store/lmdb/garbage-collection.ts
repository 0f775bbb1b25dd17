import type { QueueId } from "../store.ts";
import type { CommitBuilder } from "./commit-builder.ts";
import type { DroppedRanges } from "./dropped-ranges.ts";
import type { Environment } from "./environment.ts";
import { IndexRowReader, maxRunEntries } from "./index-row.ts";
import { noteKey, readNoteQueue, readNoteSeq, readRunFirstSeq, readRunQueue, runKey } from "./keys.ts";
import type { StoredRows } from "./stored-rows.ts";

const stepRows = 64;
const stepEntries = 2048;

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

  /** One step; false if there is nothing to do. */
  step(builder: CommitBuilder, flushedCommit: number): boolean {
    const garbage = this.#dropped.next(flushedCommit);
    if (garbage === undefined) return false;
    const { queue, toSeq, doneBelow: from } = garbage;
    const floor = this.#environment.floorKey("index", runKey(queue, from));
    const start = floor !== undefined && readRunQueue(floor) === queue ? floor : runKey(queue, from);
    let rows = 0;
    let entries = 0;
    for (const { key, value } of this.#environment.rows("index", start, stepRows + 1)) {
      const firstSeq = readRunFirstSeq(key);
      if (readRunQueue(key) !== queue || firstSeq > toSeq) break;
      if (rows++ === stepRows || entries > stepEntries) {
        garbage.doneBelow = firstSeq;
        return true;
      }
      const row = IndexRowReader.read(value, queue, firstSeq);
      if (row === undefined || this.#rows.runOf(row) === undefined) {
        // Damaged: what it referred to cannot be known any more.
        if (firstSeq >= from) {
          builder.removeRun(queue, firstSeq);
          this.#removeNotes(builder, queue, firstSeq);
        }
        continue;
      }
      for (let ordinal = row.ordinalFrom(from); ordinal < row.count; ordinal++) {
        const seq = row.seqAt(ordinal);
        if (seq > toSeq) break;
        builder.settle(queue, seq, row.messageIdAt(ordinal));
        entries++;
      }
    }
    builder.forget(garbage);
    this.#dropped.delete(garbage);
    return true;
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
