import type { Entry } from "./entry.ts";

/** Who has messages that are not settled. */
export interface Holder {
  /** A message is handed to it. */
  took(entry: Entry): void;
  /** What it was handed is settled, or has been taken back. */
  released(entry: Entry): void;
  /** What it has now is a single message: if it goes away, that may be why. */
  readonly hasOne: boolean;
  /** It still works on a message: the time in which that has to be settled begins anew. */
  touch(entry: Entry): void;
}
