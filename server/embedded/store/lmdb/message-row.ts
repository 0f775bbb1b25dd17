import { isIntact, seal } from "./checksum.ts";

/**
 * A row of `messages`: envelopes of one commit, one after another, behind a table that finds them. Layout, all numbers
 * little-endian:
 *
 *     0  u32  checksum            12  u32  references of every message, if they are all the same
 *     4  u32  count               16  u32 × count  id - first id          (absent if ids rise by one)
 *     8  u32  flags                   u32 × count  references             (absent if they are all the same)
 *                                     u32 × count  end of the envelope, counted from the first one's start
 *                                     envelopes
 *
 * Fixed columns and not varints, because messages are looked up singly, and the common case is down to four bytes anyway.
 */
const headerBytes = 16;
const idsRiseByOne = 1;
const sameReferences = 2;

/** What is to be written as one row. Parallel lists. */
export interface MessageBatch {
  readonly ids: readonly number[];
  readonly envelopes: readonly Uint8Array[];
  /** How many queue entries refer to each message. */
  readonly references: ArrayLike<number>;
}

/** Ids of one row must lie less than this apart. */
export const maxIdSpan = 0xffff_ffff;

/** Writes messages `from` to `to` (exclusive) as the row of key `firstId`, which is at most the first one's id. */
export function encodeMessageRow(batch: MessageBatch, from: number, to: number, firstId: number): Uint8Array {
  const { ids, envelopes, references } = batch;
  const count = to - from;
  let bodyBytes = 0;
  let flags = idsRiseByOne | sameReferences;
  const firstReferences = references[from]!;
  for (let i = from; i < to; i++) {
    bodyBytes += envelopes[i]!.length;
    if (ids[i] !== firstId + (i - from)) flags &= ~idsRiseByOne;
    if (references[i] !== firstReferences) flags &= ~sameReferences;
  }
  const idColumn = headerBytes;
  const referenceColumn = idColumn + (flags & idsRiseByOne ? 0 : 4 * count);
  const endColumn = referenceColumn + (flags & sameReferences ? 0 : 4 * count);
  const body = endColumn + 4 * count;

  const row = Buffer.allocUnsafeSlow(body + bodyBytes);
  const view = new DataView(row.buffer, row.byteOffset, row.length);
  view.setUint32(4, count, true);
  view.setUint32(8, flags, true);
  view.setUint32(12, flags & sameReferences ? firstReferences : 0, true);
  let end = 0;
  for (let i = from; i < to; i++) {
    const at = 4 * (i - from);
    if (!(flags & idsRiseByOne)) view.setUint32(idColumn + at, ids[i]! - firstId, true);
    if (!(flags & sameReferences)) view.setUint32(referenceColumn + at, references[i]!, true);
    const envelope = envelopes[i]!;
    row.set(envelope, body + end);
    end += envelope.length;
    view.setUint32(endColumn + at, end, true);
  }
  return seal(row, firstId);
}

/** The one number that a list repeats, or the list. */
export function sameOrAll(numbers: Uint32Array): Uint32Array | number {
  const first = numbers[0] ?? 0;
  for (let i = 1; i < numbers.length; i++) if (numbers[i] !== first) return numbers;
  return first;
}

/** Reads a row where it lies; valid as long as the bytes are. */
export class MessageRowReader {
  readonly firstId: number;
  readonly count: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #flags: number;
  readonly #sameReferences: number;
  readonly #referenceColumn: number;
  readonly #endColumn: number;
  readonly #body: number;

  /** @returns undefined if the row is damaged. */
  static read(bytes: Uint8Array, firstId: number): MessageRowReader | undefined {
    if (bytes.length < headerBytes || !isIntact(bytes, firstId)) return undefined;
    return new MessageRowReader(bytes, firstId);
  }

  /** Length of the whole row. */
  get bytes(): number {
    return this.#bytes.length;
  }

  /** For a row that has been found intact before. */
  constructor(bytes: Uint8Array, firstId: number) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.firstId = firstId;
    this.#bytes = bytes;
    this.#view = view;
    this.count = view.getUint32(4, true);
    this.#flags = view.getUint32(8, true);
    this.#sameReferences = view.getUint32(12, true);
    this.#referenceColumn = headerBytes + (this.#flags & idsRiseByOne ? 0 : 4 * this.count);
    this.#endColumn = this.#referenceColumn + (this.#flags & sameReferences ? 0 : 4 * this.count);
    this.#body = this.#endColumn + 4 * this.count;
  }

  /** What the checksum cannot tell: that the row was built right. For checking; reading goes by the checksum. */
  get isWellFormed(): boolean {
    const { count } = this;
    if (count === 0 || this.#body > this.#bytes.length) return false;
    let previousId = this.firstId - 1;
    let previousEnd = 0;
    for (let ordinal = 0; ordinal < count; ordinal++) {
      const id = this.idAt(ordinal);
      const end = this.#endAt(ordinal);
      if (id <= previousId || end < previousEnd) return false;
      previousId = id;
      previousEnd = end;
    }
    return this.#body + previousEnd === this.#bytes.length;
  }

  /** Bytes of the envelopes; one number if they are all the same. */
  lengths(): Uint32Array | number {
    const lengths = new Uint32Array(this.count);
    for (let i = 0; i < lengths.length; i++) lengths[i] = this.lengthAt(i);
    return sameOrAll(lengths);
  }

  /** The ids less `firstId`, or undefined if they rise by one. */
  idDeltas(): Uint32Array | undefined {
    if (this.#flags & idsRiseByOne) return undefined;
    const deltas = new Uint32Array(this.count);
    for (let i = 0; i < deltas.length; i++) deltas[i] = this.#view.getUint32(headerBytes + 4 * i, true);
    return deltas;
  }

  references(): Uint32Array {
    const references = new Uint32Array(this.count);
    if (this.#flags & sameReferences) return references.fill(this.#sameReferences);
    for (let i = 0; i < references.length; i++) {
      references[i] = this.#view.getUint32(this.#referenceColumn + 4 * i, true);
    }
    return references;
  }

  /** Where the message stands in the row; -1 if it is not there. */
  ordinalOf(id: number): number {
    const delta = id - this.firstId;
    if (this.#flags & idsRiseByOne) return delta >= 0 && delta < this.count ? delta : -1;
    let low = 0;
    let high = this.count - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const found = this.#view.getUint32(headerBytes + 4 * middle, true);
      if (found === delta) return middle;
      if (found < delta) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  idAt(ordinal: number): number {
    if (this.#flags & idsRiseByOne) return this.firstId + ordinal;
    return this.firstId + this.#view.getUint32(headerBytes + 4 * ordinal, true);
  }

  lengthAt(ordinal: number): number {
    return this.#endAt(ordinal) - this.#startAt(ordinal);
  }

  /** A copy. */
  envelopeAt(ordinal: number): Uint8Array {
    const start = this.#body + this.#startAt(ordinal);
    const end = this.#body + this.#endAt(ordinal);
    const copy = Buffer.allocUnsafe(end - start);
    copy.set(this.#bytes.subarray(start, end));
    return copy;
  }

  #startAt(ordinal: number): number {
    return ordinal === 0 ? 0 : this.#endAt(ordinal - 1);
  }

  #endAt(ordinal: number): number {
    return this.#view.getUint32(this.#endColumn + 4 * ordinal, true);
  }
}
