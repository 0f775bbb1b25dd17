import type { Runtime } from "../../client/runtime.ts";

/** Lets everything that can happen without time passing happen. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 8; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** A client's surroundings in which time passes when the test says so, and the dice always show `dice`. */
export class ManualRuntime implements Runtime {
  dice = 0.5;
  #now = 1000;
  #nextTimer = 1;
  readonly #timers = new Map<number, { at: number; callback: () => void }>();

  now(): number {
    return this.#now;
  }

  setTimer(callback: () => void, delayMs: number): number {
    const timer = this.#nextTimer++;
    this.#timers.set(timer, { at: this.#now + delayMs, callback });
    return timer;
  }

  clearTimer(timer: unknown): void {
    this.#timers.delete(timer as number);
  }

  random(): number {
    return this.dice;
  }

  defer(callback: () => void): void {
    setImmediate(callback);
  }

  get timers(): number {
    return this.#timers.size;
  }

  /** Lets time pass, each timer at its moment. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settled();
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#timers.delete(next.timer);
      this.#now = Math.max(this.#now, next.at);
      next.callback();
      await settled();
    }
    this.#now = end;
  }

  /** Time passes while no timer can fire, as on a machine that sleeps; those that are due follow at the end of it. */
  async sleep(ms: number): Promise<void> {
    await settled();
    this.#now += ms;
    await this.advance(0);
  }

  #next(end: number) {
    let first: { timer: number; at: number; callback: () => void } | undefined;
    for (const [timer, { at, callback }] of this.#timers) {
      if (at <= end && (first === undefined || at < first.at)) first = { timer, at, callback };
    }
    return first;
  }
}
