import fc from "fast-check";
import { expect, test } from "vitest";
import { HashTable } from "../../server/routing/hash-table.ts";

test("a hash table does what a Map does, also when hashes stand in each other's way", () => {
  // Few bits differ, so that many hashes point to the same place, whatever the table's size, and some to its end.
  const hash = fc
    .tuple(fc.nat(7), fc.constantFrom(0, 1, 2, 3, 6, 7))
    .map(([high, low]) => high * 2 ** 24 + low);
  const step = fc.tuple(fc.constantFrom("set", "set", "delete", "get"), fc.oneof(hash, fc.nat(2 ** 31 - 1)));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200, size: "max" }), (steps) => {
      const table = new HashTable<string>();
      const map = new Map<number, string>();
      for (const [index, [action, key]] of steps.entries()) {
        if (action === "set") {
          table.set(key, `${index}`);
          map.set(key, `${index}`);
        } else if (action === "delete") {
          table.delete(key);
          map.delete(key);
        }
        expect(table.get(key)).toBe(map.get(key));
        expect(table.size).toBe(map.size);
      }
      for (const [key, value] of map) expect(table.get(key)).toBe(value);
      expect(table.values().toSorted()).toEqual([...map.values()].toSorted());
    }),
    { numRuns: 500 },
  );
});
