import type { QueueSettings } from "../../protocol/queue-settings.ts";
import type { Entry } from "./entry.ts";

type Limits = Pick<QueueSettings, "maxLength" | "maxBytes" | "overflow">;

/** What limits need of the queue that they are for. */
export interface LimitedQueue {
  readonly readyCount: number;
  /** Of bodies. */
  readonly readyBytes: number;
  /** Takes away what gives way first. @throws StoreError if it cannot be read back from disk. */
  takeLeastWanted(): Entry | undefined;
  /** An entry that is not ready any more was too much. */
  exceeded(entry: Entry): void;
}

/** How many messages give way at once, besides as many as have come; the others follow in later turns. */
const portion = 256;

/**
 * How much of a queue may be ready, and what gives way when that is too much (SEMANTICS 46, 47):
 *
 * - `reject-publish`: the message that comes, before it is in the queue. Whoever publishes asks {@link refuses}.
 * - `drop-head`: the oldest. `dead-letter`: those that came last. Both are in the queue first, and go when those who could take a
 *   message at once had their turn: {@link tidy}.
 *
 * A message that comes back is no reason for any to go.
 */
export class LengthLimits {
  readonly #queue: LimitedQueue;
  readonly #limits: Limits;
  /** With `dead-letter`: those that came when there was too much, in order. Some may have gone meanwhile. */
  #surplus: Entry[] = [];
  /** How many came since the last {@link tidy} when there was too much. */
  #came = 0;
  /** The limits were higher before, so what was there then may be too much. */
  #areNew: boolean;

  constructor(queue: LimitedQueue, limits: Limits, areNew: boolean) {
    this.#queue = queue;
    this.#limits = limits;
    this.#areNew = areNew;
  }

  /** Whether these are the limits already. */
  goesBy({ maxLength, maxBytes, overflow }: Limits): boolean {
    const limits = this.#limits;
    return limits.maxLength === maxLength && limits.maxBytes === maxBytes && limits.overflow === overflow;
  }

  /** Whether there is no place for one message more, of that size, and no other gives way to it. */
  refuses(bytes: number): boolean {
    const { maxLength, maxBytes, overflow } = this.#limits;
    if (overflow !== "reject-publish") return false;
    return this.#queue.readyCount >= maxLength || this.#queue.readyBytes + bytes > maxBytes;
  }

  /** Whether something has to give way that is there. */
  get areExceeded(): boolean {
    const { maxLength, maxBytes, overflow } = this.#limits;
    if (overflow === "reject-publish") return false;
    return this.#queue.readyCount > maxLength || this.#queue.readyBytes > maxBytes;
  }

  /** An entry was added while they were exceeded, or has made it so. */
  noteSurplus(entry: Entry): void {
    this.#came++;
    if (this.#limits.overflow !== "dead-letter") return;
    this.#surplus.push(entry);
    if (this.#surplus.length > 2 * this.#queue.readyCount + portion)
      this.#surplus = this.#surplus.filter(isReady);
  }

  /** Lets give way what is too much, or a good part of it: then they are still exceeded. @throws StoreError */
  tidy(): void {
    if (this.#limits.overflow === "dead-letter") this.#endSurplus();
    const most = portion + this.#came;
    this.#came = 0;
    const isFromFront = this.#limits.overflow === "drop-head" || this.#areNew;
    for (let count = 0; isFromFront && count < most && this.areExceeded; count++) {
      const entry = this.#queue.takeLeastWanted();
      if (entry === undefined) return;
      this.#queue.exceeded(entry);
    }
    if (!this.areExceeded) this.#areNew = false;
  }

  /** Whether {@link tidy} has left something to do. */
  get areUntidy(): boolean {
    return this.areExceeded && (this.#limits.overflow === "drop-head" || this.#areNew);
  }

  /** The last of them go, in order. */
  #endSurplus(): void {
    const { maxLength, maxBytes } = this.#limits;
    let { readyCount, readyBytes } = this.#queue;
    const leaving: Entry[] = [];
    for (const entry of this.#surplus.reverse()) {
      if (readyCount <= maxLength && readyBytes <= maxBytes) break;
      // It may have been to the disk and back.
      const ready = isReady(entry) ? entry.lane.find(entry.seq) : undefined;
      if (ready === undefined || !isReady(ready)) continue;
      leaving.push(ready);
      readyCount--;
      readyBytes -= ready.bytes;
    }
    this.#surplus = [];
    for (const entry of leaving.reverse()) this.#queue.exceeded(entry.lane.withdrawThis(entry));
  }
}

function isReady({ state }: Entry): boolean {
  return state === "ready";
}
