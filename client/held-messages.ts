import type { ReceivedMessage } from "./message.ts";
import type { Runtime } from "./runtime.ts";

export interface HeldMessagesOptions {
  /** In which a message has to be settled or touched. */
  readonly ackTimeoutMs: number;
  /** How long a message is touched by itself. */
  readonly maxTouchMs: number;
  readonly runtime: Runtime;
  /** Tells the broker that the messages of a range are being worked on. */
  readonly touch: (first: number, last: number) => void;
}

interface Held {
  readonly message: ReceivedMessage;
  readonly since: number;
  /** Nobody is at work on it: the program settles it some time. */
  isLeft: boolean;
}

/**
 * The messages of a consumer that have to be settled in time. While they wait for their handler or loop, or that is at work on
 * them, they are touched: three times in each time-out, all together, by one timer. A program that hangs does not get to it.
 */
export class HeldMessages {
  readonly #options: HeldMessagesOptions;
  /** By number of the delivery, which rises. */
  readonly #held = new Map<number, Held>();
  #timer: unknown;

  constructor(options: HeldMessagesOptions) {
    this.#options = options;
  }

  add(delivery: number, message: ReceivedMessage): void {
    this.#held.set(delivery, { message, since: this.#options.runtime.now(), isLeft: false });
    this.#timer ??= this.#setTimer();
  }

  /** The message has been settled. */
  remove(delivery: number): void {
    this.#held.delete(delivery);
  }

  /** Handler or loop are through with the message, but it is not settled. */
  leave(delivery: number): void {
    const held = this.#held.get(delivery);
    if (held !== undefined) held.isLeft = true;
  }

  /** Removes and returns what has expired. */
  takeExpired(first: number, last: number): ReceivedMessage[] {
    const expired: ReceivedMessage[] = [];
    for (const [delivery, { message }] of this.#held) {
      if (delivery < first || delivery > last) continue;
      this.#held.delete(delivery);
      expired.push(message);
    }
    return expired;
  }

  /** The connection has gone, and with it what was held. */
  clear(): void {
    this.#held.clear();
    this.#options.runtime.clearTimer(this.#timer);
  }

  #setTimer(): unknown {
    const { runtime, ackTimeoutMs } = this.#options;
    return runtime.setTimer(() => this.#tick(), ackTimeoutMs / 3);
  }

  #tick(): void {
    this.#timer = undefined;
    if (this.#held.size === 0) return;
    const { runtime, maxTouchMs, touch } = this.#options;
    const now = runtime.now();
    let first: number | undefined;
    let last = 0;
    for (const [delivery, { message, since, isLeft }] of this.#held) {
      if (message.stale) this.#held.delete(delivery);
      else if (!isLeft && now - since <= maxTouchMs) {
        first ??= delivery;
        last = delivery;
      } else if (first !== undefined) {
        // A range may hold what is settled already, but not what is to be left alone.
        touch(first, last);
        first = undefined;
      }
    }
    if (first !== undefined) touch(first, last);
    this.#timer = this.#setTimer();
  }
}
