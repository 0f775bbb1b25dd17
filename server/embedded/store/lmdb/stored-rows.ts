import type { QueueId } from "../store.ts";
import { entryFlags } from "../store.ts";
import { runSeed } from "./checksum.ts";
import type { Environment } from "./environment.ts";
import { IndexRowReader } from "./index-row.ts";
import { type ExpiredEntry, IndexRun } from "./index-run.ts";
import { messageKey, readMessageKey, readRunFirstSeq, readRunQueue, runKey } from "./keys.ts";
import { MessageRowReader } from "./message-row.ts";
import { MessageRowState } from "./message-row-state.ts";
import { decodeReferences } from "./references-row.ts";
import type { RowCache } from "./row-cache.ts";
import { decodeState } from "./small-rows.ts";

/**
 * Finds the state of runs and message rows: in the cache, or else on disk, which then is up to date. Where a run or row is
 * looked for (`run`, `messageRow`), a read transaction that has grown long is ended first: a commit may need thousands.
 */
export class StoredRows {
  readonly #environment: Environment;
  readonly #cache: RowCache;
  /** Queue → transient entries below this seq were written before the store was opened. */
  readonly #transientBefore: ReadonlyMap<QueueId, number>;
  /** The row of messages that was read last was intact. */
  #verifiedFirstId = -1;
  #verifiedSum = 0;

  constructor(environment: Environment, cache: RowCache, transientBefore: ReadonlyMap<QueueId, number>) {
    this.#environment = environment;
    this.#cache = cache;
    this.#transientBefore = transientBefore;
  }

  /** The run whose range holds `seq`; undefined if there is none, or it is damaged. */
  run(queue: QueueId, seq: number): IndexRun | undefined {
    const cached = this.#cache.run(queue, seq);
    if (cached !== undefined) return cached;
    this.#environment.endLongRead();
    const key = this.#environment.floorKey("index", runKey(queue, seq));
    if (key === undefined || readRunQueue(key) !== queue) return undefined;
    const bytes = this.#environment.get("index", key);
    if (bytes === undefined) return undefined;
    const row = IndexRowReader.read(new Uint8Array(bytes), queue, readRunFirstSeq(key));
    if (row === undefined || row.lastSeq < seq) return undefined;
    return this.runOf(row);
  }

  /** The state of the run that was just read; undefined if its state row is damaged. */
  runOf(row: IndexRowReader): IndexRun | undefined {
    const cached = this.#cache.runAt(row.queue, row.firstSeq);
    if (cached !== undefined) return cached.mergedInto ?? cached;
    const bytes = this.#environment.get("state", runKey(row.queue, row.firstSeq));
    const state = bytes && decodeState(bytes, row.count, runSeed(row.queue, row.firstSeq));
    if (bytes !== undefined && state === undefined) return undefined;
    const run = new IndexRun(row.queue, row.firstSeq, row.lastSeq, row.count, row.seqDeltas(), state);
    if (row.hasTransient) run.expired = this.#expiredEntries(row, run);
    this.#cache.addRun(run);
    return run;
  }

