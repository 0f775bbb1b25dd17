import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { HeaderValue } from "../../protocol/header-value.ts";
import { bindingIdentity } from "../../server/routing/binding-identity.ts";
import { headerValuesEqual } from "../../server/routing/header-equality.ts";
import { labelledValues } from "./naive-matchers.ts";

describe("two header values", () => {
  test("are equal exactly if they have the same type and value, and so are bindings that differ in them", () => {
    for (const left of labelledValues) {
      for (const right of labelledValues) {
        const same = left.label === right.label;
        const pair = `${left.label} and ${right.label}`;
        expect([pair, headerValuesEqual(left.value, right.value)]).toEqual([pair, same]);
        expect([pair, identityOf(left.value) === identityOf(right.value)]).toEqual([pair, same]);
      }
    }
  });

  test("are equal exactly if their identities are, whatever they hold", () => {
    fc.assert(
      fc.property(headerValue, headerValue, (left, right) => {
        expect(headerValuesEqual(left, right)).toBe(identityOf(left) === identityOf(right));
        expect(headerValuesEqual(right, left)).toBe(identityOf(left) === identityOf(right));
      }),
      { numRuns: 3_000 },
    );
  });

  test("are equal if one is a copy of the other with its names in another order and wider integers", () => {
    fc.assert(
      fc.property(headerValue, (value) => {
        expect(headerValuesEqual(value, rewritten(value))).toBe(true);
        expect(identityOf(value)).toBe(identityOf(rewritten(value)));
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("two bindings", () => {
  test("are the same whatever the order of their arguments and the width of integers", () => {
    expect(bindingIdentity("k", { a: 1, b: [2n] })).toBe(bindingIdentity("k", { b: [2], a: 1n }));
  });

  test("differ if their routing keys do, even where one looks like the other with its arguments", () => {
    expect(bindingIdentity("a", {})).not.toBe(bindingIdentity("b", {}));
    expect(bindingIdentity("a", {})).not.toBe(bindingIdentity("A", {}));
    expect(bindingIdentity('a"{}', {})).not.toBe(bindingIdentity("a", {}));
    expect(bindingIdentity("a{}", {})).not.toBe(bindingIdentity("a", {}));
  });

  test("differ if one has an argument more, even a null one", () => {
    expect(bindingIdentity("a", { x: null })).not.toBe(bindingIdentity("a", {}));
    expect(bindingIdentity("a", { x: 1, y: null })).not.toBe(bindingIdentity("a", { x: 1, z: null }));
  });

  test("differ if strings do in half a surrogate pair", () => {
    expect(bindingIdentity("\ud800", {})).not.toBe(bindingIdentity("\ud801", {}));
    expect(bindingIdentity("\ud800", {})).not.toBe(bindingIdentity("\\ud800", {}));
  });
});

const identityOf = (value: HeaderValue): string => bindingIdentity("key", { value });

const { headerValue } = fc.letrec<{ headerValue: HeaderValue }>((tie) => ({
  headerValue: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.constantFrom(...labelledValues.map(({ value }) => value)),
    fc.integer({ min: -2, max: 2 }),
    fc.bigInt({ min: -2n, max: 2n }),
    fc.double(),
    fc.string({ unit: "binary", maxLength: 2 }),
    fc.uint8Array({ maxLength: 2 }),
    fc.date(),
    fc.array(tie("headerValue"), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom("a", "b", "10", "9", "__proto__"), tie("headerValue"), { maxKeys: 3 }),
  ),
}));

function rewritten(value: HeaderValue): HeaderValue {
  if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Date) return new Date(value);
  if (value instanceof Uint8Array) return Uint8Array.from(value);
  if (Array.isArray(value)) return value.map(rewritten);
  const entries = Object.entries(value).toReversed();
  return Object.fromEntries(entries.map(([name, inner]) => [name, rewritten(inner)]));
}
