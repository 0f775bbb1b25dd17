import fc from "fast-check";
import { type DeadLetterArguments, deadLetters, mostly, queueNames, words } from "./topologies.ts";

/** Indexes a list that may be empty or shorter: taken modulo its length. */
type Pick = number;

export type Command =
  | {
      do: "publish";
      to: Pick;
      count: number;
      keys: readonly string[];
      group: string;
      persistent: boolean;
      bytes: number;
      priority: number;
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
      /** Of those that are requeued. */
      delay: number;
      /** `""`: none. */
      reason: string;
    }
  | { do: "cancel"; consumer: Pick }
  | { do: "leave"; consumer: Pick }
  | { do: "pass"; ms: number }
  | { do: "stall"; ms: number }
  | { do: "flush"; commits: number }
  | { do: "pause"; queue: Pick }
  | { do: "resume"; queue: Pick }
  | { do: "purge"; queue: Pick }
  | { do: "delete-queue"; queue: Pick; ifEmpty: boolean }
  | { do: "declare-queue"; queue: Pick }
  | { do: "delete-message"; queue: Pick; at: Pick }
  | { do: "release-message"; queue: Pick; at: Pick; isAside: boolean }
  | { do: "release-messages"; queue: Pick; state: "delayed" | "parked"; limit: number }
  | {
      do: "redrive";
      queue: Pick;
      to: Pick;
      mode: "move" | "copy";
      state: "ready" | "delayed" | "parked";
      limit: number;
    }
  | { do: "policy"; arguments: DeadLetterArguments | undefined }
  | { do: "crash"; downMs: number }
  | { do: "stop"; downMs: number };

type Fields<K extends Command["do"]> = Omit<Extract<Command, { readonly do: K }>, "do">;

const pick = fc.nat(19);
/** Mostly the name of a queue, so that most messages arrive. */
const key = fc.oneof(
  { weight: 2, arbitrary: fc.constantFrom<string>(...queueNames) },
  {
    weight: 1,
    arbitrary: fc.array(fc.constantFrom(...words), { maxLength: 2 }).map((parts) => parts.join(".")),
  },
);
const one = fc.record({ queue: pick });
/** How long a broker is down. */
const down = fc.record({ downMs: fc.constantFrom(0, 0, 25, 3000, 10_000_000) });

function command<K extends Command["do"]>(weight: number, name: K, fields: fc.Arbitrary<Fields<K>>) {
  return { weight, arbitrary: fields.map((values) => ({ do: name, ...values }) as unknown as Command) };
}

export const commands: fc.Arbitrary<Command[]> = fc.array(
  fc.oneof(
    command(
      20,
      "publish",
      fc.record({
        to: pick,
        count: fc.integer({ min: 1, max: 8 }),
        keys: fc.array(key, { minLength: 1, maxLength: 3 }),
        group: fc.constantFrom("", "x", "y", "z"),
        persistent: mostly(true, false),
        bytes: fc.constantFrom(0, 20, 300),
        priority: fc.constantFrom(0, 0, 1, 2, 9),
        expiration: fc.oneof(
          { weight: 6, arbitrary: fc.constant(-1) },
          { weight: 2, arbitrary: fc.integer({ min: 1, max: 150 }) },
          { weight: 1, arbitrary: fc.constant(0) },
        ),
      }),
    ),
    command(16, "get", fc.record({ queue: pick, count: fc.integer({ min: 1, max: 6 }) })),
    command(
      12,
      "subscribe",
      fc.record({
        queue: pick,
        prefetch: fc.integer({ min: 1, max: 8 }),
        priority: fc.constantFrom(0, 0, 0, 1, -1),
      }),
    ),
    command(
      40,
      "settle",
      fc.record({
        holder: pick,
        skip: fc.nat(3),
        count: fc.integer({ min: 1, max: 6 }),
        outcome: fc.constantFrom<Fields<"settle">["outcome"]>(
          ...(["ack", "ack", "requeue", "requeue", "requeue", "reject", "reject", "release"] as const),
        ),
        delay: fc.constantFrom(0, 0, 0, 15, 70, 3000),
        reason: fc.constantFrom("", "", "bad", "slow"),
      }),
    ),
    command(1, "cancel", fc.record({ consumer: pick })),
    command(3, "leave", fc.record({ consumer: pick })),
    command(10, "pass", fc.record({ ms: fc.constantFrom(1, 10, 30, 60, 1000) })),
    command(2, "stall", fc.record({ ms: fc.constantFrom(5, 60, 2500, 100_000_000) })),
    command(12, "flush", fc.record({ commits: fc.integer({ min: 1, max: 4 }) })),
    command(1, "pause", one),
    command(2, "resume", one),
    command(1, "purge", one),
    command(1, "delete-queue", fc.record({ queue: pick, ifEmpty: fc.boolean() })),
    command(2, "declare-queue", one),
    command(2, "delete-message", fc.record({ queue: pick, at: pick })),
    command(5, "release-message", fc.record({ queue: pick, at: pick, isAside: mostly(true, false) })),
    command(
      1,
      "release-messages",
      fc.record({
        queue: pick,
        state: fc.constantFrom(...(["delayed", "parked"] as const)),
        limit: fc.integer({ min: 1, max: 5 }),
      }),
    ),
    command(
      4,
      "redrive",
      fc.record({
        queue: pick,
        to: pick,
        mode: fc.constantFrom<"move" | "copy">("move", "move", "copy"),
        state: fc.constantFrom(...(["ready", "ready", "delayed", "parked"] as const)),
        limit: fc.integer({ min: 1, max: 10 }),
      }),
    ),
    command(2, "policy", fc.record({ arguments: fc.option(deadLetters, { nil: undefined }) })),
    command(1, "crash", down),
    command(1, "stop", down),
  ),
  { minLength: 1, maxLength: 200, size: "max" },
);
