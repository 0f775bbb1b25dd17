import fc from "fast-check";
import { beforeEach, expect, test } from "vitest";
import { type Deadline, Deadlines } from "../../server/embedded/deadlines.ts";
import { ManualTime } from "../support/manual-time.ts";

const hourMs = 3_600_000;

let time: ManualTime;
let deadlines: Deadlines;
let met: unknown[];

beforeEach(() => {
  time = new ManualTime();
  deadlines = new Deadlines(time);
  met = [];
});

/** A deadline after so many milliseconds; meeting it is noted. */
function after(delayMs: number, name: unknown = delayMs): Deadline {
  const deadline = deadlines.create(() => met.push(name));
  deadline.set(time.now() + delayMs);
  return deadline;
}

test("each deadline is met once, when it is due and not before", () => {
  const deadline = after(500);
  time.advance(499);
  expect(met).toEqual([]);
  expect(deadline.isSet).toBe(true);
  time.advance(1);
  expect(met).toEqual([500]);
  expect(deadline.isSet).toBe(false);
  time.advance(hourMs);
  expect(met).toEqual([500]);
});

test("what is due earliest is met first, and what is due at the same time in the order in which it was set", () => {
  after(300, "c");
  after(-20, "overdue");
  after(200, "b, set first");
  after(100, "a");
  after(200, "b, set second");
  after(-40, "overdue longest");
  time.advance(1000);
  expect(met).toEqual(["overdue longest", "overdue", "a", "b, set first", "b, set second", "c"]);
});

test("a deadline that is set anew is met at the new time only", () => {
  const earlier = after(5000, "earlier");
  const later = after(100, "later");
  earlier.set(time.now() + 50);
  later.set(time.now() + 7000);
  time.advance(50);
  expect(met).toEqual(["earlier"]);
  time.advance(6949);
  expect(met).toEqual(["earlier"]);
  time.advance(1);
  expect(met).toEqual(["earlier", "later"]);
});

test("a deadline that is cleared is not met, unless it is set again", () => {
  const deadline = after(100);
  deadline.clear();
  deadline.clear();
  expect(deadline.isSet).toBe(false);
  expect(deadlines.size).toBe(0);
  time.advance(hourMs);
  expect(met).toEqual([]);
  deadline.set(time.now() + 1);
  time.advance(1);
  expect(met).toEqual([100]);
});

test("a deadline may be months away", () => {
  after(90 * 24 * hourMs);
  time.advance(90 * 24 * hourMs - 1);
  expect(met).toEqual([]);
  time.advance(1);
  expect(met).toHaveLength(1);
});

test("of many that are overdue only so many are met in one turn, the rest in the next ones", () => {
  for (let i = 1; i <= 1000; i++) after(-i);
  let turns = 0;
  for (let before = -1; met.length > before; turns++) {
    before = met.length;
    time.turn();
    expect(met.length - before).toBeLessThanOrEqual(128);
  }
  expect(met).toEqual(Array.from({ length: 1000 }, (_, i) => i - 1000));
  expect(turns).toBe(9);
});

test("a deadline that sets itself again and again for a time that has passed takes no turn for itself", () => {
  const restless = deadlines.create(() => {
    met.push("again");
    restless.set(time.now());
  });
  restless.set(time.now());
  after(0, "other");
  time.turn();
  expect(met).toContain("other");
  time.turn();
  expect(met.length).toBeLessThanOrEqual(256);
  restless.clear();
  expect(deadlines.size).toBe(0);
});

test("a deadline may set and clear others when it is met", () => {
  const cleared = after(10, "cleared");
  const chained = deadlines.create(() => met.push("chained"));
  deadlines
    .create(() => {
      met.push("first");
      cleared.clear();
      chained.set(time.now() + 5);
    })
    .set(time.now() + 10);
  cleared.set(time.now() + 10);
  time.advance(14);
  expect(met).toEqual(["first"]);
  time.advance(1);
  expect(met).toEqual(["first", "chained"]);
});

test("an error in one deadline keeps none of the others from being met", () => {
  deadlines
    .create(() => {
      throw new Error("of one deadline");
    })
    .set(time.now() + 10);
  after(10, "same time");
  after(20, "later");
  expect(() => time.advance(10)).toThrow("of one deadline");
  time.advance(20);
  expect(met).toEqual(["same time", "later"]);
});

