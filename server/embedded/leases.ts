import type { Deadline, Deadlines } from "./deadlines.ts";
import type { Entry } from "./entry.ts";

/** How many messages come back at once; the others follow in later turns. */
const portion = 1024;

export interface LeaseTime {
  /** Milliseconds since 1970, the clock of `deadlines`. */
  readonly now: () => number;
  readonly deadlines: Deadlines;
}

/**
 * The messages of one holder that have to be settled within a time, which is the same for all. So they are due in the order in
 * which they were handed out or last touched; a `Map` keeps that order, and only the first needs a deadline.
 */
export class Leases {
  readonly timeoutMs: number;
  readonly #dueAt = new Map<Entry, number>();
  readonly #now: () => number;
  readonly #deadline: Deadline;
  readonly #onExpired: (entries: readonly Entry[]) => void;

  /** `onExpired` gets messages that are due, in the order in which they are. They are forgotten here. */
  constructor(
    timeoutMs: number,
    { now, deadlines }: LeaseTime,
    onExpired: (entries: readonly Entry[]) => void,
  ) {
    this.timeoutMs = timeoutMs;
    this.#now = now;
    this.#deadline = deadlines.create(() => this.#expire());
    this.#onExpired = onExpired;
  }

  begin(entry: Entry): void {
    const dueAt = this.#now() + this.timeoutMs;
    this.#dueAt.set(entry, dueAt);
    if (!this.#deadline.isSet) this.#deadline.set(dueAt);
  }

  end(entry: Entry): void {
    // A deadline that is met too early is set anew then; only one that nobody needs would stay for nothing.
    if (this.#dueAt.delete(entry) && this.#dueAt.size === 0) this.#deadline.clear();
  }

  touch(entry: Entry): void {
    // Behind all the others: it is due last now.
    if (this.#dueAt.delete(entry)) this.begin(entry);
  }

  #expire(): void {
    const now = this.#now();
    const late: Entry[] = [];
    for (const [entry, dueAt] of this.#dueAt) {
      if (dueAt > now || late.length === portion) {
        this.#deadline.set(dueAt);
        break;
      }
      late.push(entry);
    }
    for (const entry of late) this.#dueAt.delete(entry);
    if (late.length > 0) this.#onExpired(late);
  }
}
