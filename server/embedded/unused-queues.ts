import type { Deadline, Deadlines } from "./deadlines.ts";
import type { Queue } from "./queue.ts";

export interface UnusedQueuesOptions {
  /** Milliseconds since 1970, the clock of `deadlines`. */
  readonly now: () => number;
  readonly deadlines: Deadlines;
  readonly remove: (queue: Queue) => void;
}

interface Idle {
  usedAt: number;
  readonly deadline: Deadline;
}

/**
 * Removes queues that nobody has used for as long as their argument `expires` says: no consumer, no `get`, no declaration, not
 * even a passive one. Publishing is no use (SEMANTICS 41). A restart counts as one.
 */
export class UnusedQueues {
  readonly #options: UnusedQueuesOptions;
  readonly #idle = new Map<Queue, Idle>();

  constructor(options: UnusedQueuesOptions) {
    this.#options = options;
  }

  /** The queue has just been used, or its settings have changed. */
  used(queue: Queue): void {
    const idle = this.#idle.get(queue);
    const { expires } = queue.settings;
    if (expires === Number.POSITIVE_INFINITY) {
      if (idle !== undefined) this.forget(queue);
      return;
    }
    const usedAt = this.#options.now();
    if (idle === undefined) this.#watch(queue, usedAt);
    else {
      idle.usedAt = usedAt;
      // Later is seen when the deadline is met; that saves moving it at each use.
      if (usedAt + expires < idle.deadline.dueAt) idle.deadline.set(usedAt + expires);
    }
  }

  /** The queue has gone. */
  forget(queue: Queue): void {
    this.#idle.get(queue)?.deadline.clear();
    this.#idle.delete(queue);
  }

  #watch(queue: Queue, usedAt: number): void {
    const deadline = this.#options.deadlines.create(() => this.#look(queue));
    this.#idle.set(queue, { usedAt, deadline });
    deadline.set(usedAt + queue.settings.expires);
  }

  #look(queue: Queue): void {
    const idle = this.#idle.get(queue);
    if (idle === undefined) return;
    // While it has consumers it is in use; the time begins when the last one goes.
    if (queue.consumers.size > 0) idle.usedAt = this.#options.now();
    const dueAt = idle.usedAt + queue.settings.expires;
    if (dueAt > this.#options.now()) idle.deadline.set(dueAt);
    else this.#options.remove(queue);
  }
}
