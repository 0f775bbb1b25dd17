import fc from "fast-check";
import { expect, test } from "vitest";
import { Deque } from "../../server/embedded/deque.ts";

test("a deque is a list that is read from the front and written at the end", () => {
  const operations = fc.array(
    fc.oneof(
      { weight: 5, arbitrary: fc.record({ push: fc.integer({ min: 1, max: 40 }) }) },
      { weight: 5, arbitrary: fc.record({ shift: fc.integer({ min: 1, max: 40 }) }) },
      { weight: 1, arbitrary: fc.constant({ clear: true }) },
    ),
    { maxLength: 100 },
  );
  fc.assert(
    fc.property(operations, (steps) => {
      const deque = new Deque<number>();
      let model: number[] = [];
      let next = 0;
      for (const step of steps) {
        if ("push" in step) {
          for (let i = 0; i < step.push; i++) {
            deque.push(next);
            model.push(next++);
          }
        } else if ("shift" in step) {
          for (let i = 0; i < step.shift; i++) expect(deque.shift()).toBe(model.shift());
        } else {
          deque.clear();
          model = [];
        }
        expect(deque.length).toBe(model.length);
        expect(deque.first()).toBe(model[0]);
        expect([...deque]).toEqual(model);
      }
    }),
    { numRuns: 300 },
  );
});

test("a deque that was long and is empty works on", () => {
  const deque = new Deque<number>();
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 5000; i++) deque.push(i);
    for (let i = 0; i < 5000; i++) expect(deque.shift()).toBe(i);
    expect(deque.shift()).toBeUndefined();
    expect(deque.length).toBe(0);
  }
});
