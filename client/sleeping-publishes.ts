import type { PosthornError } from "../protocol/errors.ts";
import type { Publish } from "./publish.ts";
import type { Runtime } from "./runtime.ts";

/** Publishes that were refused and wait for the time to be tried again. */
export class SleepingPublishes {
  readonly #runtime: Runtime;
  readonly #sleeping = new Map<Publish, { readonly timer: unknown; readonly refusal: PosthornError }>();
  bytes = 0;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  get count(): number {
    return this.#sleeping.size;
  }

  add(publish: Publish, delayMs: number, refusal: PosthornError, wake: (publish: Publish) => void): void {
    const timer = this.#runtime.setTimer(() => {
      this.remove(publish);
      wake(publish);
    }, delayMs);
    this.#sleeping.set(publish, { timer, refusal });
    this.bytes += publish.size;
  }

  /** Returns whether it was there. */
  remove(publish: Publish): boolean {
    const sleeper = this.#sleeping.get(publish);
    if (sleeper === undefined) return false;
    this.#runtime.clearTimer(sleeper.timer);
    this.#sleeping.delete(publish);
    this.bytes -= publish.size;
    return true;
  }

  /** None is tried again: what each was refused for is final. */
  giveUp(): void {
    for (const [publish, { refusal }] of [...this.#sleeping]) {
      this.remove(publish);
      publish.reject?.(refusal);
    }
  }
}
