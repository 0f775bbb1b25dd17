import { type LoadedEntry, type QueueId, type Scan, type StoredEntry, StoreError } from "../store.ts";
import { runSeed } from "./checksum.ts";
import type { DroppedRanges } from "./dropped-ranges.ts";
import type { Environment } from "./environment.ts";
import { IndexRowReader } from "./index-row.ts";
import type { IndexRun } from "./index-run.ts";
import { endOfTime, noteKey, readRunFirstSeq, readRunQueue, runKey } from "./keys.ts";
import type { MessageRowReader } from "./message-row.ts";
import type { NotesUnderWay } from "./notes-under-way.ts";
import { decodeNote } from "./small-rows.ts";
import type { StoredRows } from "./stored-rows.ts";

/** Reads entries back: what is flushed, less what commits under way have settled. */
export class EntryLoader {
  readonly #environment: Environment;
  readonly #rows: StoredRows;
  readonly #notes: NotesUnderWay;
  readonly #dropped: DroppedRanges;

  constructor(environment: Environment, rows: StoredRows, notes: NotesUnderWay, dropped: DroppedRanges) {
    this.#environment = environment;
    this.#rows = rows;
    this.#notes = notes;
    this.#dropped = dropped;
  }

  load(queue: QueueId, fromSeq: number, toSeq: number, maxEntries: number, maxBytes: number): LoadedEntry[] {
    const window = new MessageWindow(this.#environment, this.#rows, queue, toSeq, maxEntries, maxBytes);
    this.#fill(window, fromSeq);
    this.#readNotes(window);
    return window.entries;
  }

  scan(queue: QueueId, fromSeq: number, toSeq: number, maxEntries: number): Scan {
    const window = new IndexWindow(this.#environment, queue, toSeq, maxEntries);
    const nextSeq = this.#fill(window, fromSeq);
    return { nextSeq: this.#readNotes(window) ?? nextSeq, entries: window.entries };
  }

  /** Returns where to go on, if not everything was looked at. */
  #fill(window: Window, fromSeq: number): number | undefined {
    let position = fromSeq;
    while (position <= Math.min(window.toSeq, endOfTime)) {
      // What has been dropped may be millions of rows: it is not gone through but jumped over.
      const droppedTo = this.#dropped.endAround(window.queue, position);
      const next = droppedTo === undefined ? this.#read(window, position) : droppedTo + 1;
      if (next === undefined) return undefined;
      position = next;
      if (window.isFull) return position;
      this.#environment.endLongRead();
    }
    return undefined;
  }

  /** Fills the window from `position` on; returns where to go on, or undefined if there is no more. */
  #read(window: Window, position: number): number | undefined {
    const { queue } = window;
    const floor = this.#environment.floorKey("index", runKey(queue, position));
    const start = floor !== undefined && readRunQueue(floor) === queue ? floor : runKey(queue, position);
    for (const { key, value } of this.#environment.rows("index", start, Number.POSITIVE_INFINITY)) {
      const firstSeq = readRunFirstSeq(key);
      if (readRunQueue(key) !== queue || firstSeq > window.toSeq) return undefined;
      const from = Math.max(firstSeq, position);
      if (this.#dropped.endAround(queue, from) !== undefined) return from;
      const row = IndexRowReader.read(value, queue, firstSeq);
      const run = row && this.#rows.runOf(row);
      if (row === undefined || run === undefined) {
        // How far it reached is only known from where the next one begins.
        return window.stopAtDamage(from, this.#beforeNextRun(queue, firstSeq));
      }
      // Only the first may: it is the one that begins before `position`.
      if (row.lastSeq < position) continue;
      const jumpTo = this.#readRun(window, row, run, position);
      window.endRun(value.length);
      if (jumpTo !== undefined) return jumpTo;
      if (window.isFull || this.#environment.isLongRead) return row.lastSeq + 1;
    }
    return undefined;
  }

  /** Returns where to go on if that is not at the next row. */
  #readRun(window: Window, row: IndexRowReader, run: IndexRun, position: number): number | undefined {
    const isSameShape = run.hasShapeOf(row);
    for (let ordinal = row.ordinalFrom(position); ordinal < row.count; ordinal++) {
      const seq = row.seqAt(ordinal);
      if (seq > window.toSeq || window.isFull) return seq;
      const known = isSameShape ? ordinal : run.ordinalOf(seq);
      // Merging leaves settled entries out.
      if (known < 0 || run.isSettled(known) || this.#rows.isExpired(row, ordinal)) continue;
      if (this.#dropped.endAround(window.queue, seq) !== undefined) return seq;
      const attempts = run.attempts?.get(known) ?? 0;
      if (!window.add(row, ordinal, seq, attempts)) return window.stopAtDamage(seq, seq);
      if (run.hasNote(known)) window.noted.push(window.entries.length - 1);
    }
    return undefined;
  }

  /**
   * Adds the notes; what there is too much of, or cannot be read, is left for the next call: where that begins is returned.
   * After everything else, because the row of messages that is being read would not outlast it.
   */
  #readNotes(window: Window): number | undefined {
    const { queue, entries } = window;
    let bytes = 0;
    for (const at of window.noted) {
      const entry = entries[at]!;
      const { seq } = entry;
      this.#environment.endLongRead();
      const row = this.#notes.get(queue, seq) ?? this.#environment.get("notes", noteKey(queue, seq));
      const note = row && decodeNote(row, runSeed(queue, seq));
      if (note === undefined || bytes > maxNotesBytes) {
        entries.length = at;
        return note === undefined ? window.stopAtDamage(seq, seq) : seq;
      }
      entry.note = note;
      bytes += note.length;
    }
    return undefined;
  }

  #beforeNextRun(queue: QueueId, firstSeq: number): number {
    const [next] = this.#environment.keys("index", runKey(queue, firstSeq + 1), 1);
    return next !== undefined && readRunQueue(next) === queue
      ? readRunFirstSeq(next) - 1
      : Number.POSITIVE_INFINITY;
  }
}

/**
 * A window ends when the read transaction has grown long, and after rows of this many bytes. Where few messages of each row
 * are this queue's, as with many queues that are published to in turn, a thousand entries could otherwise mean to check and
 * page in hundreds of megabytes at once.
 */
const maxTouchedBytes = 4 * 1024 * 1024;

/** And after so much of the index, if that is all that is read. */
const maxScannedBytes = 512 * 1024;

/** And once its notes take more than this. */
const maxNotesBytes = 1024 * 1024;

type Writable<Type> = { -readonly [Key in keyof Type]: Type[Key] };

/** What is asked for, and what has been found of it. */
abstract class Window<Found extends StoredEntry = StoredEntry> {
  protected readonly environment: Environment;
  readonly queue: QueueId;
  readonly toSeq: number;
  readonly entries: Writable<Found>[] = [];
  /** Places in `entries` of those that have a note. */
  readonly noted: number[] = [];
  isFull = false;

  constructor(environment: Environment, queue: QueueId, toSeq: number) {
    this.environment = environment;
    this.queue = queue;
    this.toSeq = toSeq;
  }

  /** A row of the index has been gone through. */
  abstract endRun(rowBytes: number): void;

  /** False if the message is damaged. */
  abstract add(row: IndexRowReader, ordinal: number, seq: number, attempts: number): boolean;

  /** What was found before the damage is given out; the next call begins at it and throws. */
  stopAtDamage(fromSeq: number, toSeq: number): number {
    if (this.entries.length > 0) {
      this.isFull = true;
      return fromSeq;
    }
    const range = { queue: this.queue, fromSeq, toSeq };
    const end = toSeq === Number.POSITIVE_INFINITY ? "the end" : toSeq;
    throw new StoreError("damaged", `queue ${this.queue}, entries ${fromSeq} to ${end}: the row is damaged`, {
      range,
    });
  }
}

/** Entries with their messages. */
class MessageWindow extends Window<LoadedEntry> {
  readonly #rows: StoredRows;
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  #bytes = 0;
  #touchedBytes = 0;
  #messages: MessageRowReader | undefined;

  constructor(
    environment: Environment,
    rows: StoredRows,
    queue: QueueId,
    toSeq: number,
    maxEntries: number,
    maxBytes: number,
  ) {
    super(environment, queue, toSeq);
    this.#rows = rows;
    this.#maxEntries = Math.max(1, maxEntries);
    this.#maxBytes = maxBytes;
  }

  endRun(): void {
    // Reading the next one may write over it.
    this.#messages = undefined;
    if (this.entries.length > 0 && this.environment.isLongRead) this.isFull = true;
  }

  add(row: IndexRowReader, ordinal: number, seq: number, attempts: number): boolean {
    const messageId = row.messageIdAt(ordinal);
    let messages = this.#messages;
    let at = messages === undefined ? -1 : messages.ordinalOf(messageId);
    if (messages === undefined || at < 0) {
      messages = this.#rows.readMessageRow(messageId);
      this.#messages = messages;
      if (messages === undefined) return false;
      this.#touchedBytes += messages.bytes;
      if (this.#touchedBytes > maxTouchedBytes || this.environment.isLongRead) this.isFull = true;
      at = messages.ordinalOf(messageId);
      if (at < 0) return false;
    }
    const envelope = messages.envelopeAt(at);
    this.entries.push({
      seq,
      messageId,
      flags: row.flagsAt(ordinal),
      bytes: row.bytesAt(ordinal),
      priority: row.priorityAt(ordinal),
      expiresAt: row.expiresAt(ordinal),
      attempts,
      note: undefined,
      envelope,
    });
    this.#bytes += envelope.length;
    if (this.entries.length >= this.#maxEntries || this.#bytes > this.#maxBytes) this.isFull = true;
    return true;
  }
}

/** Entries without their messages. */
class IndexWindow extends Window {
  readonly #maxEntries: number;
  #touchedBytes = 0;

  constructor(environment: Environment, queue: QueueId, toSeq: number, maxEntries: number) {
    super(environment, queue, toSeq);
    this.#maxEntries = Math.max(1, maxEntries);
  }

  endRun(rowBytes: number): void {
    this.#touchedBytes += rowBytes;
    if (this.#touchedBytes > maxScannedBytes || this.environment.isLongRead) this.isFull = true;
  }

  add(row: IndexRowReader, ordinal: number, seq: number, attempts: number): boolean {
    this.entries.push({
      seq,
      messageId: row.messageIdAt(ordinal),
      flags: row.flagsAt(ordinal),
      bytes: row.bytesAt(ordinal),
      priority: row.priorityAt(ordinal),
      expiresAt: row.expiresAt(ordinal),
      attempts,
      note: undefined,
    });
    if (this.entries.length >= this.#maxEntries) this.isFull = true;
    return true;
  }
}
