import type { Deadline, Deadlines } from "./deadlines.ts";
import { type Due, DueHeap } from "./due-heap.ts";
import type { Entry } from "./entry.ts";
import type { Lane } from "./lane.ts";
import type { Queue } from "./queue.ts";
import { SeqHeap } from "./seq-heap.ts";

/** How many messages expire at once; the others follow in later turns. */
const portion = 256;

/** What expiry needs of its surroundings. */
export interface ExpiryHost {
  /** Milliseconds since 1970, the clock of `deadlines`. */
  now(): number;
  readonly deadlines: Pick<Deadlines, "create">;
  /** A message has expired: it is no longer ready, and has to be ended. */
  expired(entry: Entry): void;
  /** A delivery from the queue may have become possible. */
  wake(queue: Queue): void;
  /** A row of the queue could not be read. */
  damaged(queue: Queue, error: unknown): void;
}

/** An entry that came back to its queue. */
interface ReturnedDue extends Due {
  readonly entry: Entry;
}

/**
 * Lets the messages of a lane expire when they are due, wherever in the lane they are (SEMANTICS 43). Those with consumers do
 * not expire (45).
 *
 * Mostly messages are due in the order in which they came: then the first that has not been handed out yet is due first, and
 * nothing has to be kept. Only a message that is due before one in front of it is noted, with 16 bytes; and what came back to
 * the lane and so is in memory anyway.
 */
export class Expiry {
  readonly #lane: Lane;
  readonly #host: ExpiryHost;
  readonly #deadline: Deadline;
  /** Those that are due before one in front of them. Some may have gone meanwhile. */
  readonly #early = new SeqHeap();
  readonly #returned = new DueHeap<ReturnedDue>();
  readonly #dueOf = new Map<Entry, ReturnedDue>();
  /** The latest time at which one of those is due that have not been handed out. */
  #latest = 0;
  /** The latest time at which any was due that ever was here. */
  #latestEver = 0;

  constructor(lane: Lane, host: ExpiryHost) {
    this.#lane = lane;
    this.#host = host;
    this.#deadline = host.deadlines.create(() => this.#expire());
  }

  /** Messages are there already, due in their turn and the last one by then at the latest. */
  startBehind(dueAt: number): void {
    this.#latest = this.#latestEver = dueAt;
  }

  /**
   * A message was added at the end. Returns whether it is due after all that were there before. As long as that is so, what a
   * restart finds is due in its turn, with what was in hand then.
   */
  added({ seq, expiresAt }: { readonly seq: number; readonly expiresAt: number }): boolean {
    const { freshFrom } = this.#lane.ready;
    // Nothing is in front of it, nor will be.
    if (freshFrom >= seq && !this.#lane.mayFillGaps) this.#latest = 0;
    const dueAt = expiresAt === 0 ? Number.POSITIVE_INFINITY : expiresAt;
    if (dueAt >= this.#latest) this.#latest = dueAt;
    else {
      this.#early.add(dueAt, seq);
      this.#forgetGone(freshFrom);
    }
    if (dueAt < Number.POSITIVE_INFINITY) this.#dueBy(dueAt);
    const isLatest = dueAt >= this.#latestEver;
    if (isLatest) this.#latestEver = dueAt;
    return isLatest;
  }

  /** A message has come back to its place, or is kept elsewhere in memory. */
  cameBack(entry: Entry): void {
    if (this.#dueOf.has(entry)) return;
    const due = { entry, dueAt: entry.expiresAt, order: entry.seq, place: -1 };
    this.#dueOf.set(entry, due);
    this.#returned.put(due);
    this.#dueBy(entry.expiresAt);
  }

  /** A message is no longer ready. */
  left(entry: Entry): void {
    const due = this.#dueOf.get(entry);
    if (due === undefined) return;
    this.#dueOf.delete(entry);
    this.#returned.remove(due);
  }

  /** Looks at what there is as soon as possible: it is not known when the first is due. */
  look(): void {
    this.#dueBy(this.#host.now());
  }

  /** Nothing is left. */
  clear(): void {
    this.#early.keep(() => false);
    for (const due of this.#dueOf.values()) this.#returned.remove(due);
    this.#dueOf.clear();
    this.#latest = 0;
    this.#deadline.clear();
  }

  #dueBy(dueAt: number): void {
    if (!this.#deadline.isSet || dueAt < this.#deadline.dueAt) this.#deadline.set(dueAt);
  }

  #expire(): void {
    const lane = this.#lane;
    const now = this.#host.now();
    try {
      let left = portion;
      while (left > 0 && this.#expireNext(now)) left--;
      const nextDueAt = Math.min(this.#early.firstDueAt, this.#returnedDueAt, this.#freshDueAt());
      if (nextDueAt < Number.POSITIVE_INFINITY) this.#dueBy(nextDueAt);
      if (left < portion) this.#host.wake(lane.queue);
    } catch (error) {
      this.#host.damaged(lane.queue, error);
    }
  }

  /** Lets the one that is due first expire. Returns whether one was due. */
  #expireNext(now: number): boolean {
    const early = this.#early.firstDueAt;
    const returned = this.#returnedDueAt;
    const fresh = this.#freshDueAt();
    if (Math.min(early, returned, fresh) > now) return false;
    const entry =
      early <= Math.min(returned, fresh)
        ? this.#lane.withdraw(this.#early.take())
        : returned <= fresh
          ? this.#lane.withdrawThis(this.#returned.first!.entry)
          : this.#lane.withdraw(this.#lane.ready.firstFresh()!.seq);
    if (entry === undefined) return true;
    this.left(entry);
    this.#host.expired(entry);
    return true;
  }

  get #returnedDueAt(): number {
    return this.#returned.first?.dueAt ?? Number.POSITIVE_INFINITY;
  }

  /** When the first is due of those that have not been handed out. Its message is not read from disk for that. */
  #freshDueAt(): number {
    const { ready } = this.#lane;
    const first = ready.firstIsOnDisk ? this.#lane.firstOnDisk() : ready.firstFresh();
    return first?.expiresAt || Number.POSITIVE_INFINITY;
  }

  /** Most messages are handed out before they are due, in order: what was noted of them is not kept until then. */
  #forgetGone(freshFrom: number): void {
    const { size } = this.#early;
    if (size >= 64 && size > 2 * this.#lane.ready.length) this.#early.keep((seq) => seq >= freshFrom);
  }
}
