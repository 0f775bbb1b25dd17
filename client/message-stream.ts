import { PosthornError } from "../protocol/errors.ts";
import { abortedError, onAbort } from "./abort.ts";
import type { Connection } from "./connection.ts";
import { Fifo } from "./fifo.ts";
import type { ReceivedMessage } from "./message.ts";
import type { MessageBuffer } from "./message-buffer.ts";
import type { QueueName } from "./queue-name.ts";
import { Subscription, type SubscriptionOptions, type SubscriptionSink } from "./subscription.ts";

export interface StreamOptions extends SubscriptionOptions {
  /** Ends the loop with the error `aborted`. */
  readonly signal?: AbortSignal;
}

type Result = IteratorResult<ReceivedMessage, undefined>;
const finished: Result = { done: true, value: undefined };

/**
 * The messages of a queue as they come, for one `for await` loop. The consumer starts with the first `next`, survives
 * reconnects, and is cancelled when the loop is left; what was delivered but not handed out returns to the queue.
 */
export class MessageStream implements AsyncIterableIterator<ReceivedMessage, undefined>, SubscriptionSink {
  readonly #subscription: Subscription;
  readonly #buffer: MessageBuffer;
  readonly #waiting = new Fifo<{ resolve(result: Result): void; reject(error: PosthornError): void }>();
  readonly #signal: AbortSignal | undefined;
  #stopListening: () => void = () => {};
  #started = false;
  #ended = false;
  #error: PosthornError | undefined;
  /** Handed out last; the loop's body may be at work on it. */
  #current: ReceivedMessage | undefined;
  #bodyWaiters: (() => void)[] = [];

  /** @internal */
  constructor(connection: Connection, queue: QueueName, options: StreamOptions) {
    this.#subscription = new Subscription(connection, queue, options, this);
    this.#buffer = this.#subscription.newBuffer();
    this.#signal = options.signal;
  }

  /** With `whenSlow: "conflate"`: messages that were dropped so far since newer ones came. */
  get dropped(): number {
    return this.#subscription.dropped + this.#buffer.dropped;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next message. @throws PosthornError why the consumer ended, once. */
  next(): Promise<Result> {
    this.#bodyDone();
    const message = this.#buffer.shift();
    if (message !== undefined) {
      this.#current = message;
      return Promise.resolve({ done: false, value: message });
    }
    if (this.#ended) return this.#last();
    const promise = new Promise<Result>((resolve, reject) => this.#waiting.push({ resolve, reject }));
    this.#start();
    return promise;
  }

  /** Cancels the consumer. Called when the loop is left. */
  async return(): Promise<Result> {
    this.#bodyDone();
    this.#error = undefined;
    await this.#cancel();
    return finished;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  /** @internal */
  deliver(message: ReceivedMessage): void {
    const waiter = this.#waiting.shift();
    if (waiter !== undefined) {
      this.#current = message;
      waiter.resolve({ done: false, value: message });
    } else if (!this.#buffer.push(message)) void this.#subscription.cancel(overrun());
  }

  /** @internal */
  interrupted(): void {
    if (!this.#subscription.noAck) this.#buffer.clear();
  }

  /** @internal */
  ended(error: PosthornError | undefined): void {
    this.#ended = true;
    this.#error = error;
    this.#stopListening();
    for (const { resolve, reject } of this.#waiting.clear()) {
      if (this.#error === undefined) resolve(finished);
      else {
        reject(this.#error);
        this.#error = undefined;
      }
    }
  }

  /** @internal */
  async drain(): Promise<void> {
    const cancelled = this.#cancel();
    if (this.#current?.settled === false) {
      await new Promise<void>((resolve) => this.#bodyWaiters.push(resolve));
    }
    await cancelled;
  }

  #start(): void {
    if (this.#started) return;
    this.#started = true;
    if (this.#signal?.aborted) {
      void this.#cancel(abortedError(this.#signal));
      return;
    }
    this.#stopListening = onAbort(this.#signal, (error) => void this.#cancel(error));
    // Why it did not start is told by `ended`.
    this.#subscription.start().catch(() => {});
  }

  async #cancel(error?: PosthornError): Promise<void> {
    const cancelled = this.#subscription.cancel(error);
    // After the request to cancel has left: before it, the broker would send them straight back.
    for (const message of this.#buffer.clear()) if (!message.settled) message.release();
    await cancelled;
  }

  /** The loop has come back for more, or has been left. */
  #bodyDone(): void {
    this.#current?.leave();
    this.#current = undefined;
    for (const resolve of this.#bodyWaiters.splice(0)) resolve();
  }

  #last(): Promise<Result> {
    const error = this.#error;
    this.#error = undefined;
    return error === undefined ? Promise.resolve(finished) : Promise.reject(error);
  }
}

/** What ends a consumer with `noAck` that is too slow. */
export function overrun(): PosthornError {
  return new PosthornError(
    "buffer-full",
    "Messages came faster than they were taken, and the buffer is full.",
  );
}
