import { longestMs } from "../protocol/arguments.ts";
import type { PosthornError } from "../protocol/errors.ts";
import { onAbort, throwIfAborted } from "./abort.ts";
import type { Connection } from "./connection.ts";
import { Fifo } from "./fifo.ts";
import { GroupOrder } from "./group-order.ts";
import type { NackReasonLike, ReceivedMessage } from "./message.ts";
import type { MessageBuffer } from "./message-buffer.ts";
import { overrun } from "./message-stream.ts";
import { atLeast, invalidOption } from "./option-check.ts";
import type { QueueName } from "./queue-name.ts";
import { Subscription, type SubscriptionOptions, type SubscriptionSink } from "./subscription.ts";

/** What is done with one message. The message is acked when it returns or its promise resolves. */
export type MessageHandler = (message: ReceivedMessage) => unknown;

/** What becomes of a message whose handler failed. `leave`: nothing; the program settles it itself. */
export type FailureOutcome = "ack" | "requeue" | "reject" | "leave" | FailureDelay;

/** The message comes again after so many milliseconds, which the broker waits: other messages go on meanwhile. */
export interface FailureDelay {
  readonly delay: number;
}

export interface ConsumeOptions extends SubscriptionOptions {
  /**
   * What becomes of a message whose handler throws or rejects. Default `requeue`: it comes again as the queue's `retry` says, and
   * without that after a pause in the client that grows from 100 ms to 5 s while one handler after the other fails, so that
   * nothing is lost and nothing spins.
   * `reject`: the broker dead-letters it, or drops it. A function decides by the error. The error goes with the message as its
   * `nackReason`.
   */
  readonly onError?: FailureOutcome | ((error: unknown, message: ReceivedMessage) => FailureOutcome);
  /**
   * How many handlers run at once; they are started in the order of the messages. 1: strictly one after the other.
   * At least 1. Default: the prefetch; 100 with `noAck`.
   */
  readonly concurrency?: number;
  /** Cancels the consumer. */
  readonly signal?: AbortSignal;
}

const outcomes: ReadonlySet<FailureOutcome> = new Set(["ack", "requeue", "reject", "leave"]);
const firstPauseMs = 100;
const longestPauseMs = 5000;

/** A handler at work on a queue. */
export class Consumer implements SubscriptionSink {
  /**
   * Resolves when the consumer has been cancelled by its owner and its last handler is through; rejects when it was
   * ended by the broker, or when the connection was given up.
   */
  readonly closed: Promise<void>;
  readonly #connection: Connection;
  readonly #subscription: Subscription;
  readonly #handler: MessageHandler;
  readonly #options: ConsumeOptions;
  readonly #buffer: MessageBuffer;
  /** If the queue has groups. */
  #groups: GroupOrder | undefined;
  /** Messages on which work begins next: their groups have let them through. */
  readonly #next = new Fifo<ReceivedMessage>();
  /** Failed messages in their pause. */
  readonly #paused = new Map<ReceivedMessage, { readonly timer: unknown; readonly error: unknown }>();
  #running = 0;
  #looping = false;
  #failuresInARow = 0;
  #started = false;
  #ended = false;
  #error: PosthornError | undefined;
  #stopListening: () => void = () => {};
  #resolveClosed: () => void = () => {};
  #rejectClosed: (error: PosthornError) => void = () => {};

  /** @internal */
  constructor(connection: Connection, queue: QueueName, handler: MessageHandler, options: ConsumeOptions) {
    this.#connection = connection;
    this.#handler = handler;
    this.#options = options;
    this.#subscription = new Subscription(connection, queue, options, this);
    this.#buffer = this.#subscription.newBuffer();
    this.closed = new Promise((resolve, reject) => {
      this.#resolveClosed = resolve;
      this.#rejectClosed = reject;
    });
    // Who does not look at it is told by the `error` event.
    this.closed.catch(() => {});
  }

  /** Name of the consumer. If the broker made it up, it changes with a reconnect. */
  get consumerTag(): string {
    return this.#subscription.consumerTag;
  }

  /**
   * Whether messages can come: the connection is open and, if the queue has a single active consumer, this is the one.
   * Changes are told to `onActiveChange`.
   */
  get active(): boolean {
    return this.#subscription.active;
  }

  /** With `whenSlow: "conflate"`: messages that were dropped so far since newer ones came. */
  get dropped(): number {
    return this.#subscription.dropped + this.#buffer.dropped;
  }

  /** @internal */
  async start(): Promise<this> {
    const { signal, concurrency, onError } = this.#options;
    atLeast(1, "concurrency", concurrency, 1);
    if (onError !== undefined && typeof onError !== "function") assertOutcome(onError);
    throwIfAborted(signal);
    this.#stopListening = onAbort(signal, (error) => void this.#stop(error));
    await this.#subscription.start();
    this.#started = true;
    return this;
  }

  /**
   * Stops the consumer. Resolves when the broker has answered and the handlers at work are through; messages whose
   * handler was not started return to the queue.
   */
  async cancel(): Promise<void> {
    await this.#stop();
    await this.closed.catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cancel();
  }

