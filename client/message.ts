import { PosthornError } from "../protocol/errors.ts";
import type { Outcome } from "../protocol/frames.ts";
import { EnvelopeView } from "./envelope-view.ts";

/** Where settlements go. */
export interface SettlementTarget {
  readonly ended: boolean;
  settle(consumer: number, delivery: number, outcome: Outcome): void;
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

  /** Nothing is left to settle: it has been settled, or came from a consumer with `noAck`. */
  get settled(): boolean {
    return this.done;
  }

  /**
   * The connection that it came over has gone. If it was not settled by then, it has returned to its queue and comes
   * again: settling it has no effect any more.
   */
  get stale(): boolean {
    return this.session.ended;
  }

  /** Done: the broker forgets the message. @throws PosthornError `unknown-delivery` if it was settled before. */
  ack(): void {
    this.settle("ack");
  }

  /** Not done: `requeue` (the default) or `reject`. @throws PosthornError `unknown-delivery` if it was settled before. */
  nack(options: { readonly requeue?: boolean } = {}): void {
    this.settle(options.requeue === false ? "reject" : "requeue");
  }

  /** Back to its place in the queue. @throws PosthornError `unknown-delivery` if it was settled before. */
  requeue(): void {
    this.settle("requeue");
  }

  /** Not wanted: the broker drops it. @throws PosthornError `unknown-delivery` if it was settled before. */
  reject(): void {
    this.settle("reject");
  }

  private settle(outcome: Outcome): void {
    if (this.done) {
      const why =
        this.delivery === 0 ? "It was delivered without the need to." : "It has been settled before.";
      throw new PosthornError("unknown-delivery", `The message cannot be settled. ${why}`);
    }
    this.done = true;
    this.session.settle(this.consumer, this.delivery, outcome);
  }
}
