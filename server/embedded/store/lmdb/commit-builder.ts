import {
  type DroppedRange,
  maxNoteBytes,
  type NewEntry,
  type NewMessage,
  type QueueChanges,
  type QueueId,
  type RecordChange,
} from "../store.ts";
import { runSeed } from "./checksum.ts";
import { Writes } from "./environment.ts";
import { encodeIndexRow, endOfRun } from "./index-row.ts";
import { IndexRun } from "./index-run.ts";
import { endOfTime, messageKey, noteKey, queueKey, rangeKey, runKey } from "./keys.ts";
import { encodeMessageRow, type MessageBatch, maxIdSpan, sameOrAll } from "./message-row.ts";
import { MessageRowState } from "./message-row-state.ts";
import type { NotesUnderWay } from "./notes-under-way.ts";
import { encodeReferences } from "./references-row.ts";
import type { RowCache } from "./row-cache.ts";
import { encodeCounters, encodeMarker, encodeNote, encodeRecord, encodeState } from "./small-rows.ts";
import type { StoredRows } from "./stored-rows.ts";

/** A row of messages is cut before it gets longer than this; one message may be longer. */
const maxRowBytes = 256 * 1024;
const maxRecordKeyBytes = 1900;

/**
 * Turns changes into writes, and notes them in the cache at once, so that the next commit builds on them although nothing
 * has been written yet. Used once, within one turn.
 */
export class CommitBuilder {
  readonly commit: number;
  readonly writes = new Writes();
  /** To be taken out of the cache when the commit is flushed: until then they tell readers what is gone. */
  readonly retiredRuns: IndexRun[] = [];
  readonly retiredMessageRows: MessageRowState[] = [];
  /** Rows of messages in whose place others were written. */
  readonly replacedMessageRows: MessageRowState[] = [];
  readonly writtenMessageRows: MessageRowState[] = [];
  /** Rows of messages that have lost references but are still there. */
  readonly shrunkMessageRows: MessageRowState[] = [];
  readonly #rows: StoredRows;
  readonly #cache: RowCache;
  readonly #notes: NotesUnderWay;
  readonly #changedRuns: IndexRun[] = [];
  readonly #changedMessageRows: MessageRowState[] = [];
  /** What the last entry was found in: the next one mostly is in the same. */
  #run: IndexRun | undefined;
  #messageRow: MessageRowState | undefined;

  constructor(commit: number, rows: StoredRows, cache: RowCache, notes: NotesUnderWay) {
    this.commit = commit;
    this.#rows = rows;
    this.#cache = cache;
    this.#notes = notes;
  }

  /** Adds messages with the entries that refer to them. */
  append(messages: readonly NewMessage[], queues: readonly QueueChanges[]): void {
    this.#putMessages(messages, this.#countReferences(messages, queues));
    for (const { queue, appended } of queues) {
      for (let from = 0; from < appended.length; ) {
        const to = endOfRun(appended, from);
        const run = this.putRun(queue, appended, from, to);
        for (let i = from; i < to; i++) {
          const { note } = appended[i]!;
          if (note !== undefined) this.#putNote(run, i - from, appended[i]!.seq, note);
        }
        from = to;
      }
    }
  }

  /** Writes a new run; returns its state. The key and the end of the range are the first and last entry's, if not given. */
  putRun(
    queue: QueueId,
    entries: readonly NewEntry[],
    from: number,
    to: number,
    first = entries[from]!.seq,
    last = entries[to - 1]!.seq,
  ): IndexRun {
    const count = to - from;
    this.writes.put("index", runKey(queue, first), encodeIndexRow(queue, entries, from, to, first, last));
    // Seqs rise, so these two differ by just that much exactly if there is no gap.
    const isDense = entries[from]!.seq === first && entries[to - 1]!.seq - first === count - 1;
    const deltas = isDense ? undefined : new Uint32Array(count);
    if (deltas !== undefined) for (let i = 0; i < count; i++) deltas[i] = entries[from + i]!.seq - first;
    const run = new IndexRun(queue, first, last, count, deltas, undefined);
    run.commit = this.commit;
    this.#cache.addRun(run);
    // It may have taken another one's place.
    this.#run = undefined;
    return run;
  }

