import { PosthornError } from "../protocol/errors.ts";
import type { Outcome } from "../protocol/frames.ts";
import { EnvelopeView } from "./envelope-view.ts";
import type { HeldMessages } from "./held-messages.ts";

/** Where settlements go. */
export interface SettlementTarget {
  readonly ended: boolean;
  settle(consumer: number, delivery: number, outcome: Outcome): void;
  /** @throws PosthornError `delivery-expired`, and as any request. */
  touch(consumer: number, delivery: number): Promise<void>;
}

/**
 * A message from a queue, to be settled once: with `ack`, `requeue` or `reject`. Settling only notes the outcome; it
 * is sent at the end of the tick, together with others.
 */
export class ReceivedMessage extends EnvelopeView {
  /** It may have been delivered before, to whomever. */
  readonly redelivered: boolean;
  /** How often it was handed out before, as far as the broker knows. */
  readonly attempts: number;
  private readonly session: SettlementTarget;
  private readonly consumer: number;
  private readonly delivery: number;
  private held: HeldMessages | undefined;
  private late = false;
  private done: boolean;

  /** @internal `delivery` 0: it needs no settlement. */
  constructor(
    envelope: Uint8Array,
    session: SettlementTarget,
    consumer: number,
    delivery: number,
    redelivered: boolean,
    attempts: number,
  ) {
    super(envelope);
    this.session = session;
    this.consumer = consumer;
    this.delivery = delivery;
    this.redelivered = redelivered;
    this.attempts = attempts;
    this.done = delivery === 0;
  }

  /** Nothing is left to settle: it has been settled, has expired, or came from a consumer with `noAck`. */
  get settled(): boolean {
    return this.done;
  }

  /** It was not settled within its `ackTimeout`: the message is back in its queue, and comes again to whomever. */
  get expired(): boolean {
    return this.late;
  }

  /**
   * The connection that it came over has gone. If it was not settled by then, it has returned to its queue and comes
   * again: settling it has no effect any more.
   */
  get stale(): boolean {
    return this.session.ended;
  }

  /** Done: the broker forgets the message. @throws PosthornError `unknown-delivery` if it was settled before, `delivery-expired`. */
  ack(): void {
    this.settle("ack");
  }

  /** Not done: `requeue` (the default) or `reject`. @throws PosthornError `unknown-delivery` if it was settled before, `delivery-expired`. */
  nack(options: { readonly requeue?: boolean } = {}): void {
    this.settle(options.requeue === false ? "reject" : "requeue");
  }

  /** Back to its place in the queue. @throws PosthornError `unknown-delivery` if it was settled before, `delivery-expired`. */
  requeue(): void {
    this.settle("requeue");
  }

  /** Not wanted: the broker drops it. @throws PosthornError `unknown-delivery` if it was settled before, `delivery-expired`. */
  reject(): void {
    this.settle("reject");
  }

  /**
   * Still being worked on: the time in which it has to be settled (`ackTimeout`) begins anew. While its handler, or the body of
   * its loop, is at work the client does that by itself; this is for messages that are kept beyond that, or were taken with
   * `get`. Without an `ackTimeout` it does nothing.
   * @throws PosthornError `delivery-expired` if it is too late, `unknown-delivery` if it was settled before,
   * `connection-closed`, `timeout`.
   */
  async touch(): Promise<void> {
    this.assertUnsettled();
    await this.session.touch(this.consumer, this.delivery);
  }

  /** @internal It has to be settled in time. */
  holdBy(held: HeldMessages): void {
    this.held = held;
    held.add(this.delivery, this);
  }

  /** @internal Nobody is at work on it any more. */
  leave(): void {
    this.held?.leave(this.delivery);
  }

  /** @internal The broker has taken it back. */
  expire(): void {
    this.late = true;
    this.done = true;
  }

  private assertUnsettled(): void {
    if (!this.done) return;
    if (this.late) {
      const message = "It was not settled in time: the message has gone back to its queue.";
      throw new PosthornError("delivery-expired", message);
    }
    const why = this.delivery === 0 ? "It was delivered without the need to." : "It has been settled before.";
    throw new PosthornError("unknown-delivery", `The message cannot be settled. ${why}`);
  }

  private settle(outcome: Outcome): void {
    this.assertUnsettled();
    this.done = true;
    this.held?.remove(this.delivery);
    this.session.settle(this.consumer, this.delivery, outcome);
  }
}
