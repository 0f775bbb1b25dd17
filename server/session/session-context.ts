import type { Broker } from "../broker/broker.ts";
import type { Visitor } from "../broker/visitor.ts";
import type { Delivery, LeaseSink } from "../engine/engine.ts";
import type { Outbox } from "./outbox.ts";
import type { SessionConsumer } from "./session-consumer.ts";
import type { WhenSlow } from "./slow-consumer.ts";

/** What the handlers of requests see of an open session. */
export interface SessionContext {
  readonly broker: Broker;
  readonly visitor: Visitor;
  readonly outbox: Outbox;
  readonly consumers: SessionConsumers;
  /** The queue that this session declared last (SEMANTICS 26, 35); empty if none. */
  lastQueue: string;
}

/** What a client asks for its consumer, as far as that is the session's business. */
export interface ConsumerRequest {
  /** Empty: one is made up. */
  readonly tag: string;
  readonly noAck: boolean;
  /** Missing: the broker's default. */
  readonly whenSlow: WhenSlow | undefined;
}

/** The consumers of a session by number, and the deliveries of `queue.get` as number 0. */
export interface SessionConsumers {
  /** @throws PosthornError `consumer-tag-in-use`, `limit-exceeded`, `invalid-argument` */
  open(request: ConsumerRequest): SessionConsumer;
  /** The consumer never came to be. */
  discard(consumer: SessionConsumer): void;
  /** No delivery follows. What it has not settled can still be settled. */
  cancel(number: number): void;
  /** @throws PosthornError `limit-exceeded` if `maximum` deliveries of `queue.get` are unsettled. */
  assertRoomForPulled(maximum: number): void;
  /** Hears of deliveries of `queue.get` that have expired. */
  readonly leaseSink: LeaseSink;
  /** The deliveries from `first` to `last` that are not settled. */
  outstanding(number: number, first: number, last: number): Delivery[];
  /** Keeps a delivery of `queue.get` until it is settled, and numbers it. `undefined`: the session has ended. */
  pulled(delivery: Delivery): number | undefined;
}
