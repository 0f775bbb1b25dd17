import type { Deadline, Deadlines } from "./deadlines.ts";
import type { Entry } from "./entry.ts";
import type { EntryWindow } from "./entry-window.ts";
import type { Lane } from "./lane.ts";
import type { Queue } from "./queue.ts";
import type { MemoryBudget } from "./ready-list.ts";
import { SeqHeap } from "./seq-heap.ts";

/** How many messages come back at once; the others follow in later turns. */
const portion = 256;
/** More than this are kept on disk only, as far as they are there. */
const maxInMemory = 256;

/** Why a message is neither ready nor handed out. */
export type AsideState = "delayed" | "parked";

export interface AsideHost {
  /** Milliseconds since 1970, the clock of `deadlines`. */
  now(): number;
  readonly deadlines: Pick<Deadlines, "create">;
  readonly memory: MemoryBudget;
  /** A delivery from the queue may have become possible. */
  wake(queue: Queue): void;
  /** A row of the queue could not be read. */
  damaged(queue: Queue, error: unknown): void;
}

/**
 * The messages of one lane that are set aside: delayed ones, which come back by themselves, and parked ones, which someone has to
 * release. Their notes say so, so that a restart finds them. Of those that are on disk only the numbers are kept.
 */
export class AsideEntries {
  readonly #lane: Lane;
  readonly #host: AsideHost;
  readonly #states = new Map<number, AsideState>();
  /** Their numbers in order, and some of those that have gone. Made when it is asked for, as few look into queues. */
  #order: number[] | undefined;
  readonly #inMemory = new Map<number, Entry>();
  /** When delayed messages come back, or expire. Some may have gone meanwhile. */
  readonly #due = new SeqHeap();
  readonly #deadline: Deadline;
  #parked = 0;

  constructor(lane: Lane, host: AsideHost) {
    this.#lane = lane;
    this.#host = host;
    this.#deadline = host.deadlines.create(() => this.#comeBack());
  }

  get isEmpty(): boolean {
    return this.#states.size === 0;
  }

  get parkedCount(): number {
    return this.#parked;
  }

  get delayedCount(): number {
    return this.#states.size - this.#parked;
  }

  stateOf(seq: number): AsideState | undefined {
    return this.#states.get(seq);
  }

  /** Sets an entry aside that is neither ready nor handed out any more. */
  add(entry: Entry, state: AsideState): void {
    entry.state = state;
    this.#note(entry.seq, state, entry.delayedUntil, entry.expiresAt);
    this.#keep(entry);
  }

  /** An earlier run of the broker has set this one aside. */
  found(seq: number, state: AsideState, delayedUntil: number, expiresAt: number): void {
    this.#note(seq, state, delayedUntil, expiresAt);
  }

