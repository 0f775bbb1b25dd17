/**
 * Says when clients that are sent away should come back: one after the other, at a rate that the broker copes with, and not
 * all at once.
 */
export class ReconnectSchedule {
  readonly #now: () => number;
  readonly #gapMs: number;
  /** Nobody else comes before that. */
  #nextMs = 0;

  constructor(reconnectsPerSecond: number, now: () => number) {
    this.#gapMs = 1000 / reconnectsPerSecond;
    this.#now = now;
  }

  /** Milliseconds from now on for the next client. */
  next(): number {
    const nowMs = this.#now();
    const dueMs = Math.max(nowMs + restartMs, this.#nextMs);
    this.#nextMs = dueMs + this.#gapMs;
    return Math.round(dueMs - nowMs);
  }
}

/** About the time that a restart takes, and a breath for who was too slow. */
const restartMs = 500;
