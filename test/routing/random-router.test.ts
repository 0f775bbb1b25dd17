import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RandomRouter } from "../../server/routing/random-router.ts";
import { noFacts, routerOptions } from "./facts.ts";

/** Every destination that can be drawn, each once for a draw from each of `draws` equal parts of chance. */
function drawn(router: RandomRouter<string>, chance: { value: number }, draws: number): string[] {
  return Array.from({ length: draws }, (_, index) => {
    chance.value = (index + 0.5) / draws;
    const found = new Set<string>();
    router.match("any key", noFacts, found);
    expect(found.size).toBeLessThanOrEqual(1);
    return [...found][0];
  }).filter((destination) => destination !== undefined);
}

describe("a random exchange", () => {
  test("gives every destination the same chance, through any sequence of binds and unbinds", () => {
    const binding = fc.record({
      key: fc.constantFrom("", "k"),
      destination: fc.constantFrom("a", "b", "c", "d", "e"),
    });
    fc.assert(
      fc.property(fc.array(binding, { maxLength: 40, size: "max" }), (steps) => {
        const chance = { value: 0 };
        const router = new RandomRouter<string>(routerOptions({}, () => chance.value));
        const bound = new Map<string, string>();
        // Binds what is not bound, and unbinds what is.
        for (const { key, destination } of steps) {
          const identity = `${key} ${destination}`;
          if (bound.delete(identity)) router.unbind(key, {}, destination);
          else {
            router.bind(key, {}, destination);
            bound.set(identity, destination);
          }
          const destinations = [...new Set(bound.values())];
          const expected = destinations.flatMap((name) => [name, name, name]);
          expect(drawn(router, chance, 3 * destinations.length).toSorted()).toEqual(expected.toSorted());
        }
      }),
    );
  });

  test("draws the first and the last of its destinations at the ends of what chance can say", () => {
    let value = 0;
    const router = new RandomRouter<string>(routerOptions({}, () => value));
    for (const destination of ["a", "b", "c"]) router.bind("", {}, destination);
    const found = new Set<string>();
    router.match("", noFacts, found);
    value = 1 - 2 ** -53;
    router.match("", noFacts, found);
    expect(found).toEqual(new Set(["a", "c"]));
  });

  test("leads nowhere without bindings, and takes no notice of an unbinding of what is not bound", () => {
    const router = new RandomRouter<string>(routerOptions());
    router.unbind("", {}, "a");
    const found = new Set<string>();
    router.match("", noFacts, found);
    expect(found.size).toBe(0);
    expect(router.keyOnly).toBe(false);
  });
});