  /** The entry in this place. @throws StoreError if it cannot be read back from disk. */
  find(seq: number): Entry | undefined {
    if (!this.#states.has(seq)) return undefined;
    return this.#inMemory.get(seq) ?? this.#lane.load(seq);
  }

  /** The entry is no longer aside. */
  remove({ seq }: Entry): void {
    if (this.#states.get(seq) === "parked") this.#parked--;
    this.#states.delete(seq);
    this.#forget(seq);
  }

  /**
   * Shows a window those that belong into it and are not read with the places around them, and not many more than `maxBytes` of
   * messages. @throws StoreError if one cannot be read back from disk.
   */
  show(window: EntryWindow, maxBytes: number): void {
    let shown = 0;
    let bytes = 0;
    for (const seq of this.#seqsFrom(window.fromSeq)) {
      if (seq > window.toSeq) return;
      if (this.#lane.ready.isOnDisk(seq)) continue;
      const entry = this.find(seq);
      if (entry === undefined) continue;
      window.add(entry);
      bytes += entry.envelope.length;
      if (++shown < window.maxEntries && bytes < maxBytes) continue;
      window.endAt(seq);
      return;
    }
  }

  /** Delayed entries, which are kept in memory from here on. @throws StoreError if one cannot be read back from disk. */
  *delayed(): Iterable<Entry> {
    for (const [seq, state] of this.#states) {
      const entry = state === "delayed" ? this.find(seq) : undefined;
      if (entry === undefined) continue;
      this.#keep(entry);
      yield entry;
    }
  }

  /** What of a range is between the places of those that are set aside. */
  gaps(fromSeq: number, toSeq: number): { readonly fromSeq: number; readonly toSeq: number }[] {
    const seqs = [...this.#seqsFrom(fromSeq)].filter((seq) => seq <= toSeq);
    const bounds = [fromSeq - 1, ...seqs, toSeq + 1];
    return bounds
      .slice(1)
      .map((end, i) => ({ fromSeq: bounds[i]! + 1, toSeq: end - 1 }))
      .filter((gap) => gap.fromSeq <= gap.toSeq);
  }

  /** All that has changed is with the store, and everything up to `flushedSeq` on disk: that much can be read back from there. */
  trim(flushedSeq: number): void {
    if (this.#inMemory.size <= maxInMemory) return;
    for (const [seq, entry] of this.#inMemory)
      if (entry.storage === "written" && seq <= flushedSeq && entry.group === undefined) this.#forget(seq);
  }

  /** Nothing is left. */
  clear(): void {
    for (const seq of [...this.#inMemory.keys()]) this.#forget(seq);
    this.#states.clear();
    this.#order = undefined;
    this.#parked = 0;
    this.#due.keep(() => false);
    this.#deadline.clear();
  }

  #note(seq: number, state: AsideState, delayedUntil: number, expiresAt: number): void {
    this.#states.set(seq, state);
    if (this.#order !== undefined && seq > (this.#order.at(-1) ?? 0)) this.#order.push(seq);
    else this.#order = undefined;
    if (state === "parked") {
      this.#parked++;
      return;
    }
    const dueAt = expiresAt === 0 ? delayedUntil : Math.min(delayedUntil, expiresAt);
    this.#due.add(dueAt, seq);
    if (!this.#deadline.isSet || dueAt < this.#deadline.dueAt) this.#deadline.set(dueAt);
  }

  /** The numbers from `fromSeq` on, in order. */
  *#seqsFrom(fromSeq: number): Iterable<number> {
    if (this.#order === undefined || this.#order.length > 2 * this.#states.size)
      this.#order = [...this.#states.keys()].sort((a, b) => a - b);
    const order = this.#order;
    let [from, to] = [0, order.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (order[middle]! < fromSeq) from = middle + 1;
      else to = middle;
    }
    for (let at = from; at < order.length; at++) if (this.#states.has(order[at]!)) yield order[at]!;
  }

  #keep(entry: Entry): void {
    if (this.#inMemory.has(entry.seq)) return;
    this.#inMemory.set(entry.seq, entry);
    this.#host.memory.usedBytes += entry.memoryBytes;
  }

  #forget(seq: number): void {
    const entry = this.#inMemory.get(seq);
    if (entry === undefined) return;
    this.#inMemory.delete(seq);
    this.#host.memory.usedBytes -= entry.memoryBytes;
  }

  #comeBack(): void {
    const { queue } = this.#lane;
    const now = this.#host.now();
    try {
      for (let left = portion; left > 0 && this.#due.firstDueAt <= now; left--) {
        const seq = this.#due.take();
        const entry = this.#states.get(seq) === "delayed" ? this.find(seq) : undefined;
        // One that was released and delayed again has a later place in the heap, too.
        if (entry !== undefined && this.#isDue(entry, now)) queue.delayEnded(entry);
      }
      if (this.#due.size > 0) this.#deadline.set(this.#due.firstDueAt);
      this.#host.wake(queue);
    } catch (error) {
      this.#host.damaged(queue, error);
    }
  }

  #isDue({ delayedUntil, expiresAt }: Entry, now: number): boolean {
    return delayedUntil <= now || (expiresAt !== 0 && expiresAt <= now);
  }
}
