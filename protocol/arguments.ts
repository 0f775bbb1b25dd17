import { boolean, type InferFields, integer, number, object, oneOf, optional, string } from "./schema.ts";

/**
 * The arguments that exchanges, queues and consumers can be declared with. The types, the checks
 * (`argument-check.ts`) and the tables in docs/protocol.md follow from these rows.
 */

/** Ten years: no time in an argument is longer. */
export const longestMs = 315_360_000_000;
const maxInteger = Number.MAX_SAFE_INTEGER;

const milliseconds = (minimum: number, description: string) =>
  optional(integer({ minimum, maximum: longestMs, description }));
const amount = (minimum: number, maximum: number, description: string) =>
  optional(integer({ minimum, maximum, description }));
const fraction = (description: string) => optional(number({ minimum: 0, maximum: 1, description }));
const name = (description: string) => optional(string({ maxLength: 255, description }));

export const exchangeArguments = {
  alternateExchange: optional(
    string({
      minLength: 1,
      maxLength: 255,
      description:
        "Name of the exchange that gets what matches no binding of this one. It need not exist yet. Not the default exchange.",
    }),
  ),
  hashOn: optional(
    object(
      {
        by: oneOf(["routingKey", "header", "property"], "Where the text is that is hashed."),
        name: name(
          "Name of the header or property. Properties: `contentType`, `contentEncoding`, `correlationId`, `replyTo`, `messageId`, `type`, `userId`, `appId`.",
        ),
      },
      "What a `consistent-hash` exchange goes by. Messages without the header or property all go the same way. Default: the routing key.",
    ),
  ),
} as const;

export const queueArguments = {
  messageTtl: milliseconds(
    0,
    "Milliseconds that a message may wait before it expires. 0: deliver at once or expire. Default: for ever.",
  ),
  expires: milliseconds(
    1,
    "Milliseconds without consumers, `queue.get` and `queue.declare` after which the queue is deleted. Default: never.",
  ),
  maxLength: amount(0, maxInteger, "Most ready messages. Default: no limit."),
  maxBytes: amount(0, maxInteger, "Most bytes of ready messages, counting bodies only. Default: no limit."),
  overflow: optional(
    oneOf(
      ["drop-head", "reject-publish", "dead-letter"],
      "What gives way to `maxLength` and `maxBytes`. `drop-head`: the oldest ready message, which is dead-lettered if there is a target. `reject-publish`: the new message is refused with `queue-full`. `dead-letter`: the new message is dead-lettered. Default `drop-head`.",
    ),
  ),
  deadLetterExchange: name(
    "Exchange that gets what is rejected, expires, or is too much. Empty: the default exchange. It need not exist yet. Not together with `deadLetterQueue`.",
  ),
  deadLetterRoutingKey: name(
    "Routing key for `deadLetterExchange`. Default: the one that the message was published with.",
  ),
  deadLetterQueue: optional(
    string({
      minLength: 1,
      maxLength: 255,
      description:
        "Queue that gets what is rejected, expires, or is too much, without an exchange in between. It need not exist yet.",
    }),
  ),
  deliveryLimit: amount(
    1,
    1_000_000,
    "Most deliveries of one message. One that comes back from its last is dead-lettered, or parked if there is no target. Default: no limit.",
  ),
  retry: optional(
    object(
      {
        initialDelay: amount(1, longestMs, "Milliseconds before the first retry. Default 1000."),
        multiplier: optional(
          number({
            minimum: 1,
            maximum: 100,
            description: "By how much the delay grows each time. Default 2.",
          }),
        ),
        maxDelay: amount(
          1,
          longestMs,
          "Milliseconds that a delay is at most. Default 300,000, or `initialDelay` if that is longer.",
        ),
        jitter: fraction("By how much a delay varies at random, as a part of itself. Default 0.1."),
      },
      "Messages that are requeued come back after a delay that grows with each attempt. Default: at once.",
    ),
  ),
  maxPriority: amount(
    0,
    255,
    "Highest priority that the queue tells apart; above it counts as this. 0: no priorities. Default 0.",
  ),
  singleActiveConsumer: optional(
    boolean("One consumer at a time gets messages, the others stand by. Default false."),
  ),
  messageGroups: optional(
    object(
      {
        by: optional(
          oneOf(["routingKey", "header", "property"], 'Where a message\'s group key is. Default "header".'),
        ),
        name: name(
          "Name of the header or property. Default `group`, for a header. Properties: `contentType`, `contentEncoding`, `correlationId`, `replyTo`, `messageId`, `type`, `userId`, `appId`.",
        ),
        maxUnsettled: amount(
          1,
          65_535,
          "Most messages of one group that are unsettled at a time. Default 1: each comes when the one before is settled.",
        ),
        lookAhead: amount(
          1,
          1_000_000,
          "Most ready messages that are looked at to find some that can be delivered. Default 1000.",
        ),
      },
      "Messages with the same group key go to one consumer at a time, in order. Not together with `maxPriority`. Default: no groups.",
    ),
  ),
  ackTimeout: milliseconds(
    1,
    "Milliseconds that a delivery may stay unsettled before the message comes back. Default: for ever.",
  ),
  prefetchBytes: amount(
    1,
    maxInteger,
    "The `prefetchBytes` of consumers that name none. Default: the broker's.",
  ),
  circuitBreaker: optional(
    object(
      {
        failureRate: fraction("Part of the deliveries that has to fail, above 0. Default 0.5."),
        minimum: amount(1, 1_000_000, "Deliveries within the window before it is judged. Default 20."),
        window: milliseconds(1, "Milliseconds that are looked at. Default 10,000."),
        open: milliseconds(1, "Milliseconds of pause before one delivery is tried. Default 30,000."),
      },
      "Deliveries pause while too many of them fail. Default: never.",
    ),
  ),
} as const;

export const consumerArguments = {
  priority: amount(
    -2_147_483_648,
    2_147_483_647,
    "Consumers of higher priority get all messages while they can take them. Default 0.",
  ),
  prefetchBytes: amount(
    1,
    maxInteger,
    "Most bytes of unsettled messages; a single larger message still comes when nothing else is unsettled. Default: the queue's `prefetchBytes`. Cut to the broker's largest.",
  ),
  ackTimeout: milliseconds(
    1,
    "Milliseconds that a delivery may stay unsettled before the message comes back. Default: the queue's `ackTimeout`.",
  ),
} as const;

export const argumentTables = {
  exchange: exchangeArguments,
  queue: queueArguments,
  consumer: consumerArguments,
} as const;

export type ArgumentKind = keyof typeof argumentTables;
export type ArgumentsOf<K extends ArgumentKind> = InferFields<(typeof argumentTables)[K]>;
export type ExchangeArguments = ArgumentsOf<"exchange">;
export type HashOn = NonNullable<ExchangeArguments["hashOn"]>;
export type MessageGroups = NonNullable<ArgumentsOf<"queue">["messageGroups"]>;
export type QueueArguments = ArgumentsOf<"queue">;
export type ConsumerArguments = ArgumentsOf<"consumer">;
