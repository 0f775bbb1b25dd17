import { type LoadedEntry, type QueueId, StoreError } from "../store.ts";
import type { DroppedRanges } from "./dropped-ranges.ts";
import type { Environment } from "./environment.ts";
import { IndexRowReader } from "./index-row.ts";
import type { IndexRun } from "./index-run.ts";
import { endOfTime, readRunFirstSeq, readRunQueue, runKey } from "./keys.ts";
import type { MessageRowReader } from "./message-row.ts";
import type { StoredRows } from "./stored-rows.ts";

/** Reads entries back: what is flushed, less what commits under way have settled. */
export class EntryLoader {
  readonly #environment: Environment;
  readonly #rows: StoredRows;
  readonly #dropped: DroppedRanges;

  constructor(environment: Environment, rows: StoredRows, dropped: DroppedRanges) {
    this.#environment = environment;
    this.#rows = rows;
    this.#dropped = dropped;
  }

  load(queue: QueueId, fromSeq: number, toSeq: number, maxEntries: number, maxBytes: number): LoadedEntry[] {
    const window = new Window(queue, toSeq, maxEntries, maxBytes);
    let position: number | undefined = fromSeq;
    // What has been dropped may be millions of rows: it is not gone through but jumped over.
    while (position !== undefined && position <= Math.min(toSeq, endOfTime)) {
      const droppedTo = this.#dropped.endAround(queue, position);
      position = droppedTo === undefined ? this.#read(window, position) : droppedTo + 1;
    }
    return window.entries;
  }

  /** Fills the window from `position` on; returns where to go on, or undefined if it is full or there is no more. */
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
      const jumpTo = this.#readRun(window, row, run, position);
      if (window.isFull || jumpTo !== undefined) return jumpTo;
    }
    return undefined;
  }

  /** Returns where to go on if that is not at the next row. */
  #readRun(window: Window, row: IndexRowReader, run: IndexRun, position: number): number | undefined {
    const isSameShape = run.hasShapeOf(row);
    let messages: MessageRowReader | undefined;
    for (let ordinal = row.ordinalFrom(position); ordinal < row.count; ordinal++) {
      const seq = row.seqAt(ordinal);
      if (seq > window.toSeq) {
        window.isFull = true;
        return undefined;
      }
      const known = isSameShape ? ordinal : run.ordinalOf(seq);
      // Merging leaves settled entries out.
      if (known < 0 || run.isSettled(known) || this.#rows.isExpired(row, ordinal)) continue;
      if (this.#dropped.endAround(window.queue, seq) !== undefined) return seq;
      const messageId = row.messageIdAt(ordinal);
      let at = messages === undefined ? -1 : messages.ordinalOf(messageId);
      if (at < 0) {
        messages = this.#rows.readMessageRow(messageId);
        at = messages === undefined ? -1 : messages.ordinalOf(messageId);
        if (messages !== undefined) window.touch(messages.bytes);
      }
      if (messages === undefined || at < 0) return window.stopAtDamage(seq, seq);
      const flags = row.flagsAt(ordinal);
      const priority = row.priorityAt(ordinal);
      const attempts = run.attempts?.get(known) ?? 0;
      window.add({ seq, messageId, flags, priority, attempts, envelope: messages.envelopeAt(at) });
      if (window.isFull) return undefined;
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
 * A window ends after rows of this many bytes. Where few messages of each row are this queue's, as with many queues that
 * are published to in turn, a thousand entries could otherwise mean to check and page in hundreds of megabytes at once.
 */
const maxTouchedBytes = 4 * 1024 * 1024;

/** What is asked for, and what has been found of it. */
class Window {
  readonly queue: QueueId;
  readonly toSeq: number;
  readonly entries: LoadedEntry[] = [];
  isFull = false;
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  #bytes = 0;
  #touchedBytes = 0;

  constructor(queue: QueueId, toSeq: number, maxEntries: number, maxBytes: number) {
    this.queue = queue;
    this.toSeq = toSeq;
    this.#maxEntries = Math.max(1, maxEntries);
    this.#maxBytes = maxBytes;
  }

  add(entry: LoadedEntry): void {
    this.entries.push(entry);
    this.#bytes += entry.envelope.length;
    const isLong = this.entries.length >= this.#maxEntries || this.#bytes > this.#maxBytes;
    if (isLong || this.#touchedBytes > maxTouchedBytes) this.isFull = true;
  }

  /** A row of messages was read. */
  touch(rowBytes: number): void {
    this.#touchedBytes += rowBytes;
  }

  /** What was found before the damage is given out; the next call begins at it and throws. */
  stopAtDamage(fromSeq: number, toSeq: number): undefined {
    this.isFull = true;
    if (this.entries.length > 0) return undefined;
    const range = { queue: this.queue, fromSeq, toSeq };
    const end = toSeq === Number.POSITIVE_INFINITY ? "the end" : toSeq;
    throw new StoreError("damaged", `queue ${this.queue}, entries ${fromSeq} to ${end}: the row is damaged`, {
      range,
    });
  }
}
