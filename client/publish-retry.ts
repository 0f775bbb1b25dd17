import { PosthornError } from "../protocol/errors.ts";
import type { Runtime } from "./runtime.ts";

/** How a publish is tried again that the broker has refused for a reason that may pass. */
export interface PublishRetryOptions {
  /** Most attempts, the first included. Default 10. */
  readonly attempts?: number;
  /** Longest wait before the second attempt, in milliseconds. Default 100. */
  readonly initialDelayMs?: number;
  /** By how much the wait grows each time, at least 1. Default 2. */
  readonly multiplier?: number;
  /** Longest wait, in milliseconds. Default 10,000. */
  readonly maxDelayMs?: number;
  /** What part of each wait is left to chance, 0 to 1, so that publishers do not come back together. Default 0.5. */
  readonly jitter?: number;
}

const ranges: { readonly [name in keyof Required<PublishRetryOptions>]: readonly [number, number] } = {
  attempts: [1, Number.POSITIVE_INFINITY],
  initialDelayMs: [0, 2 ** 31 - 1],
  multiplier: [1, 1000],
  maxDelayMs: [0, 2 ** 31 - 1],
  jitter: [0, 1],
};

/** The attempts of one publish. */
export class PublishRetry {
  readonly #options: Required<PublishRetryOptions>;
  readonly #random: Runtime["random"];
  #made = 0;

  /** @throws PosthornError `invalid-argument` that names the option. */
  constructor(options: PublishRetryOptions, random: Runtime["random"]) {
    const {
      attempts = 10,
      initialDelayMs = 100,
      multiplier = 2,
      maxDelayMs = 10_000,
      jitter = 0.5,
    } = options;
    this.#options = { attempts, initialDelayMs, multiplier, maxDelayMs, jitter };
    for (const [name, [from, to]] of Object.entries(ranges)) {
      const value = this.#options[name as keyof PublishRetryOptions];
      if (typeof value === "number" && value >= from && value <= to) continue;
      const option = `retry.${name}`;
      throw new PosthornError("invalid-argument", `The option ${option} must be from ${from} to ${to}.`, {
        option,
      });
    }
    this.#random = random;
  }

  /** Counts an attempt that was refused, and says how long to wait before the next; `undefined`: that was the last. */
  nextDelayMs(): number | undefined {
    const { attempts, initialDelayMs, multiplier, maxDelayMs, jitter } = this.#options;
    if (++this.#made >= attempts) return undefined;
    const longestMs = Math.min(maxDelayMs, initialDelayMs * multiplier ** (this.#made - 1));
    return longestMs * (1 - jitter * this.#random());
  }
}