test("once stopped, nothing is met any more", () => {
  after(10);
  deadlines.stop();
  after(5);
  time.advance(hourMs);
  expect(met).toEqual([]);
  expect(time.timers).toBe(0);
});

test("ten thousand deadlines that are far away need one timer, and a look a second", () => {
  const all = Array.from({ length: 10_000 }, (_, i) => after(hourMs + i));
  expect(time.timers).toBe(1);
  time.advance(60_000);
  expect(time.timersBegun).toBeLessThanOrEqual(62);
  expect(time.timers).toBe(1);
  for (const deadline of all) deadline.clear();
  time.advance(1000);
  expect(time.timers).toBe(0);
});

test("without deadlines there is no timer", () => {
  expect(time.timers).toBe(0);
  after(10);
  time.advance(10);
  expect(time.timers).toBe(0);
});

test("a deadline that keeps being set anew, beside one that is far away, leaves hardly a timer behind", () => {
  after(hourMs, "far");
  const touched = deadlines.create(() => met.push("touched"));
  for (let i = 0; i < 5000; i++) {
    touched.set(time.now() + 3);
    time.advance(i % 4);
    expect(time.timers).toBeLessThanOrEqual(3);
  }
});

test("when the clock is set back, deadlines are met once and at the time that they were set for", () => {
  after(500, "before");
  time.advance(100);
  time.jump(-hourMs);
  after(200, "after");
  time.advance(200);
  expect(met).toEqual(["after"]);
  time.advance(hourMs + 199);
  expect(met).toEqual(["after"]);
  time.advance(1);
  expect(met).toEqual(["after", "before"]);
});

test("when the clock is set forward, what is due then is met within a second", () => {
  after(hourMs, "soon");
  after(3 * hourMs, "later");
  time.advance(100);
  time.jump(2 * hourMs);
  time.advance(1000);
  expect(met).toEqual(["soon"]);
  time.advance(hourMs);
  expect(met).toEqual(["soon", "later"]);
});

type Step =
  | { readonly type: "set"; readonly which: number; readonly delayMs: number }
  | { readonly type: "clear"; readonly which: number }
  | { readonly type: "advance"; readonly byMs: number };

test("whatever is set and cleared, it agrees with a list that is sorted each time", () => {
  const which = fc.nat(30);
  const step: fc.Arbitrary<Step> = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        type: fc.constant("set" as const),
        which,
        delayMs: fc.oneof(fc.integer({ min: -20, max: 60 }), fc.integer({ min: -5000, max: 5000 })),
      }),
    },
    { weight: 2, arbitrary: fc.record({ type: fc.constant("clear" as const), which }) },
    {
      weight: 3,
      arbitrary: fc.record({
        type: fc.constant("advance" as const),
        byMs: fc.oneof(fc.nat(30), fc.nat(3000)),
      }),
    },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const time = new ManualTime();
      const deadlines = new Deadlines(time);
      const met: { which: number; at: number }[] = [];
      const all = Array.from({ length: 31 }, (_, which) =>
        deadlines.create(() => met.push({ which, at: time.now() })),
      );
      let expected: { which: number; dueAt: number; setAt: number }[] = [];
      for (const step of steps) {
        if (step.type === "advance") {
          const from = met.length;
          time.advance(step.byMs);
          const due = expected
            .filter(({ dueAt }) => dueAt <= time.now())
            .map(({ which, dueAt, setAt }) => ({ which, at: Math.max(dueAt, setAt), dueAt }));
          due.sort((a, b) => a.at - b.at || a.dueAt - b.dueAt);
          expect(met.slice(from)).toEqual(due.map(({ which, at }) => ({ which, at })));
          expected = expected.filter(({ dueAt }) => dueAt > time.now());
          continue;
        }
        expected = expected.filter(({ which }) => which !== step.which);
        if (step.type === "clear") {
          all[step.which]!.clear();
          continue;
        }
        const dueAt = time.now() + step.delayMs;
        all[step.which]!.set(dueAt);
        expected.push({ which: step.which, dueAt, setAt: time.now() });
      }
      expect(deadlines.size).toBe(expected.length);
      expect(all.map(({ isSet }) => isSet)).toEqual(
        all.map((_, at) => expected.some(({ which }) => which === at)),
      );
    }),
    { numRuns: 300 },
  );
});
