import fc from "fast-check";
import type { ModelBinding, ModelExchangeType } from "../routes-model.ts";

export const queueNames = ["q0", "q1", "q2", "q3", "q4"] as const;
export const exchangeNames = ["e0", "e1", "e2"] as const;
/** A dead-letter queue and an alternate exchange that are never there. */
export const nowhere = "nowhere";
/** Words with which keys are made. */
const words = ["a", "b", ...queueNames];

/** Indexes a list that may be empty or shorter: taken modulo its length. */
type Pick = number;

export type DeadLetterArguments =
  | { deadLetterQueue: string }
  | { deadLetterExchange: string; deadLetterRoutingKey?: string };

export type ModelQueueArguments = (DeadLetterArguments | { deadLetterQueue?: never }) & {
  messageTtl?: number;
  messageGroups?: { by: "header"; name: "group" };
  singleActiveConsumer?: true;
  ackTimeout?: number;
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

export type Command =
  | {
      do: "publish";
      to: Pick;
      count: number;
      keys: readonly string[];
      group: string;
      persistent: boolean;
      bytes: number;
      expiration: number;
    }
  | { do: "get"; queue: Pick; count: number }
  | { do: "subscribe"; queue: Pick; prefetch: number; priority: number }
  | {
      do: "settle";
      holder: Pick;
      skip: number;
      count: number;
      outcome: "ack" | "requeue" | "reject" | "release";
    }
  | { do: "cancel"; consumer: Pick }
  | { do: "leave"; consumer: Pick }
  | { do: "pass"; ms: number }
  | { do: "flush"; commits: number }
  | { do: "pause"; queue: Pick }
  | { do: "resume"; queue: Pick }
  | { do: "purge"; queue: Pick }
  | { do: "delete-message"; queue: Pick; at: Pick }
  | { do: "redrive"; queue: Pick; to: Pick; mode: "move" | "copy"; limit: number }
  | { do: "policy"; arguments: DeadLetterArguments | undefined }
  | { do: "crash" }
  | { do: "stop" };

export interface History {
  readonly topology: Topology;
  readonly commands: readonly Command[];
}

const pick = fc.nat(19);
const key = fc.array(fc.constantFrom(...words), { maxLength: 2 }).map((parts) => parts.join("."));
const pattern = fc
  .array(fc.constantFrom(...words, "*", "#"), { maxLength: 3 })
  .map((parts) => parts.join("."));

const deadLetters: fc.Arbitrary<DeadLetterArguments> = fc.oneof(
  fc.record({ deadLetterQueue: fc.constantFrom(...queueNames, nowhere) }),
  fc.record(
    {
      deadLetterExchange: fc.constantFrom("", ...exchangeNames, nowhere),
      deadLetterRoutingKey: fc.constantFrom(...words),
    },
    { requiredKeys: ["deadLetterExchange"] },
  ),
);

const otherArguments = fc.record(
  {
    messageTtl: fc.constantFrom(20, 50, 130),
    messageGroups: fc.constant({ by: "header" as const, name: "group" as const }),
    singleActiveConsumer: fc.constant(true as const),
    ackTimeout: fc.constantFrom(1000, 1030),
  },
  { requiredKeys: [] },
);

const queueArguments: fc.Arbitrary<ModelQueueArguments> = fc
  .tuple(fc.option(deadLetters, { nil: undefined }), otherArguments)
  .map(([target, others]) => ({ ...target, ...others }) as ModelQueueArguments);

const topology: fc.Arbitrary<Topology> = fc.record({
  exchanges: fc.tuple(
    ...exchangeNames.map((name) =>
      fc.record({
        name: fc.constant(name),
        type: fc.constantFrom<ModelExchangeType>("direct", "fanout", "topic", "headers"),
        alternate: fc.option(fc.constantFrom(...exchangeNames, nowhere), { nil: undefined }),
      }),
    ),
  ),
  queues: fc.tuple(
    ...queueNames.map((name) =>
      fc.record({
        name: fc.constant(name),
        durable: fc.oneof(
          { weight: 4, arbitrary: fc.constant(true) },
          { weight: 1, arbitrary: fc.constant(false) },
        ),
        arguments: queueArguments,
      }),
    ),
  ),
  bindings: fc.array(
    fc.oneof(
      {
        weight: 3,
        arbitrary: fc.record({
          source: fc.constantFrom(...exchangeNames),
          kind: fc.constant("queue" as const),
          destination: fc.constantFrom(...queueNames),
          key: pattern,
        }),
      },
      {
        weight: 1,
        arbitrary: fc.record({
          source: fc.constantFrom(...exchangeNames),
          kind: fc.constant("exchange" as const),
          destination: fc.constantFrom(...exchangeNames),
          key: pattern,
        }),
      },
    ),
    { maxLength: 12, size: "max" },
  ),
});

type Fields<K extends Command["do"]> = Omit<Extract<Command, { readonly do: K }>, "do">;

function command<K extends Command["do"]>(weight: number, name: K, fields: fc.Arbitrary<Fields<K>>) {
  return { weight, arbitrary: fields.map((values) => ({ do: name, ...values }) as unknown as Command) };
}

const one = fc.record({ queue: pick });

const commands: fc.Arbitrary<Command[]> = fc.array(
  fc.oneof(
    command(
      10,
      "publish",
      fc.record({
        to: pick,
        count: fc.integer({ min: 1, max: 8 }),
        keys: fc.array(key, { minLength: 1, maxLength: 3 }),
        group: fc.constantFrom("", "x", "y", "z"),
        persistent: fc.oneof(
          { weight: 4, arbitrary: fc.constant(true) },
          { weight: 1, arbitrary: fc.constant(false) },
        ),
        bytes: fc.constantFrom(0, 20, 300),
        expiration: fc.oneof(
          { weight: 3, arbitrary: fc.constant(-1) },
          { weight: 1, arbitrary: fc.integer({ min: 1, max: 150 }) },
        ),
      }),
    ),
    command(5, "get", fc.record({ queue: pick, count: fc.integer({ min: 1, max: 6 }) })),
    command(
      3,
      "subscribe",
      fc.record({
        queue: pick,
        prefetch: fc.integer({ min: 1, max: 8 }),
        priority: fc.constantFrom(0, 0, 0, 1, -1),
      }),
    ),
    command(
      14,
      "settle",
      fc.record({
        holder: pick,
        skip: fc.nat(3),
        count: fc.integer({ min: 1, max: 6 }),
        outcome: fc.constantFrom<Fields<"settle">["outcome"]>(
          "ack",
          "ack",
          "requeue",
          "reject",
          "reject",
          "release",
        ),
      }),
    ),
    command(1, "cancel", fc.record({ consumer: pick })),
    command(1, "leave", fc.record({ consumer: pick })),
    command(5, "pass", fc.record({ ms: fc.constantFrom(1, 10, 30, 60, 1000) })),
    command(6, "flush", fc.record({ commits: fc.integer({ min: 1, max: 4 }) })),
    command(1, "pause", one),
    command(1, "resume", one),
    command(1, "purge", one),
    command(1, "delete-message", fc.record({ queue: pick, at: pick })),
    command(
      2,
      "redrive",
      fc.record({
        queue: pick,
        to: pick,
        mode: fc.constantFrom<"move" | "copy">("move", "move", "copy"),
        limit: fc.integer({ min: 1, max: 10 }),
      }),
    ),
    command(1, "policy", fc.record({ arguments: fc.option(deadLetters, { nil: undefined }) })),
    command(1, "crash", fc.constant({})),
    command(1, "stop", fc.constant({})),
  ),
  { minLength: 1, maxLength: 200, size: "max" },
);

export const history: fc.Arbitrary<History> = fc.record({ topology, commands });
