/**
 * What is known in memory of a row of messages: how many references each one has left, including what commits under way
 * say.
 */
export class MessageRowState {
  /** First id, as in the key. */
  readonly first: number;
  readonly last: number;
  readonly count: number;
  /** The ids less `first`; undefined if they rise by one. */
  readonly idDeltas: Uint32Array | undefined;
  readonly remaining: Uint32Array;
  /** Bytes of the envelopes; one number if they are all the same. */
  readonly lengths: Uint32Array | number;
  readonly rowBytes: number;
  /** Messages that are still referred to. */
  live: number;
  /** Bytes of the envelopes of the others. */
  deadBytes: number;
  /** There is a row in `refs`, or will be when the commits under way are done. */
  hasReferencesRow: boolean;
  /** The last commit that changed this row: until that is flushed it must stay in memory. */
  commit = 0;
  /** The commit that has it on its list of what to write. */
  changedIn = 0;
  /** For the cache: when it was last needed. */
  usedAt = 0;

  constructor(
    first: number,
    idDeltas: Uint32Array | undefined,
    remaining: Uint32Array,
    lengths: Uint32Array | number,
    rowBytes: number,
    hasReferencesRow: boolean,
  ) {
    const count = remaining.length;
    this.first = first;
    this.last = first + (idDeltas === undefined ? count : (idDeltas[count - 1] ?? 0) + 1) - 1;
    this.count = count;
    this.idDeltas = idDeltas;
    this.remaining = remaining;
    this.lengths = lengths;
    this.rowBytes = rowBytes;
    this.hasReferencesRow = hasReferencesRow;
    let live = 0;
    let deadBytes = 0;
    for (let i = 0; i < count; i++) {
      if (remaining[i] !== 0) live++;
      else deadBytes += this.lengthAt(i);
    }
    this.live = live;
    this.deadBytes = deadBytes;
  }

  get memoryBytes(): number {
    const lengthBytes = typeof this.lengths === "number" ? 0 : this.lengths.byteLength;
    return 260 + this.remaining.byteLength + lengthBytes + (this.idDeltas?.byteLength ?? 0);
  }

  lengthAt(ordinal: number): number {
    return typeof this.lengths === "number" ? this.lengths : this.lengths[ordinal]!;
  }

  /** One reference less. */
  release(ordinal: number): void {
    if (--this.remaining[ordinal]! > 0) return;
    this.live--;
    this.deadBytes += this.lengthAt(ordinal);
  }

  /** -1 if the message is not in the row. */
  ordinalOf(id: number): number {
    const delta = id - this.first;
    const deltas = this.idDeltas;
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
}
