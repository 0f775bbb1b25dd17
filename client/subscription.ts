import { PosthornError } from "../protocol/errors.ts";
import type { Reply } from "../protocol/frames.ts";
import type { GroupBy } from "../protocol/group-key.ts";
import type { Headers } from "../protocol/header-value.ts";
import { argumentsContent } from "./arguments-content.ts";
import { callListener } from "./call-listener.ts";
import { HeldMessages } from "./held-messages.ts";
import type { ReceivedMessage } from "./message.ts";
import { MessageBuffer } from "./message-buffer.ts";
import { atLeast } from "./option-check.ts";
import type { QueueName } from "./queue-name.ts";
import type { Runtime } from "./runtime.ts";
import type { DeliveryTarget, RequestContent, Session } from "./session.ts";
import { isConnectionClosed } from "./wire-error.ts";

export interface SubscriptionOptions {
  /** Most messages delivered and not yet settled. 0: as many as the broker allows. Default: the broker's. */
  readonly prefetch?: number;
  /** Messages count as settled when they are sent; `prefetch` does not apply. Default false. */
  readonly noAck?: boolean;
  /** Be the queue's only consumer; refused with `in-use` if it has another. Default false. */
  readonly exclusive?: boolean;
  /** Name of the consumer, unique in the connection. Default: the broker makes one up. */
  readonly consumerTag?: string;
  /**
   * With `noAck`, how many messages are kept for a consumer that is slower than the broker; one more ends it with
   * `buffer-full`, or, with `whenSlow: "conflate"`, begins to replace older ones. Default 10,000; with `"conflate"` 100.
   */
  readonly maxBuffered?: number;
  /**
   * What the broker does when this client reads too slowly. `"pause"`: messages wait in the queue. `"conflate"`, with `noAck`
   * only, for live feeds: of each exchange and routing key only the newest message is kept; here, too, behind `maxBuffered`.
   * `"close"`: after some time the connection is closed with `slow-consumer`, and made again. Default: the broker's, as a
   * rule `"pause"`.
   */
  readonly whenSlow?: "pause" | "conflate" | "close";
  /** Consumers of higher priority get all messages while they can take them. Default 0. */
  readonly priority?: number;
  /**
   * Most bytes of messages delivered and not yet settled, properties and headers included; a single larger message still
   * comes when nothing else is unsettled. Default: the queue's, or else the broker's (32 MiB unless configured).
   */
  readonly prefetchBytes?: number;
  /** Milliseconds that a delivery may stay unsettled before the message comes back. Default: the queue's `ackTimeout`. */
  readonly ackTimeout?: number;
  /**
   * Milliseconds for which a message is touched by itself, so that a handler that never comes to an end does not keep it
   * for ever. 0: not at all. Default 3,600,000, an hour.
   */
  readonly maxTouchMs?: number;
  /**
   * Called with true when messages can come to this consumer, and with false when they no longer can: the connection was
   * lost, the consumer has ended, or, if its queue has a single active consumer, another one is it.
   */
  readonly onActiveChange?: (active: boolean) => void;
  /** Arguments by their names, for what a newer broker knows. */
  readonly arguments?: Headers;
}

/** What a subscription feeds: an iterator or a handler. */
export interface SubscriptionSink {
  deliver(message: ReceivedMessage): void;
  /** The connection was lost: messages not yet handed out come again, those of a consumer with `noAck` do not. */
  interrupted(): void;
  /** The end; without an error, its owner wanted it. */
  ended(error: PosthornError | undefined): void;
  /** Part of closing the connection: take no more, and resolve once what was handed out is finished with. */
  drain(): Promise<void>;
}

/** What a subscription needs of its connection. */
export interface SubscriptionHost {
  readonly runtime: Runtime;
  readonly openSession: Session | undefined;
  /** When a request that is made now gives up. */
  deadline(): number;
  /** Something went wrong that no call can be blamed for. */
  complained(error: PosthornError, message?: ReceivedMessage): void;
  /** @throws PosthornError `closed` when it is too late for one. */
  addSubscription(subscription: Subscription): void;
  removeSubscription(subscription: Subscription): void;
}

/**
 * One consumer, through any number of sessions.
 *
 *                  ┌── connection lost ───┐
 *                  ▼                      │
 *     idle ──▶ starting ─────ok─────▶ active
 *                  │ cancel, refused      │ cancel
 *                  ▼                      ▼
 *                ended ◀────ok, lost── cancelling      (active ──cancelled by the broker──▶ ended)
 */
type SubscriptionState = "idle" | "starting" | "active" | "cancelling" | "ended";

const defaultMaxTouchMs = 3_600_000;

