/**
 * What a queue can be declared with. All are optional; times are in milliseconds. The broker checks them and names what
 * is wrong: `invalid-argument`.
 */
export interface QueueArguments {
  /** Milliseconds that a message may wait before it expires; 0: it is delivered at once or expires. Default: for ever. */
  readonly messageTtl?: number;
  /** Milliseconds without consumers, `get` and `declare` after which the queue is deleted. Default: never. */
  readonly expires?: number;
  /** Most ready messages. Default: no limit. */
  readonly maxLength?: number;
  /** Most bytes of ready messages, counting bodies only. Default: no limit. */
  readonly maxBytes?: number;
  /**
   * What gives way to `maxLength` and `maxBytes`. `drop-head`, the default: the oldest ready message, which is
   * dead-lettered if there is a target. `reject-publish`: the new message is refused with `queue-full`. `dead-letter`:
   * the new message is dead-lettered.
   */
  readonly overflow?: "drop-head" | "reject-publish" | "dead-letter";
  /**
   * Exchange that gets what is rejected, expires, or is too much; `""` is the default exchange. It need not exist yet.
   * Not together with `deadLetterQueue`.
   */
  readonly deadLetterExchange?: string;
  /** Routing key for `deadLetterExchange`. Default: the one that the message was published with. */
  readonly deadLetterRoutingKey?: string;
  /** Queue that gets what is rejected, expires, or is too much, without an exchange in between. It need not exist yet. */
  readonly deadLetterQueue?: string;
  /**
   * Most deliveries of one message. One that comes back from its last is dead-lettered, or parked in the queue if there is
   * no target. Default: no limit.
   */
  readonly deliveryLimit?: number;
  /** Messages that are requeued come back after a delay that grows with each attempt. Default: at once. */
  readonly retry?: {
    /** Milliseconds before the first retry. Default 1000. */
    readonly initialDelay?: number;
    /** By how much the delay grows each time. Default 2. */
    readonly multiplier?: number;
    /** Milliseconds that a delay is at most. Default 300,000, or `initialDelay` if that is longer. */
    readonly maxDelay?: number;
    /** By how much a delay varies at random, as a part of itself, 0 to 1. Default 0.1. */
    readonly jitter?: number;
  };
  /** Highest priority that the queue tells apart, up to 255; above it counts as this. Default 0: no priorities. */
  readonly maxPriority?: number;
  /** One consumer at a time gets messages, the others stand by. Default false. */
  readonly singleActiveConsumer?: boolean;
  /**
   * Messages with the same group key go to one consumer at a time, in order; the groups go in parallel. Not together with
   * `maxPriority`. Default: no groups.
   */
  readonly messageGroups?: {
    /** Where a message's group key is. Default `header`. */
    readonly by?: "routingKey" | "header" | "property";
    /** Name of the header or property. Default `group`, for a header. */
    readonly name?: string;
    /** Most messages of one group that are unsettled at a time. Default 1: each comes when the one before is settled. */
    readonly maxUnsettled?: number;
    /** Most ready messages that are looked at to find some that can be delivered. Default 1000. */
    readonly lookAhead?: number;
  };
  /** Milliseconds that a delivery may stay unsettled before the message comes back. Default: for ever. */
  readonly ackTimeout?: number;
  /** The `prefetchBytes` of consumers that name none. Default: the broker's. */
  readonly prefetchBytes?: number;
  /** Deliveries pause while too many of them fail. Default: never. */
  readonly circuitBreaker?: {
    /** Part of the deliveries that has to fail, above 0 and up to 1. Default 0.5. */
    readonly failureRate?: number;
    /** Deliveries within the window before it is judged. Default 20. */
    readonly minimum?: number;
    /** Milliseconds that are looked at. Default 10,000. */
    readonly window?: number;
    /** Milliseconds of pause before one delivery is tried. Default 30,000. */
    readonly open?: number;
  };
}
