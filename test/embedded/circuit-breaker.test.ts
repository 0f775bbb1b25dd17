import { expect, test } from "vitest";
import { CircuitBreaker } from "../../server/embedded/circuit-breaker.ts";
import { Deadlines } from "../../server/embedded/deadlines.ts";
import type { Entry } from "../../server/embedded/entry.ts";
import { ManualTime } from "../support/manual-time.ts";

/** A message as far as a circuit breaker looks at it. */
function message(seq: number, group?: string): Entry {
  return { seq, lane: { id: 1 }, group: group === undefined ? undefined : { key: group } } as Entry;
}

/** Half of four deliveries within ten seconds open the circuit for thirty. */
function breaking() {
  const time = new ManualTime();
  const states: string[] = [];
  const breaker = new CircuitBreaker(
    { failureRate: 0.5, minimum: 4, window: 10_000, open: 30_000 },
    { now: time.now, deadlines: new Deadlines(time), onChange: (state) => states.push(state) },
  );
  let lastSeq = 100;
  return {
    breaker,
    states,
    fail: (entry: Entry) => breaker.settled(entry, "requeue"),
    /** So many other messages succeed, or fail. */
    others(count: number, outcome: "ack" | "requeue") {
      for (let i = 0; i < count; i++) breaker.settled(message(++lastSeq), outcome);
    },
    /** The time until the next probe passes; this message is it, and this becomes of it. */
    probe(entry: Entry, outcome: "ack" | "requeue" | "return") {
      time.advance(30_000);
      expect(breaker.allowance(10)).toBe(1);
      breaker.handedOut(entry);
      expect(breaker.allowance(10)).toBe(0);
      return breaker.settled(entry, outcome);
    },
  };
}

test("a message that fails again and again while others succeed is parked, and the circuit stays closed", () => {
  const { breaker, states, fail, others } = breaking();
  const poison = message(1);
  others(3, "ack");
  const advice = [fail(poison), fail(poison), fail(poison)];
  expect(advice).toEqual([undefined, undefined, "park"]);
  others(2, "ack");
  others(2, "requeue");
  expect([breaker.state, ...states]).toEqual(["closed"]);
});

test("once a message is known to be to blame, each failure of it is one too many", () => {
  const { fail, others } = breaking();
  const poison = message(1);
  others(3, "ack");
  for (let i = 0; i < 3; i++) fail(poison);
  expect(fail(poison)).toBe("park");
});

test("so is a group, whichever of its messages fails", () => {
  const { breaker, fail, others } = breaking();
  others(3, "ack");
  const advice = [1, 2, 3, 4].map((seq) => fail(message(seq, "acme")));
  expect(advice).toEqual([undefined, undefined, "park", "park"]);
  expect(fail(message(5, "other"))).toBeUndefined();
  expect(breaker.state).toBe("closed");
});

test("a group of which a message succeeds is under no suspicion any more", () => {
  const { breaker, fail, others } = breaking();
  others(3, "ack");
  for (const seq of [1, 2, 3]) fail(message(seq, "acme"));
  breaker.settled(message(4, "acme"), "ack");
  expect(fail(message(5, "acme"))).toBeUndefined();
});

test("when nothing succeeds the circuit opens, and others are tried before the message that failed most", () => {
  const { breaker, fail } = breaking();
  const first = message(1);
  expect([fail(first), fail(first), fail(first), fail(first)]).toEqual([
    undefined,
    undefined,
    undefined,
    "aside",
  ]);
  expect([breaker.state, breaker.asideMs]).toEqual(["open", 60_000]);
});

test("if another one succeeds then, the next failure of the suspect is the last", () => {
  const { breaker, fail, probe } = breaking();
  const poison = message(1);
  for (let i = 0; i < 4; i++) fail(poison);
  expect(probe(message(2), "ack")).toBeUndefined();
  expect(breaker.state).toBe("closed");
  expect(fail(poison)).toBe("park");
  expect(breaker.state).toBe("closed");
});

test("a probe that fails is put aside, and is no suspect for that", () => {
  const { breaker, states, fail, others, probe } = breaking();
  others(4, "requeue");
  const [second, third] = [message(2), message(3)];
  expect(probe(second, "requeue")).toBe("aside");
  expect(probe(third, "requeue")).toBe("aside");
  expect(probe(message(4), "ack")).toBeUndefined();
  expect(states).toEqual(["open", "half-open", "open", "half-open", "open", "half-open", "closed"]);
  expect(fail(second)).toBeUndefined();
  expect(breaker.state).toBe("closed");
});

test("a suspect that succeeds as the probe is none any more", () => {
  const { fail, probe } = breaking();
  const suspect = message(1);
  for (let i = 0; i < 4; i++) fail(suspect);
  expect(probe(suspect, "ack")).toBeUndefined();
  expect(fail(suspect)).toBeUndefined();
});

test("many messages that fail once each are nobody's fault but of what all need", () => {
  const { breaker, others } = breaking();
  others(2, "ack");
  others(2, "requeue");
  expect(breaker.state).toBe("open");
});

test("when one fails most but the others fail too often without it, too, the circuit opens", () => {
  const { breaker, fail, others } = breaking();
  others(1, "ack");
  others(1, "requeue");
  expect([fail(message(1)), fail(message(1))]).toEqual([undefined, "aside"]);
  expect(breaker.state).toBe("open");
});

test("a probe whose receiver goes away says nothing", () => {
  const { breaker, others, probe } = breaking();
  others(4, "requeue");
  expect(probe(message(1), "return")).toBeUndefined();
  expect([breaker.state, breaker.allowance(10)]).toEqual(["half-open", 1]);
});