  /** Whether the entry did not survive the restart. */
  isExpired(row: IndexRowReader, ordinal: number): boolean {
    return (
      row.hasTransient &&
      (row.flagsAt(ordinal) & entryFlags.transient) !== 0 &&
      row.seqAt(ordinal) < (this.#transientBefore.get(row.queue) ?? 0)
    );
  }

  /** The row that holds the message; undefined if there is none, or it is damaged. */
  messageRow(id: number): MessageRowState | undefined {
    const cached = this.#cache.message(id);
    if (cached !== undefined) return cached;
    this.#environment.endLongRead();
    const key = this.#environment.floorKey("messages", messageKey(id));
    if (key === undefined) return undefined;
    const row = this.messageRowAt(readMessageKey(key));
    return row === undefined || row.ordinalOf(id) < 0 ? undefined : row;
  }

  /**
   * The row with this key; undefined if it has become part of another one, or is damaged. What is kept beside a row that has
   * lost references says all that has to be known of it; otherwise the row itself is read.
   */
  messageRowAt(firstId: number): MessageRowState | undefined {
    const cached = this.#cache.message(firstId);
    if (cached !== undefined) return cached.first === firstId ? cached : undefined;
    let row = this.#shrunkRow(firstId);
    if (row === "none") {
      const bytes = this.#environment.get("messages", messageKey(firstId));
      const reader = bytes && MessageRowReader.read(bytes, firstId);
      row = reader && wholeRow(reader);
    }
    if (row !== undefined) this.#cache.addMessageRow(row);
    return row;
  }

  /**
   * The same, if it takes no more than a look at what is kept beside the row: undefined also if the row has lost no
   * references and was not touched lately. Leaves the cache as it is.
   */
  knownMessageRowAt(firstId: number): MessageRowState | undefined {
    const cached = this.#cache.message(firstId);
    if (cached !== undefined) return cached.first === firstId ? cached : undefined;
    const row = this.#shrunkRow(firstId);
    return row === "none" ? undefined : row;
  }

  /**
   * Reads the row that holds the message from disk; undefined if it is damaged or there is none. Valid until the next
   * read of anything.
   */
  readMessageRow(id: number): MessageRowReader | undefined {
    const key = this.#environment.floorKey("messages", messageKey(id));
    if (key === undefined) return undefined;
    const firstId = readMessageKey(key);
    const isCached = this.#cache.message(id) !== undefined || this.#cache.message(firstId) !== undefined;
    const shrunk = isCached ? undefined : this.#shrunkRow(firstId);
    const bytes = this.#environment.get("messages", key);
    const row = bytes && this.#verified(bytes, firstId);
    if (row === undefined || isCached) return row;
    if (shrunk === undefined) return undefined;
    this.#cache.addMessageRow(shrunk === "none" ? wholeRow(row) : shrunk);
    return row;
  }

  /** What is kept of a row that has lost references: "none" if it has lost none, undefined if that is damaged. */
  #shrunkRow(firstId: number): MessageRowState | "none" | undefined {
    const bytes = this.#environment.get("refs", messageKey(firstId));
    if (bytes === undefined) return "none";
    const row = decodeReferences(bytes, firstId);
    if (row === undefined) return undefined;
    const { idDeltas, remaining, lengths, rowBytes } = row;
    return new MessageRowState(firstId, idDeltas, remaining, lengths, rowBytes, true);
  }

  /** A row that is read window by window is summed once. */
  #verified(bytes: Uint8Array, firstId: number): MessageRowReader | undefined {
    const sum = bytes[0]! | (bytes[1]! << 8) | (bytes[2]! << 16) | (bytes[3]! << 24);
    if (firstId === this.#verifiedFirstId && sum === this.#verifiedSum)
      return new MessageRowReader(bytes, firstId);
    const row = MessageRowReader.read(bytes, firstId);
    if (row === undefined) return undefined;
    this.#verifiedFirstId = firstId;
    this.#verifiedSum = sum;
    return row;
  }

  #expiredEntries(row: IndexRowReader, run: IndexRun): ExpiredEntry[] | undefined {
    const expired: ExpiredEntry[] = [];
    for (let ordinal = 0; ordinal < row.count; ordinal++) {
      if (run.isSettled(ordinal) || !this.isExpired(row, ordinal)) continue;
      expired.push({ seq: row.seqAt(ordinal), messageId: row.messageIdAt(ordinal) });
    }
    return expired.length === 0 ? undefined : expired;
  }
}

/** The state of a row that has lost no references. */
function wholeRow(row: MessageRowReader): MessageRowState {
  const references = row.references();
  return new MessageRowState(row.firstId, row.idDeltas(), references, row.lengths(), row.bytes, false);
}
