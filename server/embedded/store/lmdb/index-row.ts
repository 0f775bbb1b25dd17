import type { NewEntry } from "../store.ts";
import { entryFlags } from "../store.ts";
import { isIntact, runSeed, seal } from "./checksum.ts";

/**
 * A row of `index`: a run of a queue's entries. Layout, all numbers little-endian:
 *
 *     0  u32  checksum             28  u32 × count  seq - first seq        (absent if they rise by one)
 *     4  u32  count                    u32 × count  message id - base id   (absent if they rise by one)
 *     8  u32  flags                    u32 × count  bytes                  (absent if they are all the same)
 *    12  u32  last seq - first seq     u8 × count   entry flags            (absent if all are 0)
 *    16  u32  base id, low half        u8 × count   priority               (absent if all are 0)
 *    20  u32  base id, high half          f64 × count  expires at             (absent if all are 0; one if all are the same)
 *    24  u32  bytes of every entry, if they are all the same
 *
 * Fixed columns, so that a window of a long run is read without decoding what stands before it. "First seq" is the one in
 * the key; "last seq" is where the run's range ends, which after merging may be above its last entry.
 */
const headerBytes = 28;
const seqsRiseByOne = 1;
const idsRiseByOne = 2;
const sameBytes = 4;
const hasFlags = 8;
const hasPriorities = 16;
const hasTransient = 32;
const hasTimes = 64;
const sameTime = 128;

export const maxRunEntries = 4096;
/** Seqs, and message ids, of one run must not lie further apart. */
export const maxRunSpan = 0xffff_ffff;

/** Where the run that begins with entry `from` has to end (exclusive). */
export function endOfRun(entries: readonly NewEntry[], from: number): number {
  const limit = Math.min(entries.length, from + maxRunEntries);
  const firstSeq = entries[from]!.seq;
  let lowestId = entries[from]!.messageId;
  let highestId = lowestId;
  for (let i = from + 1; i < limit; i++) {
    const { seq, messageId } = entries[i]!;
    if (messageId < lowestId) lowestId = messageId;
    else if (messageId > highestId) highestId = messageId;
    if (seq - firstSeq > maxRunSpan || highestId - lowestId > maxRunSpan) return i;
  }
  return limit;
}

/** Writes entries `from` to `to` (exclusive) as the run of key `firstSeq` that covers everything up to `lastSeq`. */
export function encodeIndexRow(
  queue: number,
  entries: readonly NewEntry[],
  from: number,
  to: number,
  firstSeq = entries[from]!.seq,
  lastSeq = entries[to - 1]!.seq,
): Uint8Array {
  const count = to - from;
  const first = entries[from]!;
  let baseId = first.messageId;
  let flags = seqsRiseByOne | idsRiseByOne | sameBytes;
  let isSameTime = true;
  for (let i = from; i < to; i++) {
    const entry = entries[i]!;
    const ordinal = i - from;
    if (entry.seq !== firstSeq + ordinal) flags &= ~seqsRiseByOne;
    if (entry.messageId !== first.messageId + ordinal) flags &= ~idsRiseByOne;
    if (entry.messageId < baseId) baseId = entry.messageId;
    if (entry.bytes !== first.bytes) flags &= ~sameBytes;
    if (entry.flags !== 0) flags |= hasFlags;
    if (entry.flags & entryFlags.transient) flags |= hasTransient;
    if (entry.priority !== 0) flags |= hasPriorities;
    if (entry.expiresAt !== 0) flags |= hasTimes;
    if (entry.expiresAt !== first.expiresAt) isSameTime = false;
  }
  if (flags & hasTimes && isSameTime) flags |= sameTime;
  const columns = new Columns(flags, count);
  const row = Buffer.allocUnsafe(columns.end);
  const view = new DataView(row.buffer, row.byteOffset, row.length);
  view.setUint32(4, count, true);
  view.setUint32(8, flags, true);
  view.setUint32(12, lastSeq - firstSeq, true);
  view.setUint32(16, baseId >>> 0, true);
  view.setUint32(20, Math.floor(baseId / 0x1_0000_0000), true);
  view.setUint32(24, flags & sameBytes ? first.bytes : 0, true);
  if (flags & sameTime) view.setFloat64(columns.times, first.expiresAt, true);
  for (let i = from; i < to; i++) {
    const entry = entries[i]!;
    const ordinal = i - from;
    if (!(flags & seqsRiseByOne)) view.setUint32(columns.seqs + 4 * ordinal, entry.seq - firstSeq, true);
    if (!(flags & idsRiseByOne)) view.setUint32(columns.ids + 4 * ordinal, entry.messageId - baseId, true);
    if (!(flags & sameBytes)) view.setUint32(columns.bytes + 4 * ordinal, entry.bytes, true);
    if (flags & hasFlags) row[columns.flags + ordinal] = entry.flags;
    if (flags & hasPriorities) row[columns.priorities + ordinal] = entry.priority;
    if ((flags & (hasTimes | sameTime)) === hasTimes)
      view.setFloat64(columns.times + 8 * ordinal, entry.expiresAt, true);
  }
  return seal(row, runSeed(queue, firstSeq));
}

