/** A clock that nobody sets, beside the system's, which people and time servers set. */
export interface LaggingClock {
  /** By how many milliseconds it is behind the system's clock. Negative: ahead. */
  readonly lagMs: number;
  /** From here on it is so much behind. */
  resume(lagMs: number): void;
}

export interface ClockLagOptions {
  readonly clock: LaggingClock;
  readonly delay: (delayMs: number, callback: () => void) => void;
  /** Writes down how far the clock is behind. */
  readonly record: (lagMs: number) => void;
}

const lookMs = 1000;
/** Less than this is not worth a record. */
const leastChangeMs = 1000;

/**
 * Lets the engine's time go on over a restart where it was.
 *
 * What is due in queues is due by a clock that goes on evenly although the system's is set, or stands still with a machine
 * that sleeps; and it is stored in that clock's time. A process that began with the system's time again would take what was
 * stored for overdue, or due much too late, by as much as the two had come apart. So that is written down when it changes, and
 * the next process begins with it.
 */
export class ClockLag {
  readonly #options: ClockLagOptions;
  #recordedMs = 0;
  #isStopped = false;

  constructor(options: ClockLagOptions) {
    this.#options = options;
  }

  /** @param recordedMs what was written down last; whatever else it is, it counts as nothing. */
  start(recordedMs: unknown): void {
    if (Number.isFinite(recordedMs)) {
      this.#recordedMs = recordedMs as number;
      this.#options.clock.resume(this.#recordedMs);
    }
    this.#lookAndWait();
  }

  /** Writes down what has changed since the last look. */
  stop(): void {
    this.#isStopped = true;
    this.#look();
  }

  #lookAndWait(): void {
    if (this.#isStopped) return;
    this.#look();
    this.#options.delay(lookMs, () => this.#lookAndWait());
  }

  #look(): void {
    const { clock, record } = this.#options;
    const { lagMs } = clock;
    if (Math.abs(lagMs - this.#recordedMs) < leastChangeMs) return;
    this.#recordedMs = lagMs;
    record(lagMs);
  }
}
