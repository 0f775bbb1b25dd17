import fc from "fast-check";
import { expect, test } from "vitest";
import { Fifo } from "../../client/fifo.ts";

test("it behaves like an array, over any number of pushes and shifts", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -3000, max: 3000 }), { maxLength: 30 }), (steps) => {
      const fifo = new Fifo<number>();
      const model: number[] = [];
      let next = 0;
      for (const step of steps) {
        for (let i = 0; i < Math.abs(step); i++) {
          if (step > 0) {
            fifo.push(next);
            model.push(next++);
          } else if (fifo.shift() !== model.shift()) throw new Error("another order");
        }
        expect(fifo.length).toBe(model.length);
        expect(fifo.peek()).toBe(model[0]);
      }
      expect(fifo.clear()).toEqual(model);
      expect(fifo.shift()).toBeUndefined();
    }),
    { numRuns: 50 },
  );
});
