import { Deque } from "./deque.ts";
import { type Entry, entryOverheadBytes } from "./entry.ts";
import type { EntryWindow } from "./entry-window.ts";
import { ReturnedEntries } from "./returned-entries.ts";

/** How much of all queues is in memory. Shared by them; `usedBytes` is kept up by their ready lists. */
export interface MemoryBudget {
  usedBytes: number;
  readonly budgetBytes: number;
  /** A queue keeps this much in memory before it pages: less when more than half of the budget is used, so that there is some for all. */
  readonly queueBytes: number;
}

/** What the lanes of one queue keep in memory. Kept up by their ready lists. */
export interface LanesMemory {
  usedBytes: number;
}

/** A queue keeps as much as this even when others have used the budget up. */
const floorBytes = 64 * 1024;
/** A lane keeps as much as this even when others of its queue have used up what the queue may keep. */
const laneFloorBytes = 16 * 1024;

/** How much one refill reads, unless the queue may keep less. */
const maxRefillEntries = 1024;
const maxRefillBytes = 1024 * 1024;

/** What counts of an entry. */
type Sized = Pick<Entry, "durable" | "bytes">;

/** Reads written entries back: `fromSeq <= seq <= toSeq`, in order. */
export type LoadEntries = (fromSeq: number, toSeq: number, maxEntries: number, maxBytes: number) => Entry[];

/**
 * A queue's ready messages, in order. What is near its ends is in memory, the middle is on disk only:
 *
 *     returned ── head ── disk ── tail
 *
 * - `returned`: requeued entries. They were handed out once, so they are before everything in `head`, except those that an earlier
 *   run had set aside: these may have their places between those in `head`.
 * - `head`: next in line.
 * - `disk`: counted, not held. Entries get there once their commit is flushed, and come back by `#refill`.
 * - `tail`: entries whose commit is not flushed yet, while there is a `disk` part or about to be one.
 *
 * Without paging there are just `returned` and `head`. Paging begins when the memory for this queue is used up, and ends
 * when `disk` has been read back. While it lasts, whoever adds entries must have them written, persistent or not.
 *
 * An entry that is removed out of turn stays where it is in memory, `done`, until its turn comes. On disk it is left out until a
 * commit has it.
 */
export class ReadyList {
  readonly #returned = new ReturnedEntries();
  readonly #head = new Deque<Entry>();
  readonly #tail = new Deque<Entry>();
  readonly #budget: MemoryBudget;
  readonly #load: LoadEntries;
  readonly #lanes: LanesMemory;
  readonly #refillEntries: number;
  readonly #refillBytes: number;
  #paging = false;
  #memoryBytes = 0;
  /** Of bodies. */
  #bytes = 0;
  /** Where the disk part begins. */
  #diskFrom = 0;
  /** Everything up to here is flushed. */
  #flushedSeq = 0;
  #diskMessages = 0;
  /** Of `#diskMessages`, those that survive a restart. */
  #diskDurable = 0;
  #diskDurableBytes = 0;
  /** In memory, but removed. */
  #gone = 0;
  /** Removed from the disk part, or from what is on its way there, since the last commit: the disk may still show them. */
  readonly #removedFromDisk = new Set<number>();

