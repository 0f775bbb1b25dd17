import type { ErrorCode } from "../../protocol/errors.ts";
import type { Delivery, DeliverySink, Subscription } from "../engine/engine.ts";
import type { Conflation } from "./conflation.ts";
import { DeliveryWindow } from "./delivery-window.ts";
import type { Outbox } from "./outbox.ts";
import type { WhenSlow } from "./slow-consumer.ts";

/** Who tells the client what happens to a consumer. */
export interface SessionConsumerListener {
  onCancelled(consumer: SessionConsumer, code: ErrorCode, message: string): void;
  onActiveChanged(consumer: SessionConsumer, isActive: boolean): void;
  /** These deliveries were not settled in time. The numbers rise. */
  onExpired(consumer: SessionConsumer, numbers: readonly number[]): void;
}

export interface SessionConsumerOptions {
  /** In its session; 0 for what `queue.get` takes. */
  readonly number: number;
  readonly tag: string;
  readonly noAck: boolean;
  readonly whenSlow: WhenSlow;
  readonly outbox: Outbox;
  /** With `whenSlow` "conflate". */
  readonly conflation?: Conflation | undefined;
  readonly listener: SessionConsumerListener;
}

/**
 * One consumer of a session: numbers its deliveries and keeps them until they are settled.
 *
 * Subscribing takes a while, and meanwhile the client may cancel or go, or the broker delete the queue. A consumer that
 * has ended gives the subscription back when it comes; what the broker says before the client has been told of the
 * consumer is told behind that.
 */
export class SessionConsumer implements DeliverySink {
  readonly window = new DeliveryWindow();
  readonly number: number;
  readonly tag: string;
  readonly whenSlow: WhenSlow;
  readonly #noAck: boolean;
  readonly #outbox: Outbox;
  readonly #listener: SessionConsumerListener;
  readonly #conflation: Conflation | undefined;
  #subscription: Subscription | undefined;
  #isAnnounced = false;
  /** Of a queue with a single active consumer: whether it is this one. */
  #isActive: boolean | undefined;
  #hasEnded = false;
  #cancellation: { readonly code: ErrorCode; readonly message: string } | undefined;

  constructor(options: SessionConsumerOptions) {
    this.number = options.number;
    this.tag = options.tag;
    this.whenSlow = options.whenSlow;
    this.#noAck = options.noAck;
    this.#outbox = options.outbox;
    this.#conflation = options.conflation;
    this.#listener = options.listener;
  }

  /** The broker has made the subscription. */
  attach(subscription: Subscription): void {
    if (this.#hasEnded) subscription.cancel();
    else this.#subscription = subscription;
  }

  /** `undefined`: its queue has no single active consumer. */
  get isActive(): boolean | undefined {
    return this.#isActive;
  }

  /** The client has been told, and whether it is the active one: deliveries may follow (SEMANTICS 61). */
  announced(toldActive: boolean | undefined): void {
    this.#isAnnounced = true;
    if (this.#cancellation !== undefined) {
      this.#listener.onCancelled(this, this.#cancellation.code, this.#cancellation.message);
      return;
    }
    if (this.#isActive !== undefined && this.#isActive !== toldActive)
      this.#listener.onActiveChanged(this, this.#isActive);
    this.resume();
  }

  /** Deliveries may be made, or again. */
  resume(): void {
    if (this.#isAnnounced) this.#subscription?.resume();
  }

  /** No delivery follows. */
  end(): void {
    this.#hasEnded = true;
    this.#subscription?.cancel();
    this.#subscription = undefined;
    this.#conflation?.forget(this.number);
  }

  hasRoom(): boolean {
    return this.#conflation !== undefined || this.#outbox.hasRoom();
  }

  deliver(deliveries: readonly Delivery[]): void {
    if (this.#conflation !== undefined) {
      this.#conflation.deliver(this.number, deliveries);
      return;
    }
    if (this.#noAck) {
      this.#outbox.deliverUnnumbered(this.number, deliveries);
      return;
    }
    for (let i = 0; i < deliveries.length; i++) {
      const delivery = deliveries[i]!;
      const number = this.window.add(delivery);
      this.#outbox.deliver(this.number, number, delivery);
    }
  }

  activeChanged(isActive: boolean): void {
    this.#isActive = isActive;
    if (this.#isAnnounced && !this.#hasEnded) this.#listener.onActiveChanged(this, isActive);
  }

  expired(deliveries: readonly Delivery[]): void {
    this.#listener.onExpired(this, this.window.expire(deliveries));
  }

  cancelled(code: ErrorCode, message: string): void {
    this.#subscription = undefined;
    if (this.#hasEnded) return;
    if (this.#isAnnounced) this.#listener.onCancelled(this, code, message);
    else this.#cancellation = { code, message };
  }
}
