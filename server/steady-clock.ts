export interface TimeSources {
  /** Milliseconds of a clock that is never set. */
  readonly steadyMs: () => number;
  /** Milliseconds since 1970, as the system's clock says. */
  readonly systemMs: () => number;
}

const systemSources: TimeSources = { steadyMs: () => performance.now(), systemMs: () => Date.now() };

/**
 * Time for what is due in queues: the system's time when the process started, and from there on a clock that nobody sets.
 * A message does not expire because someone has set the time.
 */
export class SteadyClock {
  readonly #sources: TimeSources;
  #offsetMs: number;

  constructor(sources: TimeSources = systemSources) {
    this.#sources = sources;
    this.#offsetMs = sources.systemMs() - sources.steadyMs();
  }

  /** Milliseconds since 1970. */
  readonly now = (): number => this.#sources.steadyMs() + this.#offsetMs;

  readonly delay = (delayMs: number, callback: () => void): void => {
    setTimeout(callback, delayMs).unref();
  };

  /** By how much it is behind the system's clock. */
  get lagMs(): number {
    return this.#sources.systemMs() - this.now();
  }

  /** Goes on with the time of an earlier process, which was so much behind. */
  resume(lagMs: number): void {
    this.#offsetMs = this.#sources.systemMs() - lagMs - this.#sources.steadyMs();
  }
}
