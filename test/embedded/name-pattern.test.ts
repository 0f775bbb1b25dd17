import fc from "fast-check";
import { expect, test } from "vitest";
import { NamePattern } from "../../server/embedded/name-pattern.ts";

test("a star stands for any text, and the whole name has to match", () => {
  const matching = (pattern: string, ...names: string[]) =>
    names.filter((name) => new NamePattern(pattern).matches(name));
  expect(matching("orders", "orders", "orders.new", "my-orders", "Orders")).toEqual(["orders"]);
  expect(matching("orders.*", "orders.new", "orders.", "orders", "old-orders.new")).toEqual([
    "orders.new",
    "orders.",
  ]);
  expect(matching("*.dlq", "a.dlq", ".dlq", "a.dlq2", "dlq")).toEqual(["a.dlq", ".dlq"]);
  expect(matching("a*b*c", "abc", "a-b-c", "abbc", "acb", "ac", "abcd")).toEqual(["abc", "a-b-c", "abbc"]);
  expect(matching("*", "", "anything")).toEqual(["", "anything"]);
  expect(matching("ab*ba", "aba", "abba", "ab-ba")).toEqual(["abba", "ab-ba"]);
  expect(matching("a.c(d)+", "abc", "a.c(d)+", "a.cdd")).toEqual(["a.c(d)+"]);
});

test("a pattern matches what the regular expression matches that says the same", () => {
  const text = (letters: string) => fc.string({ unit: fc.constantFrom(...letters), maxLength: 12 });
  fc.assert(
    fc.property(text("ab*"), text("ab"), (pattern, name) => {
      const wanted = new RegExp(`^${pattern.replaceAll("*", ".*")}$`).test(name);
      expect(new NamePattern(pattern).matches(name)).toBe(wanted);
    }),
    { numRuns: 5000 },
  );
});

test("no pattern takes long, whatever the name", () => {
  const pattern = new NamePattern("a*".repeat(127));
  const name = "a".repeat(126) + "b".repeat(129);
  const began = performance.now();
  for (let i = 0; i < 1000; i++) expect(pattern.matches(name)).toBe(false);
  expect(performance.now() - began).toBeLessThan(1000);
});