  /** Writes messages `from` to `to` as a row of their own. */
  putMessageRow(batch: MessageBatch, from: number, to: number, first = batch.ids[from]!): void {
    const bytes = encodeMessageRow(batch, from, to, first);
    this.writes.put("messages", messageKey(first), bytes);
    const count = to - from;
    const isDense = batch.ids[from]! === first && batch.ids[to - 1]! - first === count - 1;
    const deltas = isDense ? undefined : new Uint32Array(count);
    const remaining = new Uint32Array(count);
    const lengths = new Uint32Array(count);
    for (let i = 0; i < count; i++) {
      remaining[i] = batch.references[from + i]!;
      lengths[i] = batch.envelopes[from + i]!.length;
      if (deltas !== undefined) deltas[i] = batch.ids[from + i]! - first;
    }
    const row = new MessageRowState(first, deltas, remaining, sameOrAll(lengths), bytes.length, false);
    row.commit = this.commit;
    this.#cache.addMessageRow(row);
    this.writtenMessageRows.push(row);
    this.#messageRow = undefined;
  }

  /** Entries that are not there any more are passed over. */
  settle(queue: QueueId, seq: number, messageId: number): void {
    const run = this.#runOf(queue, seq);
    if (run === undefined) return;
    const ordinal = run.ordinalOf(seq);
    if (ordinal < 0 || !run.settle(ordinal)) return;
    if (run.removeNote(ordinal)) this.writes.remove("notes", noteKey(queue, seq));
    this.#changed(run);
    this.#release(messageId);
  }

  attempt(queue: QueueId, seq: number, attempts: number): void {
    const run = this.#runOf(queue, seq);
    if (run === undefined) return;
    const ordinal = run.ordinalOf(seq);
    if (ordinal < 0 || run.isSettled(ordinal)) return;
    run.attempts ??= new Map();
    run.attempts.set(ordinal, attempts);
    this.#changed(run);
  }

  /** Gives the entry a note in place of the one there is, or takes that away. */
  note(queue: QueueId, seq: number, note: Uint8Array | undefined): void {
    const run = this.#runOf(queue, seq);
    if (run === undefined) return;
    const ordinal = run.ordinalOf(seq);
    if (ordinal < 0 || run.isSettled(ordinal)) return;
    if (note !== undefined) this.#putNote(run, ordinal, seq, note);
    else if (run.removeNote(ordinal)) {
      this.writes.remove("notes", noteKey(queue, seq));
      this.#changed(run);
    }
  }

  /** The entry's note, which lies where it was, goes with another run from now on. */
  keepNote(run: IndexRun, seq: number): void {
    run.addNote(run.ordinalOf(seq));
    this.#changed(run);
  }

  /** Removes a note that belongs to nothing. */
  removeNote(queue: QueueId, seq: number): void {
    this.writes.remove("notes", noteKey(queue, seq));
  }

  /** Settles what has not survived the restart, should there be any in this run. */
  settleExpired(run: IndexRun): void {
    const { expired } = run;
    run.expired = undefined;
    if (expired !== undefined)
      for (const entry of expired) this.settle(run.queue, entry.seq, entry.messageId);
  }

  /** Removes a damaged run. */
  removeRun(queue: QueueId, firstSeq: number): void {
    const key = runKey(queue, firstSeq);
    this.writes.remove("index", key);
    this.writes.remove("state", key);
  }

  putCounters(changes: QueueChanges): void {
    this.writes.put("counters", queueKey(changes.queue), encodeCounters(changes.counters, changes.queue));
  }

  drop(range: DroppedRange): void {
    this.writes.put("garbage", rangeKey(range.queue, range.fromSeq, range.toSeq), encodeMarker());
    if (range.toSeq === endOfTime) this.writes.remove("counters", queueKey(range.queue));
  }

  /** The range's rows are gone. */
  forget(range: DroppedRange): void {
    this.writes.remove("garbage", rangeKey(range.queue, range.fromSeq, range.toSeq));
  }

  record(change: RecordChange): void {
    const key = Buffer.from(change.key);
    // LMDB would find out in the middle of the batch.
    if (key.length === 0 || key.length > maxRecordKeyBytes) {
      throw new RangeError(`the key of a record takes ${key.length} bytes`);
    }
    if (change.value === null) this.writes.remove("records", key);
    else this.writes.put("records", key, encodeRecord(change.value));
  }