  /** @internal */
  deliver(message: ReceivedMessage): void {
    if (this.#running < this.#concurrency) this.#begin(message);
    else if (!this.#buffer.push(message)) void this.#subscription.cancel(overrun());
  }

  /** @internal */
  interrupted(): void {
    if (!this.#subscription.noAck) this.#takeWaiting();
    this.#endPauses();
  }

  /** @internal */
  ended(error: PosthornError | undefined): void {
    this.#ended = true;
    this.#error = error?.code === "aborted" ? undefined : error;
    this.#stopListening();
    // Before that, `start` tells it.
    if (this.#started && this.#error !== undefined) this.#connection.events.emit("error", this.#error);
    this.#endPauses();
    this.#closeIfIdle();
  }

  /** @internal */
  drain(): Promise<void> {
    return this.cancel();
  }

  get #concurrency(): number {
    const { concurrency } = this.#options;
    if (concurrency !== undefined) return concurrency;
    if (this.#subscription.noAck) return 100;
    return this.#subscription.prefetch || Number.POSITIVE_INFINITY;
  }

  async #stop(error?: PosthornError): Promise<void> {
    const cancelled = this.#subscription.cancel(error);
    // After the request to cancel has left: before it, the broker would send them straight back.
    for (const message of this.#takeWaiting()) if (!message.settled) message.release();
    this.#endPauses();
    await cancelled;
  }

  /** Removes and returns all whose handler has not been started. */
  #takeWaiting(): ReceivedMessage[] {
    return [...this.#next.clear(), ...(this.#groups?.clear() ?? []), ...this.#buffer.clear()];
  }

  #begin(message: ReceivedMessage): void {
    const { groupBy } = this.#subscription;
    if (groupBy !== undefined) this.#groups ??= new GroupOrder(groupBy);
    if (this.#groups === undefined || this.#groups.begin(message)) this.#run(message);
  }

  #run(message: ReceivedMessage): void {
    this.#running++;
    let result: unknown;
    try {
      result = this.#handler(message);
    } catch (error) {
      this.#failed(message, error);
      return;
    }
    if (isThenable(result)) {
      result.then(
        () => this.#succeeded(message),
        (error: unknown) => this.#failed(message, error),
      );
    } else this.#succeeded(message);
  }

  #succeeded(message: ReceivedMessage): void {
    this.#failuresInARow = 0;
    if (!message.settled) message.ack();
    this.#finished(message);
  }

  #failed(message: ReceivedMessage, error: unknown): void {
    this.#connection.events.emit("error", error, message);
    this.#failuresInARow++;
    const outcome = this.#outcome(message, error);
    if (message.settled || message.stale || outcome === "leave") {
      message.leave();
      this.#finished(message);
    } else if (outcome === "requeue" && !this.#subscription.retries) this.#pause(message, error);
    else {
      const reason = reasonOf(error);
      if (outcome === "ack") message.ack();
      else if (outcome === "reject") message.reject({ reason });
      else if (outcome === "requeue") message.requeue({ reason });
      else message.requeue({ delay: outcome.delay, reason });
      this.#finished(message);
    }
  }

  #outcome(message: ReceivedMessage, error: unknown): FailureOutcome {
    const { onError = "requeue" } = this.#options;
    if (typeof onError !== "function") return onError;
    try {
      const outcome = onError(error, message);
      assertOutcome(outcome);
      return outcome;
    } catch (second) {
      this.#connection.events.emit("error", second, message);
      return "requeue";
    }
  }

  /** Requeues a message after a while. Until then it keeps its place among the handlers at work. */
  #pause(message: ReceivedMessage, error: unknown): void {
    const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** (this.#failuresInARow - 1));
    const { runtime } = this.#connection;
    const timer = runtime.setTimer(() => this.#endPause(message, error), pauseMs);
    this.#paused.set(message, { timer, error });
    if (this.#ended) this.#endPauses();
  }

  #endPauses(): void {
    for (const [message, { timer, error }] of this.#paused) {
      this.#connection.runtime.clearTimer(timer);
      this.#endPause(message, error);
    }
  }

  #endPause(message: ReceivedMessage, error: unknown): void {
    this.#paused.delete(message);
    if (!message.settled) message.requeue({ reason: reasonOf(error) });
    this.#finished(message);
  }

  #finished(message: ReceivedMessage): void {
    this.#running--;
    if (this.#groups !== undefined) this.#letGroupGoOn(this.#groups, message);
    this.#runBuffered();
    this.#closeIfIdle();
  }

  #letGroupGoOn(groups: GroupOrder, message: ReceivedMessage): void {
    // What comes behind a message that comes again comes again, too.
    if (message.wentBack)
      for (const behind of groups.takeBehind(message)) if (!behind.settled) behind.release();
    const next = groups.next(message);
    if (next !== undefined) this.#next.push(next);
  }

  #runBuffered(): void {
    // A handler that is through at once comes by here again: a loop, not a tower of calls.
    if (this.#looping) return;
    this.#looping = true;
    while (this.#running < this.#concurrency) {
      const next = this.#next.shift();
      if (next !== undefined) {
        this.#run(next);
        continue;
      }
      const message = this.#buffer.shift();
      if (message === undefined) break;
      this.#begin(message);
    }
    this.#looping = false;
  }

  #closeIfIdle(): void {
    if (!this.#ended || this.#running > 0) return;
    if (this.#error === undefined) this.#resolveClosed();
    else this.#rejectClosed(this.#error);
  }
}

function reasonOf(error: unknown): NackReasonLike {
  return error instanceof Error ? error : String(error);
}

/** @throws PosthornError `invalid-argument` for what a program without types may say: nothing is dropped by mistake. */
function assertOutcome(outcome: FailureOutcome): void {
  if (outcomes.has(outcome)) return;
  const delay = (outcome as Partial<FailureDelay> | null | undefined)?.delay;
  if (Number.isInteger(delay) && delay! >= 0 && delay! <= longestMs) return;
  const allowed = `${[...outcomes].map((name) => JSON.stringify(name)).join(", ")} or { delay: milliseconds }`;
  throw invalidOption("onError", allowed);
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
