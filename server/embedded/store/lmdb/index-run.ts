import type { QueueId } from "../store.ts";
import type { IndexRowReader } from "./index-row.ts";
import { bitmapBytes, type RunState } from "./small-rows.ts";

/** An entry that did not survive the restart but is still in its run. */
export interface ExpiredEntry {
  readonly seq: number;
  readonly messageId: number;
}

/**
 * What is known in memory of a run: its shape, and which of its entries are settled, including what commits under way say.
 * Where such a commit has changed a run, this is the truth and the row on disk is not.
 */
export class IndexRun {
  readonly queue: QueueId;
  /** First seq, as in the key. */
  readonly first: number;
  readonly last: number;
  readonly count: number;
  /** The seqs less `first`; undefined if they rise by one. */
  readonly seqDeltas: Uint32Array | undefined;
  readonly settled: Uint8Array;
  attempts: Map<number, number> | undefined;
  /** Bitmap of entries that have a note; undefined if none ever had. */
  noted: Uint8Array | undefined;
  /** Entries that are not settled. */
  live: number;
  /** There is a row in `state`, or will be when the commits under way are done. */
  hasStateRow: boolean;
  /** The last commit that changed this run: until that is flushed it must stay in memory. */
  commit = 0;
  /** The commit that has it on its list of what to write. */
  changedIn = 0;
  /** For the cache: when it was last needed. */
  usedAt = 0;
  /** The run into which this one has been merged. */
  mergedInto: IndexRun | undefined = undefined;
  /** Entries to be settled by the next commit that touches the run. */
  expired: readonly ExpiredEntry[] | undefined = undefined;

  constructor(
    queue: QueueId,
    first: number,
    last: number,
    count: number,
    seqDeltas: Uint32Array | undefined,
    state: RunState | undefined,
  ) {
    this.queue = queue;
    this.first = first;
    this.last = last;
    this.count = count;
    this.seqDeltas = seqDeltas;
    this.settled = state?.settled ?? new Uint8Array(bitmapBytes(count));
    this.attempts = state?.attempts;
    this.noted = state?.noted;
    this.live = state === undefined ? count : count - countBits(state.settled);
    this.hasStateRow = state !== undefined;
  }

  get memoryBytes(): number {
    const bitmaps = this.settled.length + (this.noted?.length ?? 0);
    return 250 + bitmaps + (this.seqDeltas?.byteLength ?? 0) + 40 * (this.attempts?.size ?? 0);
  }

  /** -1 if no entry of the run has this seq. */
  ordinalOf(seq: number): number {
    const delta = seq - this.first;
    const deltas = this.seqDeltas;
    if (deltas === undefined) return delta >= 0 && delta < this.count ? delta : -1;
    let low = 0;
    let high = deltas.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const found = deltas[middle]!;
      if (found === delta) return middle;
      if (found < delta) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  isSettled(ordinal: number): boolean {
    return (this.settled[ordinal >>> 3]! & (1 << (ordinal & 7))) !== 0;
  }

  /** Marks the entry as settled; false if it was already. */
  settle(ordinal: number): boolean {
    const at = ordinal >>> 3;
    const bit = 1 << (ordinal & 7);
    if (this.settled[at]! & bit) return false;
    this.settled[at]! |= bit;
    this.live--;
    this.attempts?.delete(ordinal);
    return true;
  }

  hasNote(ordinal: number): boolean {
    return this.noted !== undefined && (this.noted[ordinal >>> 3]! & (1 << (ordinal & 7))) !== 0;
  }

  addNote(ordinal: number): void {
    this.noted ??= new Uint8Array(bitmapBytes(this.count));
    this.noted[ordinal >>> 3]! |= 1 << (ordinal & 7);
  }

  /** False if there was none. */
  removeNote(ordinal: number): boolean {
    if (!this.hasNote(ordinal)) return false;
    this.noted![ordinal >>> 3]! &= ~(1 << (ordinal & 7));
    return true;
  }

  /** Whether this is what the row says, and not what the row will be. */
  hasShapeOf(row: IndexRowReader): boolean {
    return this.count === row.count && this.last === row.lastSeq;
  }
}

function countBits(bytes: Uint8Array): number {
  let bits = 0;
  for (let byte of bytes) {
    for (; byte !== 0; byte &= byte - 1) bits++;
  }
  return bits;
}
