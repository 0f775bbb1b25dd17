import { argumentConflict, readArguments } from "./argument-check.ts";
import type { MessageGroups, QueueArguments } from "./arguments.ts";
import { textProperties } from "./envelope.ts";
import type { GroupBy } from "./group-key.ts";
import type { Headers } from "./header-value.ts";

/** What a queue's arguments come to, every default filled in. Times are milliseconds; `Infinity`: no limit. */
export interface QueueSettings {
  readonly messageTtl: number;
  readonly expires: number;
  readonly maxLength: number;
  readonly maxBytes: number;
  readonly overflow: NonNullable<QueueArguments["overflow"]>;
  readonly deadLetter: DeadLetterTarget | undefined;
  readonly deliveryLimit: number;
  readonly retry: RetrySettings | undefined;
  readonly maxPriority: number;
  readonly singleActiveConsumer: boolean;
  readonly messageGroups: GroupSettings | undefined;
  readonly ackTimeout: number;
  /** `undefined`: the broker's default. */
  readonly prefetchBytes: number | undefined;
  readonly circuitBreaker: CircuitBreakerSettings | undefined;
}

/** Where dead letters go. */
export type DeadLetterTarget =
  /** Without a routing key: the one that the message was published with. */
  { readonly exchange: string; readonly routingKey: string | undefined } | { readonly queue: string };

export type GroupSettings = GroupBy & Required<Pick<MessageGroups, "maxUnsettled" | "lookAhead">>;
export type RetrySettings = Required<NonNullable<QueueArguments["retry"]>>;
export type CircuitBreakerSettings = Required<NonNullable<QueueArguments["circuitBreaker"]>>;

/** The settings of every queue without arguments: one object, so that `settings === plainQueue` tells. */
export const plainQueue: QueueSettings = Object.freeze({
  messageTtl: Number.POSITIVE_INFINITY,
  expires: Number.POSITIVE_INFINITY,
  maxLength: Number.POSITIVE_INFINITY,
  maxBytes: Number.POSITIVE_INFINITY,
  overflow: "drop-head",
  deadLetter: undefined,
  deliveryLimit: Number.POSITIVE_INFINITY,
  retry: undefined,
  maxPriority: 0,
  singleActiveConsumer: false,
  messageGroups: undefined,
  ackTimeout: Number.POSITIVE_INFINITY,
  prefetchBytes: undefined,
  circuitBreaker: undefined,
});

/** @throws PosthornError `invalid-argument` that names the argument, and what is allowed or which other it does not go with. */
export function queueSettings(table: Headers): QueueSettings {
  const args = readArguments("queue", table);
  if (Object.keys(args).length === 0) return plainQueue;
  checkTogether(args);
  const { deadLetterExchange, deadLetterRoutingKey, deadLetterQueue, ...others } = args;
  const { retry, messageGroups, circuitBreaker } = args;
  return Object.freeze({
    ...plainQueue,
    ...others,
    deadLetter: deadLetterTarget(args),
    retry: retry && retrySettings(retry),
    messageGroups: messageGroups && groupSettings(messageGroups),
    circuitBreaker: circuitBreaker && {
      failureRate: 0.5,
      minimum: 20,
      window: 10_000,
      open: 30_000,
      ...circuitBreaker,
    },
  });
}

function deadLetterTarget(args: QueueArguments): DeadLetterTarget | undefined {
  const { deadLetterExchange: exchange, deadLetterRoutingKey: routingKey, deadLetterQueue: queue } = args;
  if (queue !== undefined) return { queue };
  return exchange === undefined ? undefined : { exchange, routingKey };
}

function retrySettings({
  initialDelay = 1000,
  multiplier = 2,
  maxDelay = Math.max(300_000, initialDelay),
  jitter = 0.1,
}: NonNullable<QueueArguments["retry"]>): RetrySettings {
  return { initialDelay, multiplier, maxDelay, jitter };
}

function groupSettings({
  by = "header",
  name = by === "header" ? "group" : undefined,
  maxUnsettled = 1,
  lookAhead = 1000,
}: MessageGroups): GroupSettings {
  return { by, ...(name !== undefined && { name }), maxUnsettled, lookAhead };
}

/** What is wrong with where the group key is to be found. */
function groupByProblem({ by = "header", name }: MessageGroups): string | undefined {
  if (by === "routingKey" && name !== undefined) return 'takes no name with by "routingKey"';
  if (by === "header" && name === "") return "needs the name of a header";
  if (by !== "property" || (textProperties as readonly (string | undefined)[]).includes(name))
    return undefined;
  return `needs the name of a property; these can be keys: ${textProperties.join(", ")}`;
}

/** The rules that concern more than one argument. */
function checkTogether(args: QueueArguments): void {
  const conflict = (argument: string, problem: string) => argumentConflict("queue", argument, problem);
  const { deadLetterExchange, deadLetterRoutingKey, deadLetterQueue, overflow, retry } = args;
  if (deadLetterQueue !== undefined && deadLetterExchange !== undefined)
    throw conflict("deadLetterQueue", "does not go together with deadLetterExchange");
  if (deadLetterRoutingKey !== undefined && deadLetterExchange === undefined)
    throw conflict("deadLetterRoutingKey", "needs deadLetterExchange");
  if (overflow !== undefined && args.maxLength === undefined && args.maxBytes === undefined)
    throw conflict("overflow", "needs maxLength or maxBytes");
  if (overflow === "dead-letter" && deadLetterTarget(args) === undefined)
    throw conflict("overflow", 'needs deadLetterExchange or deadLetterQueue to be "dead-letter"');
  const groupProblem = args.messageGroups && groupByProblem(args.messageGroups);
  if (groupProblem !== undefined) throw conflict("messageGroups", groupProblem);
  if (args.messageGroups !== undefined && args.maxPriority)
    throw conflict("messageGroups", "does not go together with maxPriority");
  if (args.circuitBreaker?.failureRate === 0)
    throw conflict("circuitBreaker.failureRate", "is 0: the circuit would open without a failure");
  if (retry?.maxDelay !== undefined && retry.maxDelay < (retry.initialDelay ?? 1000))
    throw conflict("retry.maxDelay", "is shorter than retry.initialDelay");
}
