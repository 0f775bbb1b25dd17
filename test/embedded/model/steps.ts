import fc from "fast-check";

/** Index into a list that may be empty or shorter: taken modulo its length. */
type Pick = number;

export type ConsumerMode = "manual" | "no-ack" | "acks-at-once" | "requeues-once";

/** One thing that can happen to an engine with queues in it. */
export type Step =
  | { do: "publish"; to: Pick; count: number; bytes: number; persistent: boolean }
  | { do: "turn" }
  | { do: "flush"; commits: number }
  | { do: "rest" }
  | { do: "subscribe"; queue: Pick; session: Pick; prefetch: number; mode: ConsumerMode }
  | { do: "settle"; holder: Pick; skip: number; count: number; backwards: boolean; outcome: Outcome }
  | { do: "get"; queue: Pick; session: Pick; count: number }
  | { do: "room"; consumer: Pick; room: boolean }
  | { do: "cancel"; consumer: Pick }
  | { do: "close"; session: Pick }
  | { do: "purge"; queue: Pick }
  | { do: "delete"; queue: Pick }
  | { do: "declare" }
  | { do: "crash" }
  | { do: "stop" };

export type Outcome = "ack" | "reject" | "requeue" | "return";

const pick = fc.nat(9);

const steps: {
  [K in Step["do"]]: { weight: number; with: fc.Arbitrary<Omit<Extract<Step, { do: K }>, "do">> };
} = {
  publish: {
    weight: 10,
    with: fc.record({
      to: pick,
      count: fc.integer({ min: 1, max: 12 }),
      bytes: fc.constantFrom(0, 10, 300),
      persistent: fc.boolean(),
    }),
  },
  turn: { weight: 10, with: fc.constant({}) },
  flush: { weight: 8, with: fc.record({ commits: fc.integer({ min: 1, max: 3 }) }) },
  rest: { weight: 2, with: fc.constant({}) },
  subscribe: {
    weight: 3,
    with: fc.record({
      queue: pick,
      session: pick,
      prefetch: fc.integer({ min: 1, max: 8 }),
      mode: fc.constantFrom<ConsumerMode>(
        "manual",
        "manual",
        "manual",
        "no-ack",
        "acks-at-once",
        "requeues-once",
      ),
    }),
  },
  settle: {
    weight: 8,
    with: fc.record({
      holder: pick,
      skip: fc.nat(4),
      count: fc.integer({ min: 1, max: 6 }),
      backwards: fc.boolean(),
      outcome: fc.constantFrom<Outcome>("ack", "ack", "reject", "requeue", "return"),
    }),
  },
  get: { weight: 4, with: fc.record({ queue: pick, session: pick, count: fc.integer({ min: 1, max: 10 }) }) },
  room: { weight: 2, with: fc.record({ consumer: pick, room: fc.boolean() }) },
  cancel: { weight: 1, with: fc.record({ consumer: pick }) },
  close: { weight: 1, with: fc.record({ session: pick }) },
  purge: { weight: 1, with: fc.record({ queue: pick }) },
  delete: { weight: 1, with: fc.record({ queue: pick }) },
  declare: { weight: 2, with: fc.constant({}) },
  crash: { weight: 1, with: fc.constant({}) },
  stop: { weight: 1, with: fc.constant({}) },
};

const step: fc.Arbitrary<Step> = fc.oneof(
  ...Object.entries(steps).map(([name, { weight, with: fields }]) => ({
    weight,
    arbitrary: (fields as fc.Arbitrary<object>).map((values) => ({ do: name, ...values }) as Step),
  })),
);

export const history: fc.Arbitrary<Step[]> = fc.array(step, { minLength: 1, maxLength: 100, size: "max" });