/** Where the columns begin. */
class Columns {
  readonly seqs: number;
  readonly ids: number;
  readonly bytes: number;
  readonly flags: number;
  readonly priorities: number;
  readonly times: number;
  readonly end: number;

  constructor(flags: number, count: number) {
    this.seqs = headerBytes;
    this.ids = this.seqs + (flags & seqsRiseByOne ? 0 : 4 * count);
    this.bytes = this.ids + (flags & idsRiseByOne ? 0 : 4 * count);
    this.flags = this.bytes + (flags & sameBytes ? 0 : 4 * count);
    this.priorities = this.flags + (flags & hasFlags ? count : 0);
    this.times = this.priorities + (flags & hasPriorities ? count : 0);
    this.end = this.times + (flags & sameTime ? 8 : flags & hasTimes ? 8 * count : 0);
  }
}

/** Reads a row where it lies; valid as long as the bytes are. */
export class IndexRowReader {
  readonly queue: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly count: number;
  readonly #flags: number;
  readonly #baseId: number;
  readonly #sameBytes: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #columns: Columns;

  /** @returns undefined if the row is damaged. */
  static read(bytes: Uint8Array, queue: number, firstSeq: number): IndexRowReader | undefined {
    if (bytes.length < headerBytes || !isIntact(bytes, runSeed(queue, firstSeq))) return undefined;
    return new IndexRowReader(bytes, queue, firstSeq);
  }

  private constructor(bytes: Uint8Array, queue: number, firstSeq: number) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.queue = queue;
    this.firstSeq = firstSeq;
    this.#bytes = bytes;
    this.#view = view;
    this.count = view.getUint32(4, true);
    this.#flags = view.getUint32(8, true);
    this.lastSeq = firstSeq + view.getUint32(12, true);
    this.#baseId = view.getUint32(20, true) * 0x1_0000_0000 + view.getUint32(16, true);
    this.#sameBytes = view.getUint32(24, true);
    this.#columns = new Columns(this.#flags, this.count);
  }

  /** What the checksum cannot tell: that the row was built right. For checking; reading goes by the checksum. */
  get isWellFormed(): boolean {
    const { count, lastSeq } = this;
    if (count === 0 || count > maxRunEntries || this.#columns.end !== this.#bytes.length) return false;
    let previous = this.firstSeq - 1;
    for (let ordinal = 0; ordinal < count; ordinal++) {
      const seq = this.seqAt(ordinal);
      if (seq <= previous) return false;
      previous = seq;
    }
    return previous <= lastSeq;
  }

  get hasTransient(): boolean {
    return (this.#flags & hasTransient) !== 0;
  }

  seqAt(ordinal: number): number {
    if (this.#flags & seqsRiseByOne) return this.firstSeq + ordinal;
    return this.firstSeq + this.#view.getUint32(this.#columns.seqs + 4 * ordinal, true);
  }

  messageIdAt(ordinal: number): number {
    if (this.#flags & idsRiseByOne) return this.#baseId + ordinal;
    return this.#baseId + this.#view.getUint32(this.#columns.ids + 4 * ordinal, true);
  }

  bytesAt(ordinal: number): number {
    if (this.#flags & sameBytes) return this.#sameBytes;
    return this.#view.getUint32(this.#columns.bytes + 4 * ordinal, true);
  }

  flagsAt(ordinal: number): number {
    return this.#flags & hasFlags ? this.#bytes[this.#columns.flags + ordinal]! : 0;
  }

  priorityAt(ordinal: number): number {
    return this.#flags & hasPriorities ? this.#bytes[this.#columns.priorities + ordinal]! : 0;
  }

  expiresAt(ordinal: number): number {
    if (!(this.#flags & hasTimes)) return 0;
    const { times } = this.#columns;
    return this.#view.getFloat64(this.#flags & sameTime ? times : times + 8 * ordinal, true);
  }

  /** The seqs less `firstSeq`, or undefined if they rise by one. */
  seqDeltas(): Uint32Array | undefined {
    if (this.#flags & seqsRiseByOne) return undefined;
    const deltas = new Uint32Array(this.count);
    for (let i = 0; i < deltas.length; i++)
      deltas[i] = this.#view.getUint32(this.#columns.seqs + 4 * i, true);
    return deltas;
  }

  /** The first entry at or above `seq`; `count` if there is none. */
  ordinalFrom(seq: number): number {
    if (this.#flags & seqsRiseByOne) return Math.min(this.count, Math.max(0, seq - this.firstSeq));
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.seqAt(middle) < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
