import { addressKey } from "./address-key.ts";

export interface LoginThrottleOptions {
  /** Milliseconds of a clock that never goes back. Default `performance.now`. */
  readonly now?: () => number;
  /** Failures of one address within a window that block it. Default 10. */
  readonly maxFailures?: number;
  /** Default one minute, from an address's first failure. */
  readonly windowMs?: number;
  /** Addresses remembered; the one that failed first is forgotten when there are more. Default 10,000. */
  readonly maxAddresses?: number;
}

interface Failures {
  count: number;
  readonly untilMs: number;
}

/**
 * Slows down the guessing of passwords: an address with too many failed logins is refused, without a look at its
 * credentials, until its window has passed. See {@link addressKey} for what an address is.
 */
export class LoginThrottle {
  // In order of the first failure, and all windows are equally long: the first entry is the first to end.
  readonly #failures = new Map<string, Failures>();
  readonly #now: () => number;
  readonly #maxFailures: number;
  readonly #windowMs: number;
  readonly #maxAddresses: number;

  constructor(options: LoginThrottleOptions = {}) {
    this.#now = options.now ?? (() => performance.now());
    this.#maxFailures = options.maxFailures ?? 10;
    this.#windowMs = options.windowMs ?? 60_000;
    this.#maxAddresses = options.maxAddresses ?? 10_000;
  }

  /** Whether logins from this address are to be refused. */
  isBlocked(remoteAddress: string): boolean {
    const failures = this.#current(addressKey(remoteAddress));
    return failures !== undefined && failures.count >= this.#maxFailures;
  }

  /** A login from this address failed. A success does not wipe failures out: one valid account would buy endless guesses. */
  failed(remoteAddress: string): void {
    const key = addressKey(remoteAddress);
    const failures = this.#current(key);
    if (failures) {
      failures.count++;
      return;
    }
    const [first] = this.#failures.keys();
    if (this.#failures.size >= this.#maxAddresses && first !== undefined) this.#failures.delete(first);
    this.#failures.set(key, { count: 1, untilMs: this.#now() + this.#windowMs });
  }

  #current(key: string): Failures | undefined {
    const now = this.#now();
    for (const [oldest, { untilMs }] of this.#failures) {
      if (untilMs > now) break;
      this.#failures.delete(oldest);
    }
    return this.#failures.get(key);
  }
}
