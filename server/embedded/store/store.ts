/**
 * The inner seam of the embedded engine: where messages, queue indexes and topology are kept.
 *
 * The engine collects everything that changes during a turn of the event loop into one {@link Changes}
 * and hands it to {@link Store.commit}; a store applies it whole or not at all. Reading is synchronous and in
 * short steps (see docs/design/0002-storage.md), and sees every commit that was *flushed* before the call.
 *
 * Every implementation passes the suite in `test/contract/store-contract.ts`.
 */

/** A queue's number in the store. Never reused, so that leftovers of a deleted queue can never be taken for a new one's. */
export type QueueId = number;

/** A message as it is first written. Ids rise by one from message to message; the engine assigns them. */
export interface NewMessage {
  readonly id: number;
  /** The envelope, exactly as it was published. */
  readonly envelope: Uint8Array;
}

/** Facts about an index entry that have to be known without reading the message. Bit set. */
export const entryFlags = {
  /** The entry is kept on disk only to save memory; it does not survive a restart. */
  transient: 1,
} as const;

/** The longest note that a store takes. The engine's are far shorter: a note is read with every entry that has one. */
export const maxNoteBytes = 64 * 1024;

/** One message's place in one queue. */
export interface NewEntry {
  /** Position in the queue. Rises within the queue; gaps are normal. */
  readonly seq: number;
  readonly messageId: number;
  /** See {@link entryFlags}. */
  readonly flags: number;
  /** How large the message counts in the queue: the engine's matter, the store only keeps it. */
  readonly bytes: number;
  /** 0 unless the queue has priorities. */
  readonly priority: number;
  /** When the entry is due to go, in milliseconds since 1970; 0 for never. The store only keeps it. */
  readonly expiresAt: number;
  /** What the engine knows about the message in this queue and cannot say otherwise. At most {@link maxNoteBytes}. */
  readonly note: Uint8Array | undefined;
}

/** What one queue counts; written with each commit that touches the queue, so that a restart need not scan its index. */
export interface QueueCounters {
  /** The next sequence number that the queue will give out. */
  readonly nextSeq: number;
  /** Stored, unsettled entries that survive a restart. */
  readonly messages: number;
  /** Sum of their bytes. */
  readonly bytes: number;
}

export interface SettledEntry {
  readonly seq: number;
  readonly messageId: number;
}

export interface AttemptedEntry {
  readonly seq: number;
  /** How often the entry has been handed to a consumer. */
  readonly attempts: number;
}

export interface NotedEntry {
  readonly seq: number;
  /** In place of the one there is; undefined: none any more. At most {@link maxNoteBytes}. */
  readonly note: Uint8Array | undefined;
}

/** What happened to one queue in one commit. */
export interface QueueChanges {
  readonly queue: QueueId;
  readonly counters: QueueCounters;
  /** In order of `seq`, all above what the queue was given before. */
  readonly appended: readonly NewEntry[];
  /** Entries that are finished with: appended in an earlier commit, each named once ever. Their notes go too. Any order. */
  readonly settled: readonly SettledEntry[];
  /** New attempt counts of unsettled entries of earlier commits. */
  readonly attempted: readonly AttemptedEntry[];
  /** New notes of unsettled entries of earlier commits. */
  readonly noted: readonly NotedEntry[];
}

/** A range of a queue's entries that is to go for good. `toSeq` is inclusive; `Infinity` for the whole queue. */
export interface DroppedRange {
  readonly queue: QueueId;
  readonly fromSeq: number;
  readonly toSeq: number;
}

/** A named record (an exchange, a queue, a binding, …): small, read whole at the start. `value: null` deletes it. */
export interface RecordChange {
  /** Printable, unique, at most 1,900 bytes of UTF-8; by convention `kind/…`. */
  readonly key: string;
  /** JSON-serialisable. */
  readonly value: unknown;
}

/** Everything that one commit changes. Applied atomically: whole, or after a crash not at all. */
export interface Changes {
  /** In order of `id`. Each is referenced by at least one appended entry of the same commit. */
  readonly messages: readonly NewMessage[];
  readonly queues: readonly QueueChanges[];
  /**
   * Unsettled entries of earlier commits in these ranges are gone as from this commit: {@link Store.load} never shows
   * them again, also after a crash. Their rows are deleted bit by bit in the background.
   * A dropped whole queue (`toSeq: Infinity`) loses its counters too.
   */
  readonly dropped: readonly DroppedRange[];
  readonly records: readonly RecordChange[];
}

