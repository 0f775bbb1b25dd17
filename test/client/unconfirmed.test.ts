import fc from "fast-check";
import { expect, test } from "vitest";
import type { Publish } from "../../client/publish.ts";
import { Unconfirmed } from "../../client/unconfirmed.ts";

function publish(number: number, size = 1): Publish {
  return {
    flags: 0,
    size,
    retry: undefined,
    number,
    batch: { bytes: new Uint8Array(0) },
    start: 0,
    done: false,
    returned: undefined,
    resolve: undefined,
    reject: undefined,
  };
}

test("whatever ranges are confirmed in whatever order, each publish is told once and the rest stays in order", () => {
  const step = fc.oneof(
    fc.record({ push: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ from: fc.nat(60), length: fc.nat(12) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const unconfirmed = new Unconfirmed();
      let model: number[] = [];
      let number = 0;
      for (const what of steps) {
        if ("push" in what) {
          // Numbers may have gaps.
          number += what.push;
          unconfirmed.push(publish(number, number));
          model.push(number);
          continue;
        }
        const { from, length } = what;
        const told: number[] = [];
        unconfirmed.settle(from, from + length, (one) => told.push(one.number));
        expect(told).toEqual(model.filter((n) => n >= from && n <= from + length));
        model = model.filter((n) => n < from || n > from + length);
        expect(unconfirmed.count).toBe(model.length);
        expect(unconfirmed.bytes).toBe(model.reduce((sum, n) => sum + n, 0));
        expect(unconfirmed.find(from)?.number).toBe(model.includes(from) ? from : undefined);
      }
      expect(unconfirmed.clear().map((one) => one.number)).toEqual(model);
      expect(unconfirmed.count).toBe(0);
    }),
  );
});

test("one publish that is never confirmed does not disturb a hundred thousand after it", () => {
  const unconfirmed = new Unconfirmed();
  unconfirmed.push(publish(1));
  let settled = 0;
  for (let number = 2; number <= 100_000; number++) {
    unconfirmed.push(publish(number));
    settled += unconfirmed.settle(number, number, () => {});
  }
  expect(settled).toBe(99_999);
  expect(unconfirmed.count).toBe(1);
  expect(unconfirmed.held).toBeLessThan(5000);
  expect(unconfirmed.clear().map(({ number }) => number)).toEqual([1]);
});