  constructor(budget: MemoryBudget, load: LoadEntries, lanes: LanesMemory = { usedBytes: 0 }) {
    this.#budget = budget;
    this.#load = load;
    this.#lanes = lanes;
    this.#refillEntries = Math.max(
      1,
      Math.min(maxRefillEntries, Math.floor(budget.queueBytes / entryOverheadBytes)),
    );
    this.#refillBytes = Math.min(maxRefillBytes, budget.queueBytes);
  }

  get length(): number {
    return this.#inMemory - this.#gone + this.#diskMessages;
  }

  /** Bytes of the bodies. */
  get bytes(): number {
    return this.#bytes;
  }

  get isPaging(): boolean {
    return this.#paging;
  }

  /** Whether the next entry will be kept on disk only, and so has to be written. */
  get willPage(): boolean {
    if (this.#paging) return true;
    const { queueBytes } = this.#budget;
    return (
      this.#memoryBytes > Math.min(laneFloorBytes, queueBytes) &&
      this.#lanes.usedBytes > queueShare(this.#budget)
    );
  }

  /** After a restart: everything is on disk. */
  recover(messages: number, bytes: number, lastSeq: number): void {
    this.#paging = messages > 0;
    this.#diskFrom = 0;
    this.#flushedSeq = lastSeq;
    this.#diskMessages = messages;
    this.#diskDurable = messages;
    this.#diskDurableBytes = bytes;
    this.#bytes = bytes;
  }

  /** Adds at the end. */
  push(entry: Entry): void {
    if (!this.#paging && this.willPage) {
      this.#paging = true;
      this.#diskFrom = entry.seq;
    }
    this.#charge(entry.memoryBytes);
    this.#bytes += entry.bytes;
    if (this.#paging) this.#tail.push(entry);
    else this.#head.push(entry);
  }

  /** Puts an entry that was taken back at its place. */
  putBack(entry: Entry): void {
    this.#charge(entry.memoryBytes);
    this.#bytes += entry.bytes;
    this.#returned.add(entry);
  }

  /** Removes the first entry. @throws StoreError if the disk part cannot be read. */
  take(): Entry | undefined {
    for (;;) {
      let entry = this.#returnedIsFirst ? this.#returned.takeLowest() : undefined;
      if (entry === undefined) {
        while (this.#head.length === 0 && this.#paging) this.#refill();
        entry = this.#head.shift();
      }
      if (entry === undefined) return undefined;
      if (entry.state === "done") {
        this.#gone--;
        continue;
      }
      this.#charge(-entry.memoryBytes);
      this.#bytes -= entry.bytes;
      return entry;
    }
  }

  /**
   * The first entry that has not come back, which stays where it is.
   * @throws StoreError if the disk part cannot be read.
   */
  firstFresh(): Entry | undefined {
    this.#dropGoneInFront();
    while (this.#head.length === 0 && this.#paging) {
      this.#refill();
      this.#dropGoneInFront();
    }
    return this.#head.first();
  }

  /** Whether there are entries that have come back. */
  get hasReturned(): boolean {
    return this.#returned.length > 0;
  }

  /** Whether the first entry that has not come back would have to be read. */
  get firstIsOnDisk(): boolean {
    this.#dropGoneInFront();
    return this.#head.length === 0 && this.#diskMessages > 0;
  }

  /** Where entries are on disk only. */
  get diskRange(): { readonly fromSeq: number; readonly toSeq: number } {
    return { fromSeq: this.#diskFrom, toSeq: this.#flushedSeq };
  }

  /** Everything up to here is flushed. */
  get flushedSeq(): number {
    return this.#flushedSeq;
  }

  /** Whether the entry in this place is on disk only, if there is one. */
  isOnDisk(seq: number): boolean {
    return this.#paging && this.#diskFrom <= seq && seq <= this.#flushedSeq;
  }

  /** An entry that is on disk only was set aside: it is not ready. */
  setAsideOnDisk(entry: Sized): void {
    this.#countOnDisk(entry, -1);
    this.#bytes -= entry.bytes;
  }

  /** An entry that was set aside is ready again, in its place on disk. */
  returnToDisk(entry: Sized): void {
    this.#countOnDisk(entry, 1);
    this.#bytes += entry.bytes;
  }

  /** An entry that is not ready has ended: what is read of its place before the next commit is not to be taken for one. */
  leaveOut(seq: number): void {
    if (this.#paging && seq >= this.#diskFrom) this.#removedFromDisk.add(seq);
  }

  /** Whether an entry on disk was removed, of which the store does not know yet. */
  wasRemoved(seq: number): boolean {
    return this.#removedFromDisk.has(seq);
  }

  /** Where those begin that have not come back, as far as it is known without reading. `Infinity` if there are none. */
  get freshFrom(): number {
    return (
      this.#head.first()?.seq ??
      (this.#diskMessages > 0 ? this.#diskFrom : (this.#tail.first()?.seq ?? Number.POSITIVE_INFINITY))
    );
  }

  /** As {@link find}, but not among those that have come back. */
  findFresh(seq: number): Entry | undefined {
    const entry = this.isOnDisk(seq)
      ? this.#findOnDisk(seq)
      : (inOrder(this.#head, seq) ?? inOrder(this.#tail, seq));
    return entry?.state === "ready" ? entry : undefined;
  }

  /** The entry with this number, which stays where it is. @throws StoreError if the disk part cannot be read. */
  find(seq: number): Entry | undefined {
    const entry = this.findFresh(seq) ?? inAnyOrder(this.#returned, seq);
    return entry?.state === "ready" ? entry : undefined;
  }

  /** Whether an entry that was shown is still what the list has in this place. */
  holds(entry: Entry): boolean {
    if (this.isOnDisk(entry.seq)) return !this.#removedFromDisk.has(entry.seq);
    return this.find(entry.seq) === entry;
  }

  /** Removes an entry out of turn, for good: one that was found in this turn of the event loop. */
  remove(entry: Entry): void {
    entry.state = "done";
    if (this.#paging && entry.seq >= this.#diskFrom) this.#removedFromDisk.add(entry.seq);
    this.#bytes -= entry.bytes;
    if (this.isOnDisk(entry.seq)) this.#countOnDisk(entry, -1);
    else {
      this.#gone++;
      this.#charge(-entry.memoryBytes);
      if (this.#gone > 64 && 2 * this.#gone > this.#inMemory) this.#letGo();
    }
  }

  /** Shows a window the entries that belong into it. @throws StoreError if the disk part cannot be read. */
  show(window: EntryWindow, maxBytes: number): void {
    for (const entry of this.#returned) if (isReady(entry)) window.add(entry);
    showInOrder(this.#head, window);
    if (this.#paging) this.#showDisk(window, maxBytes);
    showInOrder(this.#tail, window);
  }

  /** A commit has everything that was removed. */
  committed(): void {
    this.#removedFromDisk.clear();
  }

  /** Every entry up to `seq` is on disk: those of the tail need no memory any more. */
  flushed(seq: number): void {
    this.#flushedSeq = seq;
    for (
      let entry = this.#tail.first();
      entry !== undefined && entry.seq <= seq;
      entry = this.#tail.first()
    ) {
      this.#tail.shift();
      if (entry.state === "done") {
        this.#gone--;
        continue;
      }
      this.#charge(-entry.memoryBytes);
      this.#countOnDisk(entry, 1);
    }
  }

  /** Removes everything. The disk part comes as a range to be dropped, with what it counted. */
  clear(): ClearedEntries {
    const entries = [...this.#returned.takeAll(), ...this.#head, ...this.#tail].filter(isReady);
    const disk =
      this.#diskMessages === 0
        ? undefined
        : {
            fromSeq: this.#diskFrom,
            toSeq: this.#flushedSeq,
            messages: this.#diskMessages,
            durableMessages: this.#diskDurable,
            durableBytes: this.#diskDurableBytes,
          };
    this.#head.clear();
    this.#tail.clear();
    this.#gone = 0;
    this.#removedFromDisk.clear();
    this.#bytes = 0;
    this.#charge(-this.#memoryBytes);
    this.#endPaging();
    return { entries, disk };
  }

  get #returnedIsFirst(): boolean {
    if (this.#returned.length === 0) return false;
    const first = this.#head.first();
    return first === undefined || this.#returned.lowest!.seq < first.seq;
  }

  get #inMemory(): number {
    return this.#returned.length + this.#head.length + this.#tail.length;
  }

  #findOnDisk(seq: number): Entry | undefined {
    return this.#removedFromDisk.has(seq) ? undefined : this.#load(seq, seq, 1, 0)[0];
  }

  #dropGoneInFront(): void {
    for (let entry = this.#head.first(); entry?.state === "done"; entry = this.#head.first()) {
      this.#head.shift();
      this.#gone--;
    }
  }

  /** Keeps nothing in memory that is done. */
  #letGo(): void {
    this.#returned.keep(isReady);
    this.#head.keep(isReady);
    this.#tail.keep(isReady);
    this.#gone = 0;
  }

  #refill(): void {
    if (this.#diskMessages > 0) {
      const entries = this.#load(this.#diskFrom, this.#flushedSeq, this.#refillEntries, this.#refillBytes);
      for (const entry of entries) {
        if (!isReady(entry) || this.#removedFromDisk.has(entry.seq)) continue;
        this.#head.push(entry);
        this.#charge(entry.memoryBytes);
        this.#countOnDisk(entry, -1);
      }
      const last = entries.at(-1);
      if (last !== undefined) this.#diskFrom = last.seq + 1;
      if (last !== undefined && this.#diskMessages > 0) return;
    }
    this.#endPaging();
    for (const entry of this.#tail) this.#head.push(entry);
    this.#tail.clear();
  }

  #showDisk(window: EntryWindow, maxBytes: number): void {
    const fromSeq = Math.max(window.fromSeq, this.#diskFrom);
    const toSeq = Math.min(window.toSeq, this.#flushedSeq);
    if (fromSeq > toSeq) return;
    const entries = this.#load(fromSeq, toSeq, window.maxEntries, maxBytes);
    for (const entry of entries) if (!this.#removedFromDisk.has(entry.seq)) window.add(entry);
    const last = entries.at(-1);
    // There may be more behind it, before what is in memory.
    if (last !== undefined && last.seq < toSeq) window.endAt(last.seq);
  }

  #endPaging(): void {
    this.#paging = false;
    this.#diskMessages = 0;
    this.#diskDurable = 0;
    this.#diskDurableBytes = 0;
  }

  #countOnDisk(entry: Sized, change: 1 | -1): void {
    this.#diskMessages += change;
    if (!entry.durable) return;
    this.#diskDurable += change;
    this.#diskDurableBytes += change * entry.bytes;
  }

  #charge(bytes: number): void {
    this.#memoryBytes += bytes;
    this.#lanes.usedBytes += bytes;
    this.#budget.usedBytes += bytes;
  }
}

/** What a queue may keep in memory now. */
function queueShare({ usedBytes, budgetBytes, queueBytes }: MemoryBudget): number {
  if (usedBytes <= budgetBytes / 2) return queueBytes;
  return Math.max(2 * queueBytes * (1 - usedBytes / budgetBytes), Math.min(floorBytes, queueBytes));
}

function isReady({ state }: Entry): boolean {
  return state === "ready";
}

/** Where the first entry from `seq` on stands in a list that is in order. */
function placeOf(list: Deque<Entry>, seq: number): number {
  let [from, to] = [0, list.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (list.at(middle).seq < seq) from = middle + 1;
    else to = middle;
  }
  return from;
}

function inOrder(list: Deque<Entry>, seq: number): Entry | undefined {
  const place = placeOf(list, seq);
  if (place === list.length) return undefined;
  const entry = list.at(place);
  return entry.seq === seq ? entry : undefined;
}

function inAnyOrder(entries: Iterable<Entry>, seq: number): Entry | undefined {
  for (const entry of entries) if (entry.seq === seq) return entry;
  return undefined;
}

function showInOrder(list: Deque<Entry>, window: EntryWindow): void {
  let shown = 0;
  for (let at = placeOf(list, window.fromSeq); at < list.length && shown < window.maxEntries; at++) {
    const entry = list.at(at);
    if (entry.seq > window.toSeq) return;
    if (!isReady(entry)) continue;
    window.add(entry);
    shown++;
  }
}

export interface ClearedEntries {
  readonly entries: readonly Entry[];
  readonly disk:
    | {
        readonly fromSeq: number;
        readonly toSeq: number;
        readonly messages: number;
        readonly durableMessages: number;
        readonly durableBytes: number;
      }
    | undefined;
}
