import fc from "fast-check";
import { expect, test } from "vitest";
import type { Entry } from "../../server/embedded/entry.ts";
import { ReturnedEntries } from "../../server/embedded/returned-entries.ts";

test("returned entries leave lowest position first, in whatever order they came", () => {
  const operations = fc.array(fc.oneof(fc.nat(1000), fc.constant("take" as const)), { maxLength: 200 });
  fc.assert(
    fc.property(operations, (steps) => {
      const returned = new ReturnedEntries();
      const model: number[] = [];
      for (const step of steps) {
        if (step === "take") expect(returned.takeLowest()?.seq).toBe(model.shift());
        else {
          returned.add({ seq: step } as Entry);
          model.push(step);
          model.sort((a, b) => a - b);
        }
        expect(returned.length).toBe(model.length);
      }
      const rest = returned.takeAll().map(({ seq }) => seq);
      expect(rest.sort((a, b) => a - b)).toEqual(model);
      expect(returned.length).toBe(0);
      expect(returned.takeLowest()).toBeUndefined();
    }),
  );
});