  /** Adds what has become of the runs and message rows that were touched. To be called last. */
  finish(): void {
    // Runs that hold expired entries have to lose them with the others, or they would never be empty.
    for (let i = 0; i < this.#changedRuns.length; i++) this.settleExpired(this.#changedRuns[i]!);
    for (const run of this.#changedRuns) this.#writeState(run);
    for (const row of this.#changedMessageRows) this.#writeReferences(row);
  }

  #countReferences(messages: readonly NewMessage[], queues: readonly QueueChanges[]): Uint32Array {
    const references = new Uint32Array(messages.length);
    const firstId = messages[0]?.id ?? endOfTime;
    const isDense = messages.length > 0 && messages.at(-1)!.id - firstId === messages.length - 1;
    for (const { appended } of queues) {
      for (let i = 0; i < appended.length; i++) {
        const { messageId } = appended[i]!;
        if (messageId < firstId) this.#retain(messageId);
        else if (isDense) references[messageId - firstId]!++;
        else references[ordinalOf(messages, messageId)]!++;
      }
    }
    return references;
  }

  #putMessages(messages: readonly NewMessage[], references: Uint32Array): void {
    if (messages.length === 0) return;
    const ids = new Array<number>(messages.length);
    const envelopes = new Array<Uint8Array>(messages.length);
    let from = 0;
    let bytes = 0;
    for (let i = 0; i < messages.length; i++) {
      const { id, envelope } = messages[i]!;
      ids[i] = id;
      envelopes[i] = envelope;
      if (i > from && (bytes + envelope.length > maxRowBytes || id - ids[from]! > maxIdSpan)) {
        this.putMessageRow({ ids, envelopes, references }, from, i);
        from = i;
        bytes = 0;
      }
      bytes += envelope.length;
    }
    this.putMessageRow({ ids, envelopes, references }, from, messages.length);
  }

  #putNote(run: IndexRun, ordinal: number, seq: number, note: Uint8Array): void {
    if (note.length > maxNoteBytes) throw new RangeError(`a note takes ${note.length} bytes`);
    const row = encodeNote(note, runSeed(run.queue, seq));
    this.writes.put("notes", noteKey(run.queue, seq), row);
    this.#notes.put(run.queue, seq, row, this.commit);
    run.addNote(ordinal);
    this.#changed(run);
  }

  #runOf(queue: QueueId, seq: number): IndexRun | undefined {
    const run = this.#run;
    if (run !== undefined && run.queue === queue && seq >= run.first && seq <= run.last) return run;
    this.#run = this.#rows.run(queue, seq);
    return this.#run;
  }

  #messageRowOf(id: number): MessageRowState | undefined {
    const row = this.#messageRow;
    if (row !== undefined && id >= row.first && id <= row.last) return row;
    this.#messageRow = this.#rows.messageRow(id);
    return this.#messageRow;
  }

  /** One more entry refers to a message of an earlier commit. */
  #retain(messageId: number): void {
    const row = this.#messageRowOf(messageId);
    const ordinal = row === undefined ? -1 : row.ordinalOf(messageId);
    if (row === undefined || ordinal < 0 || row.remaining[ordinal] === 0) {
      throw new RangeError(`an entry refers to message ${messageId}, which is not stored`);
    }
    row.remaining[ordinal]!++;
    this.#changedMessage(row);
  }

  #release(messageId: number): void {
    const row = this.#messageRowOf(messageId);
    if (row === undefined) return;
    const ordinal = row.ordinalOf(messageId);
    if (ordinal < 0 || row.remaining[ordinal] === 0) return;
    row.release(ordinal);
    this.#changedMessage(row);
  }

  #changed(run: IndexRun): void {
    if (run.changedIn === this.commit) return;
    run.changedIn = this.commit;
    run.commit = this.commit;
    this.#changedRuns.push(run);
  }

  #changedMessage(row: MessageRowState): void {
    if (row.changedIn === this.commit) return;
    row.changedIn = this.commit;
    row.commit = this.commit;
    this.#changedMessageRows.push(row);
  }

  #writeState(run: IndexRun): void {
    const key = runKey(run.queue, run.first);
    if (run.live === 0) {
      this.writes.remove("index", key);
      if (run.hasStateRow) this.writes.remove("state", key);
      this.retiredRuns.push(run);
      return;
    }
    this.writes.put("state", key, encodeState(run, run.count, runSeed(run.queue, run.first)));
    run.hasStateRow = true;
  }

  #writeReferences(row: MessageRowState): void {
    const key = messageKey(row.first);
    if (row.live === 0) {
      this.writes.remove("messages", key);
      if (row.hasReferencesRow) this.writes.remove("refs", key);
      this.retiredMessageRows.push(row);
      return;
    }
    this.writes.put("refs", key, encodeReferences(row, row.first));
    row.hasReferencesRow = true;
    this.shrunkMessageRows.push(row);
  }
}

function ordinalOf(messages: readonly NewMessage[], id: number): number {
  let low = 0;
  let high = messages.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const found = messages[middle]!.id;
    if (found === id) return middle;
    if (found < id) low = middle + 1;
    else high = middle - 1;
  }
  throw new RangeError(`an entry refers to message ${id}, which is neither stored nor in the same commit`);
}
