import { ByteReader } from "../../protocol/byte-reader.ts";
import { ByteWriter } from "../../protocol/byte-writer.ts";

/** What a queue knows about one of its messages besides attempts and expiry, as the store keeps it. */
export interface EntryNote {
  /** Not delivered until someone releases it. */
  readonly isParked: boolean;
  /** Not delivered before, in milliseconds since 1970; 0: at any time. */
  readonly delayedUntil: number;
  /** It was released after its time: it does not expire any more. */
  readonly isOverdue: boolean;
  /** What happened to the message before, for those who get it: see `encodeHistory`. */
  readonly history: Uint8Array | undefined;
}

const flags = { history: 1, parked: 2, delayed: 4, overdue: 8 } as const;

/**
 * A byte of flags; with `delayed` a varint; with `history` that, to the end. `undefined` if there is nothing to keep. The
 * layout is part of the store's format.
 */
export function encodeNote({
  isParked,
  delayedUntil,
  isOverdue,
  history,
}: EntryNote): Uint8Array | undefined {
  if (!isParked && delayedUntil === 0 && !isOverdue && history === undefined) return undefined;
  const writer = new ByteWriter(16 + (history?.length ?? 0));
  writer.u8(
    (history === undefined ? 0 : flags.history) |
      (isParked ? flags.parked : 0) |
      (delayedUntil === 0 ? 0 : flags.delayed) |
      (isOverdue ? flags.overdue : 0),
  );
  if (delayedUntil !== 0) writer.varint(delayedUntil);
  if (history !== undefined) writer.raw(history);
  return writer.written();
}

/** `bytes` are not copied. */
export function decodeNote(bytes: Uint8Array): EntryNote {
  const reader = new ByteReader(bytes);
  const present = reader.u8();
  return {
    isParked: (present & flags.parked) !== 0,
    delayedUntil: present & flags.delayed ? reader.varint() : 0,
    isOverdue: (present & flags.overdue) !== 0,
    history: present & flags.history ? bytes.subarray(reader.at) : undefined,
  };
}
