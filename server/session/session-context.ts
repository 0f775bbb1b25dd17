import type { ErrorCode } from "../../protocol/errors.ts";
import type { Broker } from "../broker/broker.ts";
import type { Visitor } from "../broker/visitor.ts";
import type { Outbox } from "./outbox.ts";
import type { SessionConsumer } from "./session-consumer.ts";

/** What the handlers of requests see of an open session. */
export interface SessionContext {
  readonly broker: Broker;
  readonly visitor: Visitor;
  readonly outbox: Outbox;
  readonly consumers: SessionConsumers;
  /** The queue that this session declared last (SEMANTICS 26, 35); empty if none. */
  lastQueue: string;
}

/** The consumers of a session by number, and the deliveries of `queue.get` as number 0. */
export interface SessionConsumers {
  readonly pulled: SessionConsumer;
  get(number: number): SessionConsumer | undefined;
  /** @throws PosthornError `consumer-tag-in-use`, `limit-exceeded` */
  open(tag: string, noAck: boolean): SessionConsumer;
  /** The consumer never came to be. */
  discard(consumer: SessionConsumer): void;
  /** No delivery follows. What it has not settled can still be settled. */
  cancel(number: number): void;
  /** The broker ended it. */
  cancelled(consumer: SessionConsumer, code: ErrorCode, message: string): void;
}
