import type { QueueCounters, QueueId } from "../store.ts";
import { checksumBytes, isIntact, seal } from "./checksum.ts";
import { readU64, writeU64 } from "./u64.ts";

/**
 * The rows besides messages and index. Each begins with its checksum.
 *
 *     state     4 u32 count · 8 u32 n · bitmap of settled entries, padded to four bytes · n × (u32 ordinal, u32 attempts)
 *               · bitmap of entries with a note, if there were any
 *     notes     4 the note
 *     counters  4 u64 next seq · 12 u64 messages · 20 u64 bytes         (big-endian)
 *     records   4 JSON
 *     garbage   nothing: it is all in the key
 */

/** Bits a run's entries need, in whole words. */
export function bitmapBytes(count: number): number {
  return ((count + 31) >>> 5) << 2;
}

export interface RunState {
  readonly settled: Uint8Array;
  /** Ordinal → attempts. */
  readonly attempts: Map<number, number> | undefined;
  /** Bitmap of entries that have a note. */
  readonly noted: Uint8Array | undefined;
}

export function encodeState(state: RunState, count: number, seed: number): Uint8Array {
  const attempts = state.attempts?.size ?? 0;
  const bits = bitmapBytes(count);
  const attemptsEnd = 12 + bits + 8 * attempts;
  const row = Buffer.allocUnsafe(attemptsEnd + (state.noted?.length ?? 0));
  const view = new DataView(row.buffer, row.byteOffset, row.length);
  view.setUint32(4, count, true);
  view.setUint32(8, attempts, true);
  row.set(state.settled, 12);
  if (state.attempts !== undefined) {
    let at = 12 + bits;
    for (const [ordinal, number] of state.attempts) {
      view.setUint32(at, ordinal, true);
      view.setUint32(at + 4, number, true);
      at += 8;
    }
  }
  if (state.noted !== undefined) row.set(state.noted, attemptsEnd);
  return seal(row, seed);
}

/** @returns undefined if the row is damaged. */
export function decodeState(row: Uint8Array, count: number, seed: number): RunState | undefined {
  if (!isIntact(row, seed)) return undefined;
  const view = new DataView(row.buffer, row.byteOffset, row.length);
  if (view.getUint32(4, true) !== count) return undefined;
  const bits = bitmapBytes(count);
  const settled = new Uint8Array(row.subarray(12, 12 + bits));
  const length = view.getUint32(8, true);
  const attemptsEnd = 12 + bits + 8 * length;
  const attempts = length === 0 ? undefined : new Map<number, number>();
  for (let at = 12 + bits; at < attemptsEnd; at += 8)
    attempts!.set(view.getUint32(at, true), view.getUint32(at + 4, true));
  const noted = row.length > attemptsEnd ? new Uint8Array(row.subarray(attemptsEnd)) : undefined;
  return { settled, attempts, noted };
}

export function encodeNote(note: Uint8Array, seed: number): Uint8Array {
  const row = Buffer.allocUnsafe(checksumBytes + note.length);
  row.set(note, checksumBytes);
  return seal(row, seed);
}

/** A copy. @returns undefined if the row is damaged. */
export function decodeNote(row: Uint8Array, seed: number): Uint8Array | undefined {
  return isIntact(row, seed) ? new Uint8Array(row.subarray(checksumBytes)) : undefined;
}

export function encodeCounters(counters: QueueCounters, queue: QueueId): Uint8Array {
  const row = Buffer.allocUnsafe(28);
  writeU64(row, 4, counters.nextSeq);
  writeU64(row, 12, counters.messages);
  writeU64(row, 20, counters.bytes);
  return seal(row, queue);
}

/** @returns undefined if the row is damaged. */
export function decodeCounters(row: Uint8Array, queue: QueueId): QueueCounters | undefined {
  if (row.length !== 28 || !isIntact(row, queue)) return undefined;
  return { nextSeq: readU64(row, 4), messages: readU64(row, 12), bytes: readU64(row, 20) };
}

export function encodeRecord(value: unknown): Uint8Array {
  const json = JSON.stringify(value);
  const row = Buffer.allocUnsafe(checksumBytes + Buffer.byteLength(json));
  row.write(json, checksumBytes);
  return seal(row, 0);
}

/** @returns undefined if the row is damaged. */
export function decodeRecord(row: Uint8Array): { readonly value: unknown } | undefined {
  if (!isIntact(row, 0)) return undefined;
  return { value: JSON.parse(Buffer.from(row).toString("utf8", checksumBytes)) };
}

export function encodeMarker(): Uint8Array {
  return seal(Buffer.allocUnsafe(checksumBytes), 0);
}
