import { type Due, DueHeap } from "./due-heap.ts";

export interface DeadlinesOptions {
  /** Milliseconds since 1970. Should it jump, deadlines follow within a second. */
  readonly now: () => number;
  /** Calls back after some milliseconds; must not keep the process alive. */
  readonly delay: (delayMs: number, callback: () => void) => void;
}

/** Something that is to happen at a certain time; made by {@link Deadlines.create}. */
export interface Deadline {
  /** Whether it is going to happen. */
  readonly isSet: boolean;
  /** When it is due, or was. */
  readonly dueAt: number;
  /** Sets it, or sets it anew. What is due already happens all the same in a later turn. */
  set(dueAt: number): void;
  /** It will not happen, unless it is set again. */
  clear(): void;
}

/** No timer runs longer: `now` is looked at again after that. */
const maxWaitMs = 1000;
/** How many deadlines are met in one turn of the event loop. */
const portion = 128;

/**
 * Calls back when something is due: what is due earliest first, and what is due at the same time in the order in which it was
 * set.
 *
 * A timer goes off when the first deadline is due. It is not cancelled if that is cleared or set anew; if an earlier one is set,
 * an earlier timer is added. So each timer is earlier than those begun before it, and there are never more than the
 * milliseconds of `maxWaitMs`; mostly there is one.
 */
export class Deadlines {
  readonly #options: DeadlinesOptions;
  readonly #heap = new DueHeap<SetDeadline>();
  #lastOrder = 0;
  /** When the timers go off, the earliest last. */
  readonly #wakes: number[] = [];
  #isStopped = false;

  constructor(options: DeadlinesOptions) {
    this.#options = options;
  }

  /** How many are set. */
  get size(): number {
    return this.#heap.size;
  }

  /**
   * A deadline that is not set yet.
   *
   * @param onDue does a bounded amount of work, and sets the deadline again if there is more to do.
   */
  create(onDue: () => void): Deadline {
    return new SetDeadline(this, onDue);
  }

  /** Nothing happens any more. */
  stop(): void {
    this.#isStopped = true;
  }

  /** For {@link Deadline.set}. */
  put(deadline: SetDeadline, dueAt: number): void {
    deadline.dueAt = dueAt;
    deadline.order = ++this.#lastOrder;
    this.#heap.put(deadline);
    if (dueAt < this.#nextWake) this.#wake(this.#options.now());
  }

  /** For {@link Deadline.clear}. */
  remove(deadline: SetDeadline): void {
    this.#heap.remove(deadline);
  }

  get #nextWake(): number {
    return this.#wakes.at(-1) ?? Number.POSITIVE_INFINITY;
  }

  /** Sees to it that a timer goes off when the first one is due. */
  #wake(now: number): void {
    const { first } = this.#heap;
    if (first === undefined || this.#isStopped) return;
    const waitMs = Math.min(Math.max(Math.ceil(first.dueAt - now), 0), maxWaitMs);
    if (now + waitMs >= this.#nextWake) return;
    this.#wakes.push(now + waitMs);
    this.#options.delay(waitMs, () => {
      this.#wakes.pop();
      this.#run();
    });
  }

  #run(): void {
    if (this.#isStopped) return;
    const now = this.#options.now();
    try {
      for (let met = 0; met < portion; met++) {
        const { first } = this.#heap;
        if (first === undefined || first.dueAt > now) break;
        this.#heap.remove(first);
        first.onDue();
      }
    } finally {
      this.#wake(now);
    }
  }
}

class SetDeadline implements Deadline, Due {
  dueAt = 0;
  order = 0;
  place = -1;
  readonly onDue: () => void;
  readonly #deadlines: Deadlines;

  constructor(deadlines: Deadlines, onDue: () => void) {
    this.#deadlines = deadlines;
    this.onDue = onDue;
  }

  get isSet(): boolean {
    return this.place >= 0;
  }

  set(dueAt: number): void {
    this.#deadlines.put(this, dueAt);
  }

  clear(): void {
    this.#deadlines.remove(this);
  }
}