/** An unsettled entry as read back. Attempts and note are the last ones handed over, also by commits under way. */
export interface StoredEntry {
  readonly seq: number;
  readonly messageId: number;
  readonly flags: number;
  readonly bytes: number;
  readonly priority: number;
  readonly expiresAt: number;
  readonly attempts: number;
  /** The caller's own copy. */
  readonly note: Uint8Array | undefined;
}

/** An entry with its message. */
export interface LoadedEntry extends StoredEntry {
  /** The caller's own copy; does not alias the store's memory. */
  readonly envelope: Uint8Array;
}

/** What {@link Store.scan} has found. */
export interface Scan {
  /** In order of `seq`. */
  readonly entries: readonly StoredEntry[];
  /** Where to go on; undefined: there is no more. */
  readonly nextSeq: number | undefined;
}

/** What a store finds when it opens. */
export interface Recovered {
  readonly records: ReadonlyMap<string, unknown>;
  readonly queues: ReadonlyMap<QueueId, QueueCounters>;
  /** First message id that has never been used. */
  readonly nextMessageId: number;
  /** The last stop was clean: every `attempts` is exact. After a crash anything may have been delivered. */
  readonly clean: boolean;
}

/** What is left of the place that a store lies in, in bytes. */
export interface Room {
  /** What the place has left. */
  readonly diskBytes: number;
  /** What the store can write over of its own, by an estimate: larger pieces fit less easily than small ones. */
  readonly reusableBytes: number;
}

export type MaintenanceNeed =
  /** For now. */
  | "nothing"
  /** What can wait for a quiet moment. */
  | "more"
  /** So much that it has to be done also beside other work, or what is stored takes ever more room. */
  | "behind";

export interface Store {
  /** Opens, recovers and locks. Throws {@link StoreError}. */
  open(): Promise<Recovered>;

  /**
   * Applies `changes` atomically, after all commits handed over before. Resolves once they are on disk (fdatasync).
   * Several commits may be under way at once. A rejection is final for the store: nothing of this commit or of a later
   * one may be counted on, and the process has to stop.
   * The store has taken what it needs from `changes` when this call returns.
   */
  commit(changes: Changes): Promise<void>;

  /**
   * The unsettled entries of a queue with `fromSeq <= seq <= toSeq`, in order: at least one if there is one, at most
   * `maxEntries`, and no more once their envelopes exceed `maxBytes`. All entries up to `toSeq` must be flushed
   * (their commit's promise has resolved). Entries settled by a commit under way are left out.
   * The entry that passes `maxBytes` is the last one. There may be fewer than fit, so that no call takes long; only an
   * empty answer means that there are no more.
   * A damaged row throws {@link StoreError} with code `damaged`, naming queue and range; it is never delivered. What comes
   * before it in the window is given out first: the next call, which begins at the damage, throws.
   */
  load(queue: QueueId, fromSeq: number, toSeq: number, maxEntries: number, maxBytes: number): LoadedEntry[];

  /** One entry with its message; undefined if it is settled or never was. Otherwise as {@link load}. */
  loadOne(queue: QueueId, seq: number): LoadedEntry | undefined;

  /**
   * As {@link load}, without reading messages: at most `maxEntries`, and fewer, or none, if finding more would take long.
   * Whether there are more is said by `nextSeq`.
   */
  scan(queue: QueueId, fromSeq: number, toSeq: number, maxEntries: number): Scan;

  /** How much more can be written before the place is full. Cheap enough to be asked several times a second. */
  room(): Room;

  /** How large the place is in which the store lies, whoever uses it. */
  capacityBytes(): number;

  /**
   * One bounded step of background work: dropped ranges, rows that are mostly dead, small rows that can be merged.
   * Resolves to what is left to be done. The engine calls it when it has nothing better to do, or when there is too much.
   */
  maintain(): Promise<MaintenanceNeed>;

  /** Waits for commits under way; with `clean`, notes that the stop was clean. Releases the lock. */
  close(options: { clean: boolean }): Promise<void>;
}

export type StoreErrorCode =
  /** Another process has the directory open. */
  | "locked"
  /** The directory was written by a newer version. */
  | "newer-format"
  /** The directory holds something that is not a store. */
  | "not-a-store"
  /** A row's checksum does not match. */
  | "damaged"
  /** The disk refused a read or a write. */
  | "io";

export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code: StoreErrorCode;
  /** With `damaged` from {@link Store.load}: what cannot be read. Dropping it lets the queue go on behind it. */
  readonly range: DroppedRange | undefined;
  constructor(code: StoreErrorCode, message: string, options?: { cause?: unknown; range?: DroppedRange }) {
    super(message, options);
    this.code = code;
    this.range = options?.range;
  }
}