/** How long an exclusive queue or consumer of one's own lost session may be in the way after a reconnect. */
export const ghostTimeoutMs = 60_000;
export const ghostRetryMs = 500;

export class Subscription implements DeliveryTarget {
  readonly queue: QueueName;
  readonly #connection: SubscriptionHost;
  readonly #options: SubscriptionOptions;
  readonly #sink: SubscriptionSink;
  readonly #firstStart: Promise<void>;
  #resolveFirstStart: () => void = () => {};
  #rejectFirstStart: (error: PosthornError) => void = () => {};
  #state: SubscriptionState = "idle";
  #session: Session | undefined;
  #consumer = 0;
  #consumerTag: string;
  #prefetch = 0;
  #isActive = false;
  /** If messages have to be settled in time. */
  #held: HeldMessages | undefined;
  #groupBy: GroupBy | undefined;
  #retries = false;
  #dropped = 0;
  #interruptedAt: number | undefined;
  #retryTimer: unknown;

  constructor(
    connection: SubscriptionHost,
    queue: QueueName,
    options: SubscriptionOptions,
    sink: SubscriptionSink,
  ) {
    this.#connection = connection;
    this.queue = queue;
    this.#options = options;
    this.#sink = sink;
    this.#consumerTag = options.consumerTag ?? "";
    this.#firstStart = new Promise((resolve, reject) => {
      this.#resolveFirstStart = resolve;
      this.#rejectFirstStart = reject;
    });
    this.#firstStart.catch(() => {});
  }

  get noAck(): boolean {
    return this.#options.noAck === true;
  }

  /** The consumer tag; empty until the broker has made one up. */
  get consumerTag(): string {
    return this.#consumerTag;
  }

  /** The prefetch that the broker allows; 0 until it is known, or without limit. */
  get prefetch(): number {
    return this.#prefetch;
  }

  get active(): boolean {
    return this.#isActive;
  }

  /** Messages that the broker has dropped in favour of newer ones. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Where the group key of messages is, if the queue has groups. */
  get groupBy(): GroupBy | undefined {
    return this.#groupBy;
  }

  /** The queue delays by itself what is requeued, or did so when the consumer started. */
  get retries(): boolean {
    return this.#retries;
  }

  /** For what has been delivered and cannot be handed out yet. */
  newBuffer(): MessageBuffer {
    const conflates = this.#options.whenSlow === "conflate";
    const { maxBuffered = conflates ? 100 : 10_000 } = this.#options;
    return new MessageBuffer(this.noAck ? maxBuffered : Number.POSITIVE_INFINITY, conflates);
  }

  /** Resolves once the broker has started the consumer. @throws PosthornError why it did not. */
  start(): Promise<void> {
    this.#enter("starting");
    try {
      atLeast(0, "maxTouchMs", this.#options.maxTouchMs, 0);
      atLeast(1, "maxBuffered", this.#options.maxBuffered, 1);
      this.#connection.addSubscription(this);
      const session = this.#connection.openSession;
      if (session !== undefined) this.resume(session);
    } catch (error) {
      this.#end(error as PosthornError);
    }
    return this.#firstStart;
  }

  /** A session is open: starts the consumer there. */
  resume(session: Session): void {
    if (this.#state !== "starting") return;
    const control = {
      deadline: this.#connection.deadline(),
      answered: (reply: Reply<"queue.consume">) => this.#started(session, reply),
    };
    session.request("queue.consume", this.#request(), control).catch((error: PosthornError) => {
      if (this.#state !== "starting" || isConnectionClosed(error)) return;
      if (this.#mayBeGhost(error)) {
        this.#retryTimer = this.#connection.runtime.setTimer(() => {
          if (!session.ended) this.resume(session);
        }, ghostRetryMs);
      } else this.#end(error);
    });
  }

  /** The session has ended, and the connection will be made again. */
  interrupted(): void {
    this.#session = undefined;
    this.#held?.clear();
    this.#held = undefined;
    this.#connection.runtime.clearTimer(this.#retryTimer);
    if (this.#state === "cancelling") this.#end(undefined);
    else if (this.#state === "active") {
      this.#interruptedAt = this.#connection.runtime.now();
      this.#enter("starting");
      this.#sink.interrupted();
      this.#setActive(false);
    }
  }

  /** Ends the consumer. Resolves when nothing more can be delivered. */
  async cancel(error?: PosthornError): Promise<void> {
    const session = this.#session;
    if (this.#state === "active" && session !== undefined) {
      this.#enter("cancelling");
      this.#setActive(false);
      // What a lost connection or a lost answer leaves behind ends with the session.
      const answered = session.request(
        "consumer.cancel",
        { consumer: this.#consumer },
        { deadline: this.#connection.deadline() },
      );
      await answered.then(
        () => this.#end(error),
        () => this.#end(error),
      );
    } else if (this.#state === "idle" || this.#state === "starting") {
      // A consumer that starts after all is cancelled in `#started`.
      this.#end(error);
    }
  }

  /** The connection is closing. */
  drain(): Promise<void> {
    return this.#sink.drain();
  }

  /** The connection has come to its end. */
  fail(error: PosthornError): void {
    this.#held?.clear();
    if (this.#state === "active") this.#sink.interrupted();
    this.#end(error);
  }

  deliver(message: ReceivedMessage): void {
    if (this.#state === "active") {
      if (this.#held !== undefined) message.holdBy(this.#held);
      this.#sink.deliver(message);
    } else if (!message.settled) message.release();
  }

  activeChanged(active: boolean): void {
    if (this.#state === "active") this.#setActive(active);
  }

  conflated(dropped: number): void {
    this.#dropped += dropped;
  }

  expired(first: number, last: number): void {
    const messages = this.#held?.takeExpired(first, last) ?? [];
    for (const message of messages) message.expire();
    const text = `Not settled in time and back in the queue: deliveries ${first} to ${last} of ${this.#consumerTag}.`;
    this.#connection.complained(new PosthornError("delivery-expired", text, { first, last }), messages[0]);
  }

  cancelledByBroker(error: PosthornError): void {
    this.#end(error);
  }

  #started(session: Session, reply: Reply<"queue.consume">): void {
    if (this.#state !== "starting") {
      const control = { deadline: this.#connection.deadline() };
      session.request("consumer.cancel", { consumer: reply.consumer }, control).catch(() => {});
      return;
    }
    this.#session = session;
    this.#consumer = reply.consumer;
    this.#consumerTag = reply.consumerTag;
    this.#prefetch = reply.prefetch;
    this.#held = this.#heldMessages(session, reply);
    this.#groupBy = reply.messageGroups;
    this.#retries = reply.retries ?? false;
    session.addTarget(reply.consumer, this);
    this.#enter("active");
    this.#resolveFirstStart();
    this.#setActive(reply.active ?? true);
  }

  #heldMessages(
    session: Session,
    { consumer, ackTimeout }: Reply<"queue.consume">,
  ): HeldMessages | undefined {
    if (ackTimeout === undefined) return undefined;
    return new HeldMessages({
      ackTimeoutMs: ackTimeout,
      maxTouchMs: this.#options.maxTouchMs ?? defaultMaxTouchMs,
      runtime: this.#connection.runtime,
      touch: (first, last) => {
        const control = { deadline: this.#connection.deadline() };
        // What is lost expires, which the broker tells, or has gone with its session.
        session.request("consumer.touch", { consumer, first, last }, control).catch(() => {});
      },
    });
  }

  #request(): RequestContent<"queue.consume"> {
    const { prefetch, noAck, exclusive, consumerTag, whenSlow, priority, prefetchBytes, ackTimeout } =
      this.#options;
    return {
      queue: this.queue.current,
      ...(prefetch !== undefined && { prefetch }),
      ...(noAck !== undefined && { noAck }),
      ...(exclusive !== undefined && { exclusive }),
      ...(consumerTag !== undefined && { consumerTag }),
      ...(whenSlow !== undefined && { whenSlow }),
      ...argumentsContent({ priority, prefetchBytes, ackTimeout, ...this.#options.arguments }),
    };
  }

  /** Right after a reconnect the broker may not have noticed yet that the former session is dead. */
  #mayBeGhost(error: PosthornError): boolean {
    const since = this.#interruptedAt;
    return (
      since !== undefined &&
      (error.code === "in-use" || error.code === "resource-locked") &&
      this.#connection.runtime.now() - since < ghostTimeoutMs
    );
  }

  #end(error: PosthornError | undefined): void {
    if (this.#state === "ended") return;
    this.#enter("ended");
    this.#connection.runtime.clearTimer(this.#retryTimer);
    this.#session?.removeTarget(this.#consumer);
    this.#connection.removeSubscription(this);
    this.#rejectFirstStart(error ?? new PosthornError("closed", "The consumer was cancelled."));
    this.#sink.ended(error);
    this.#setActive(false);
  }

  #setActive(active: boolean): void {
    if (active === this.#isActive) return;
    this.#isActive = active;
    callListener(() => this.#options.onActiveChange?.(active));
  }

  #enter(next: SubscriptionState): void {
    this.#state = next;
  }
}
