/** Time for the engine that passes when the test says so. */
export class ManualTime {
  /** How far what `now` says is ahead of the time that has passed. */
  #offsetMs = Date.UTC(2030, 0, 1);
  #elapsedMs = 0;
  #begun = 0;
  readonly #timers = new Map<number, { readonly atMs: number; readonly callback: () => void }>();

  /** Milliseconds since 1970. */
  readonly now = (): number => this.#offsetMs + this.#elapsedMs;

  readonly delay = (delayMs: number, callback: () => void): void => {
    this.#timers.set(++this.#begun, { atMs: this.#elapsedMs + delayMs, callback });
  };

  /** Milliseconds that have passed. */
  get elapsedMs(): number {
    return this.#elapsedMs;
  }

  /** Timers that have not gone off yet. */
  get timers(): number {
    return this.#timers.size;
  }

  /** Timers that there ever were. */
  get timersBegun(): number {
    return this.#begun;
  }

  /** The clock is set to another time: none passes. */
  jump(byMs: number): void {
    this.#offsetMs += byMs;
  }

  /** Lets time pass; each timer goes off at its moment. */
  advance(byMs: number): void {
    const endMs = this.#elapsedMs + byMs;
    while (this.#goOffBefore(endMs));
    this.#elapsedMs = endMs;
  }

  /** Lets time pass in which nobody looks at timers: they go off later. */
  stall(byMs: number): void {
    this.#elapsedMs += byMs;
  }

  /** Lets the timers go off that are due now, and no time pass. One turn of the event loop. */
  turn(): void {
    const due = [...this.#timers].filter(([, { atMs }]) => atMs <= this.#elapsedMs);
    for (const [timer, { callback }] of due) {
      this.#timers.delete(timer);
      callback();
    }
  }

  #goOffBefore(endMs: number): boolean {
    let next: number | undefined;
    for (const [timer, { atMs }] of this.#timers)
      if (atMs <= endMs && (next === undefined || atMs < this.#timers.get(next)!.atMs)) next = timer;
    if (next === undefined) return false;
    const { atMs, callback } = this.#timers.get(next)!;
    this.#timers.delete(next);
    this.#elapsedMs = Math.max(this.#elapsedMs, atMs);
    callback();
    return true;
  }
}
