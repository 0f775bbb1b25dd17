/** Of connections coming and going: some 3 ms. */
const jobsPerTurn = 32;

/**
 * Does the work of clients that come and go a little at a time. Node handles everything that has arrived on any socket before
 * it looks at timers and at what was deferred: ten thousand clients at once would hold up those who are there, and their
 * heartbeats, for seconds. So each of them waits for its turn, and every turn of the event loop has room for a few.
 */
export class TurnByTurn {
  #jobs: (() => void)[] = [];
  #next = 0;

  readonly run = (job: () => void): void => {
    this.#jobs.push(job);
    if (this.#jobs.length === 1) setImmediate(this.#turn);
  };

  readonly #turn = (): void => {
    const end = Math.min(this.#next + jobsPerTurn, this.#jobs.length);
    try {
      while (this.#next < end) this.#jobs[this.#next++]!();
    } finally {
      if (this.#next < this.#jobs.length) setImmediate(this.#turn);
      else {
        this.#jobs = [];
        this.#next = 0;
      }
    }
  };
}
