import fc from "fast-check";
import { expect, test } from "vitest";
import { OutcomeWindow } from "../../server/embedded/outcome-window.ts";

test("what is older than the window counts no more, what is younger than nine tenths of it does", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ afterMs: fc.nat(3000), hasFailed: fc.boolean() }), { maxLength: 100 }),
      (outcomes) => {
        const window = new OutcomeWindow(1000);
        const all: { at: number; hasFailed: boolean }[] = [];
        let now = 1_000_000;
        for (const { afterMs, hasFailed } of outcomes) {
          now += afterMs;
          window.count(now, hasFailed);
          all.push({ at: now, hasFailed });
          const { succeeded, failed } = window.totals(now);
          const within = (ms: number, kind: boolean) =>
            all.filter((each) => each.at > now - ms && each.hasFailed === kind).length;
          expect(failed).toBeGreaterThanOrEqual(within(900, true));
          expect(failed).toBeLessThanOrEqual(within(1000, true));
          expect(succeeded).toBeGreaterThanOrEqual(within(900, false));
          expect(succeeded).toBeLessThanOrEqual(within(1000, false));
        }
      },
    ),
  );
});

test("when the clock has gone back, counting begins anew", () => {
  const window = new OutcomeWindow(1000);
  window.count(5000, true);
  window.count(3000, false);
  expect(window.totals(3000)).toEqual({ succeeded: 1, failed: 0 });
});
