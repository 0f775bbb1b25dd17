import { ByteReader } from "../../protocol/byte-reader.ts";
import { ByteWriter } from "../../protocol/byte-writer.ts";

/** What a queue knows about one of its messages besides attempts and expiry, as the store keeps it. */
export interface EntryNote {
  /** What happened to the message before, for those who get it: see `encodeHistory`. */
  readonly history: Uint8Array | undefined;
}

const flags = { history: 1 } as const;

/**
 * A byte of flags; with `history` that, to the end. `undefined` if there is nothing to keep. The layout is part of the
 * store's format.
 */
export function encodeNote({ history }: EntryNote): Uint8Array | undefined {
  if (history === undefined) return undefined;
  const writer = new ByteWriter(1 + history.length);
  writer.u8(flags.history);
  writer.raw(history);
  return writer.written();
}

/** `bytes` are not copied. */
export function decodeNote(bytes: Uint8Array): EntryNote {
  const reader = new ByteReader(bytes);
  const present = reader.u8();
  return { history: present & flags.history ? bytes.subarray(reader.at) : undefined };
}
