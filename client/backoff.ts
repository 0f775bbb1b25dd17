import type { ReconnectSettings } from "./options.ts";
import type { Runtime } from "./runtime.ts";

/** Exponential backoff with full jitter: clients that were cut off together do not come back together. */
export class Backoff {
  readonly #settings: ReconnectSettings;
  readonly #runtime: Runtime;
  #attempts = 0;

  constructor(settings: ReconnectSettings, runtime: Runtime) {
    this.#settings = settings;
    this.#runtime = runtime;
  }

  get exhausted(): boolean {
    return this.#attempts >= this.#settings.maxAttempts;
  }

  get attempts(): number {
    return this.#attempts;
  }

  /** Counts one attempt and says how long to wait before it. `atLeastMs` is the broker's wish. */
  nextDelayMs(atLeastMs = 0): number {
    const { initialDelayMs, maxDelayMs } = this.#settings;
    const limitMs = Math.min(maxDelayMs, initialDelayMs * 2 ** this.#attempts++);
    return atLeastMs + this.#runtime.random() * limitMs;
  }

  /**
   * A connection was made and lasted. One that broke at once does not count as made, or a broker that accepts and drops
   * would be asked again and again without a pause.
   */
  succeeded(lastedMs: number): void {
    if (lastedMs >= this.#settings.maxDelayMs) this.#attempts = 0;
  }
}
