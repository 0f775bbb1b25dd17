import fc from "fast-check";
import type { RetrySettings } from "../../../protocol/queue-settings.ts";
import type { ModelBinding, ModelExchangeType } from "../routes-model.ts";

export const queueNames = ["q0", "q1", "q2", "q3", "q4"] as const;
export const exchangeNames = ["e0", "e1", "e2"] as const;
/** Goes by chance, so nothing leads to it: where a message went is looked up when it is published. */
const chanceExchange = "chance";
/** A dead-letter queue and an alternate exchange that are never there. */
export const nowhere = "nowhere";
/** Words with which keys are made. */
export const words = ["a", "b", ...queueNames];

export type DeadLetterArguments =
  | { deadLetterQueue: string }
  | { deadLetterExchange: string; deadLetterRoutingKey?: string };

export type ModelQueueArguments = (DeadLetterArguments | { deadLetterQueue?: never }) & {
  messageTtl?: number;
  messageGroups?: { by: "header"; name: "group" };
  singleActiveConsumer?: true;
  ackTimeout?: number;
  deliveryLimit?: number;
  retry?: RetrySettings;
  maxPriority?: number;
  maxLength?: number;
  maxBytes?: number;
  overflow?: "drop-head" | "reject-publish" | "dead-letter";
};

export interface DeclaredExchange {
  readonly name: string;
  readonly type: ModelExchangeType;
  readonly alternate: string | undefined;
}

export interface DeclaredQueue {
  readonly name: string;
  readonly durable: boolean;
  readonly arguments: ModelQueueArguments;
}

export interface Topology {
  readonly exchanges: readonly DeclaredExchange[];
  readonly queues: readonly DeclaredQueue[];
  readonly bindings: readonly ModelBinding[];
}

const pattern = fc
  .array(fc.constantFrom(...words, "*", "#"), { maxLength: 3 })
  .map((parts) => parts.join("."));

export const deadLetters: fc.Arbitrary<DeadLetterArguments> = fc.oneof(
  fc.record({ deadLetterQueue: fc.constantFrom(...queueNames, nowhere) }),
  fc.record(
    {
      deadLetterExchange: fc.constantFrom("", ...exchangeNames, nowhere),
      deadLetterRoutingKey: fc.constantFrom(...words),
    },
    { requiredKeys: ["deadLetterExchange"] },
  ),
);

/** In one of so many queues. */
function inOneOf<T>(queues: number, arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.oneof(
    { weight: queues - 1, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: arbitrary as fc.Arbitrary<T | undefined> },
  );
}

const otherArguments = fc.record({
  messageTtl: inOneOf(5, fc.constantFrom(20, 50, 130, 0)),
  messageGroups: inOneOf(3, fc.constant({ by: "header" as const, name: "group" as const })),
  singleActiveConsumer: inOneOf(5, fc.constant(true as const)),
  ackTimeout: inOneOf(3, fc.constantFrom(1000, 1030)),
  deliveryLimit: inOneOf(2, fc.integer({ min: 1, max: 3 })),
  retry: inOneOf(
    3,
    fc.record({
      initialDelay: fc.constantFrom(10, 45),
      multiplier: fc.constantFrom(1, 3),
      maxDelay: fc.constantFrom(60, 2000),
      jitter: fc.constantFrom(0, 0.5),
    }),
  ),
  maxPriority: inOneOf(4, fc.constantFrom(1, 3)),
  maxLength: inOneOf(5, fc.integer({ min: 0, max: 6 })),
  maxBytes: inOneOf(6, fc.constantFrom(0, 50, 700)),
  overflow: fc.constantFrom("drop-head" as const, "reject-publish" as const, "dead-letter" as const),
});

/** Leaves out what does not go together. */
const queueArguments: fc.Arbitrary<ModelQueueArguments> = fc
  .tuple(fc.option(deadLetters, { nil: undefined }), otherArguments)
  .map(([target, { maxPriority, overflow, ...others }]) => {
    const isLimited = others.maxLength !== undefined || others.maxBytes !== undefined;
    const args = {
      ...target,
      ...others,
      ...(others.messageGroups === undefined && { maxPriority }),
      ...(isLimited && (target !== undefined || overflow !== "dead-letter") && { overflow }),
    };
    return Object.fromEntries(
      Object.entries(args).filter(([, value]) => value !== undefined),
    ) as ModelQueueArguments;
  });

const alternate = fc.option(fc.constantFrom(...exchangeNames, nowhere), { nil: undefined });

const exchanges: fc.Arbitrary<DeclaredExchange[]> = fc.tuple(
  ...exchangeNames.map((name) =>
    fc.record({
      name: fc.constant(name),
      type: fc.constantFrom<ModelExchangeType>("direct", "fanout", "topic", "headers", "consistent-hash"),
      alternate,
    }),
  ),
  fc.record({ name: fc.constant(chanceExchange), type: fc.constant("random" as const), alternate }),
);

const queues: fc.Arbitrary<DeclaredQueue[]> = fc.tuple(
  ...queueNames.map((name) =>
    fc.record({ name: fc.constant(name), durable: mostly(true, false), arguments: queueArguments }),
  ),
);

const source = fc.constantFrom(...exchangeNames, chanceExchange);

const bindings: fc.Arbitrary<ModelBinding[]> = fc.array(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        source,
        kind: fc.constant("queue" as const),
        destination: fc.constantFrom(...queueNames),
        key: pattern,
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        source,
        kind: fc.constant("exchange" as const),
        destination: fc.constantFrom(...exchangeNames),
        key: pattern,
      }),
    },
  ),
  { maxLength: 14, size: "max" },
);

export const topology: fc.Arbitrary<Topology> = fc.record({ exchanges, queues, bindings }).map((parts) => ({
  ...parts,
  bindings: parts.bindings.map((binding) => weighed(binding, parts.exchanges)),
}));

/** Four times this, one time that. */
export function mostly<T>(usual: T, other: T): fc.Arbitrary<T> {
  return fc.oneof({ weight: 4, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constant(other) });
}

/** The key of a binding to a consistent-hash exchange is a weight. */
function weighed(binding: ModelBinding, declared: readonly DeclaredExchange[]): ModelBinding {
  const { type } = declared.find(({ name }) => name === binding.source)!;
  return type === "consistent-hash" ? { ...binding, key: `${1 + (binding.key.length % 3)}` } : binding;
}
