import type { QueueId } from "../store.ts";
import { readU64, writeU64 } from "./u64.ts";

/** Stands for "no end" where a key holds a number. */
export const endOfTime = Number.MAX_SAFE_INTEGER;

/** Key of `messages` and `refs`. */
export function messageKey(firstId: number): Uint8Array {
  const key = Buffer.allocUnsafe(8);
  writeU64(key, 0, firstId);
  return key;
}

export function readMessageKey(key: Uint8Array): number {
  return readU64(key, 0);
}

/** Key of `index` and `state`. */
export function runKey(queue: QueueId, firstSeq: number): Uint8Array {
  const key = Buffer.allocUnsafe(16);
  writeU64(key, 0, queue);
  writeU64(key, 8, firstSeq);
  return key;
}

export function readRunQueue(key: Uint8Array): QueueId {
  return readU64(key, 0);
}

export function readRunFirstSeq(key: Uint8Array): number {
  return readU64(key, 8);
}

/** Key of `notes`. */
export function noteKey(queue: QueueId, seq: number): Uint8Array {
  return runKey(queue, seq);
}

export const readNoteQueue = readRunQueue;
export const readNoteSeq = readRunFirstSeq;

/** Key of `counters`. */
export function queueKey(queue: QueueId): Uint8Array {
  const key = Buffer.allocUnsafe(8);
  writeU64(key, 0, queue);
  return key;
}

/** Key of `garbage`. */
export function rangeKey(queue: QueueId, fromSeq: number, toSeq: number): Uint8Array {
  const key = Buffer.allocUnsafe(24);
  writeU64(key, 0, queue);
  writeU64(key, 8, fromSeq);
  writeU64(key, 16, toSeq);
  return key;
}
