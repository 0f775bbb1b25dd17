import { Deque } from "./deque.ts";
import { type Entry, entryOverheadBytes } from "./entry.ts";
import { ReturnedEntries } from "./returned-entries.ts";

/** How much of all queues is in memory. Shared by them; `usedBytes` is kept up by their ready lists. */
export interface MemoryBudget {
  usedBytes: number;
  readonly budgetBytes: number;
  /** A queue keeps this much in memory before it pages. */
  readonly queueBytes: number;
}

/** A queue pages out above this even when others have used the budget up. */
const floorBytes = 64 * 1024;

/** How much one refill reads, unless the queue may keep less. */
const maxRefillEntries = 1024;
const maxRefillBytes = 1024 * 1024;

/** Reads written entries back: `fromSeq <= seq <= toSeq`, in order. */
export type LoadEntries = (fromSeq: number, toSeq: number, maxEntries: number, maxBytes: number) => Entry[];

/**
 * A queue's ready messages, in order. What is near its ends is in memory, the middle is on disk only:
 *
 *     returned ── head ── disk ── tail
 *
 * - `returned`: requeued entries. All were handed out once, so all are before everything in `head`.
 * - `head`: next in line.
 * - `disk`: counted, not held. Entries get there once their commit is flushed, and come back by `#refill`.
 * - `tail`: entries whose commit is not flushed yet, while there is a `disk` part or about to be one.
 *
 * Without paging there are just `returned` and `head`. Paging begins when the memory for this queue is used up, and ends
 * when `disk` has been read back. While it lasts, whoever adds entries must have them written, persistent or not.
 */
export class ReadyList {
  readonly #returned = new ReturnedEntries();
  readonly #head = new Deque<Entry>();
  readonly #tail = new Deque<Entry>();
  readonly #budget: MemoryBudget;
  readonly #load: LoadEntries;
  readonly #refillEntries: number;
  readonly #refillBytes: number;
  #paging = false;
  #memoryBytes = 0;
  /** Where the disk part begins. */
  #diskFrom = 0;
  /** Everything up to here is flushed. */
  #flushedSeq = 0;
  #diskMessages = 0;
  /** Of `#diskMessages`, those that survive a restart. */
  #diskDurable = 0;
  #diskDurableBytes = 0;

  constructor(budget: MemoryBudget, load: LoadEntries) {
    this.#budget = budget;
    this.#load = load;
    this.#refillEntries = Math.max(
      1,
      Math.min(maxRefillEntries, Math.floor(budget.queueBytes / entryOverheadBytes)),
    );
    this.#refillBytes = Math.min(maxRefillBytes, budget.queueBytes);
  }

  get length(): number {
    return this.#returned.length + this.#head.length + this.#diskMessages + this.#tail.length;
  }

  get isPaging(): boolean {
    return this.#paging;
  }

  /** Whether the next entry will be kept on disk only, and so has to be written. */
  get willPage(): boolean {
    if (this.#paging) return true;
    const { usedBytes, budgetBytes, queueBytes } = this.#budget;
    return this.#memoryBytes > queueBytes || (usedBytes > budgetBytes && this.#memoryBytes > floorBytes);
  }

  /** After a restart: everything is on disk. */
  recover(messages: number, bytes: number, lastSeq: number): void {
    this.#paging = messages > 0;
    this.#diskFrom = 0;
    this.#flushedSeq = lastSeq;
    this.#diskMessages = messages;
    this.#diskDurable = messages;
    this.#diskDurableBytes = bytes;
  }

  /** Adds at the end. */
  push(entry: Entry): void {
    if (!this.#paging && this.willPage) {
      this.#paging = true;
      this.#diskFrom = entry.seq;
    }
    this.#charge(entry.memoryBytes);
    if (this.#paging) this.#tail.push(entry);
    else this.#head.push(entry);
  }

  /** Puts an entry that was taken back at its place. */
  putBack(entry: Entry): void {
    this.#charge(entry.memoryBytes);
    this.#returned.add(entry);
  }

  /** Removes the first entry. @throws StoreError if the disk part cannot be read. */
  take(): Entry | undefined {
    let entry = this.#returned.takeLowest();
    if (entry === undefined) {
      if (this.#head.length === 0 && this.#paging) this.#refill();
      entry = this.#head.shift();
    }
    if (entry !== undefined) this.#charge(-entry.memoryBytes);
    return entry;
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
      this.#charge(-entry.memoryBytes);
      this.#countOnDisk(entry, 1);
    }
  }

  /** Removes everything. The disk part comes as a range to be dropped, with what it counted. */
  clear(): ClearedEntries {
    const entries = [...this.#returned.takeAll(), ...this.#head, ...this.#tail];
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
    this.#charge(-this.#memoryBytes);
    this.#endPaging();
    return { entries, disk };
  }

  #refill(): void {
    if (this.#diskMessages > 0) {
      const entries = this.#load(this.#diskFrom, this.#flushedSeq, this.#refillEntries, this.#refillBytes);
      for (const entry of entries) {
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

  #endPaging(): void {
    this.#paging = false;
    this.#diskMessages = 0;
    this.#diskDurable = 0;
    this.#diskDurableBytes = 0;
  }

  #countOnDisk(entry: Entry, change: 1 | -1): void {
    this.#diskMessages += change;
    if (!entry.durable) return;
    this.#diskDurable += change;
    this.#diskDurableBytes += change * entry.bytes;
  }

  #charge(bytes: number): void {
    this.#memoryBytes += bytes;
    this.#budget.usedBytes += bytes;
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
