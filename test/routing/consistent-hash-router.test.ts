import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { HashOn } from "../../protocol/arguments.ts";
import { ConsistentHashRouter, checkWeight } from "../../server/routing/consistent-hash-router.ts";
import type { MessageFacts } from "../../server/routing/routed-message.ts";
import { factsOf, noFacts, routerOptions } from "./facts.ts";

/** A router with these destinations, each bound with its weight. */
function routerOf(weights: { readonly [destination: string]: number }, hashOn?: HashOn) {
  const router = new ConsistentHashRouter<string>(routerOptions(hashOn === undefined ? {} : { hashOn }));
  for (const [destination, weight] of Object.entries(weights)) router.bind(String(weight), {}, destination);
  return router;
}

function route(router: ConsistentHashRouter<string>, key: string, facts: MessageFacts = noFacts): string {
  const found = new Set<string>();
  router.match(key, facts, found);
  expect(found.size).toBe(1);
  return [...found][0]!;
}

function routeAll(router: ConsistentHashRouter<string>, keys: readonly string[]): string[] {
  return keys.map((key) => route(router, key));
}

function countsOf(routes: readonly string[]): { [destination: string]: number } {
  const counts: { [destination: string]: number } = {};
  for (const destination of routes) counts[destination] = (counts[destination] ?? 0) + 1;
  return counts;
}

function equal(count: number): { [destination: string]: number } {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`queue:q${index}`, 1]));
}

const customers = Array.from({ length: 20_000 }, (_, index) => `customer-${index}`);

const weights = fc.dictionary(
  fc.string({ minLength: 1, maxLength: 6 }),
  fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 1000 })),
  { minKeys: 1, maxKeys: 12, noNullPrototype: true },
);
const someKeys = fc.array(fc.string({ maxLength: 12 }), { minLength: 50, maxLength: 50 });

describe("a consistent-hash exchange", () => {
  test("sends each key one way, whatever was bound and unbound before, and in whatever order", () => {
    fc.assert(
      fc.property(weights, weights, someKeys, fc.infiniteStream(fc.nat()), (wanted, others, keys, order) => {
        const router = new ConsistentHashRouter<string>(routerOptions());
        const steps = [
          ...Object.entries(others).map(([name, weight]) => ({ name, weight, isOther: true })),
          ...Object.entries(wanted).map(([name, weight]) => ({ name, weight, isOther: false })),
        ];
        const shuffled = steps
          .map((step) => ({ step, at: order.next().value }))
          .toSorted((a, b) => a.at - b.at);
        for (const { step } of shuffled) router.bind(String(step.weight), {}, step.name);
        for (const { step } of shuffled) {
          if (step.isOther) router.unbind(String(step.weight), {}, step.name);
        }
        expect(routeAll(router, keys)).toEqual(routeAll(routerOf(wanted), keys));
      }),
    );
  });

  test("moves a key to a destination that comes, or away from one that goes, and no other", () => {
    fc.assert(
      fc.property(weights, fc.integer({ min: 1, max: 1000 }), someKeys, (before, weight, keys) => {
        fc.pre(!Object.hasOwn(before, "the new one"));
        const router = routerOf(before);
        const former = routeAll(router, keys);
        router.bind(String(weight), {}, "the new one");
        const between = routeAll(router, keys);
        for (const [index, destination] of between.entries()) {
          if (destination !== former[index]) expect(destination).toBe("the new one");
        }
        router.unbind(String(weight), {}, "the new one");
        expect(routeAll(router, keys)).toEqual(former);
      }),
    );
  });

  test("moves about one key in n when the nth destination comes", () => {
    for (const count of [1, 2, 5, 10, 50]) {
      const former = routeAll(routerOf(equal(count)), customers);
      const after = routeAll(routerOf(equal(count + 1)), customers);
      const moved = former.filter((destination, index) => destination !== after[index]).length;
      const expected = customers.length / (count + 1);
      // Five standard deviations.
      expect(Math.abs(moved - expected)).toBeLessThan(5 * Math.sqrt(expected));
    }
  });

  test("spreads keys evenly, however they are made", () => {
    const waysToMakeKeys = [
      (index: number) => `customer-${index}`,
      (index: number) => `${index}`,
      (index: number) => `order.germany.${index}.placed`,
      (index: number) => String.fromCodePoint(0x4e00 + index),
      (index: number) => "x".repeat(index % 256) + Math.floor(index / 256),
    ];
    for (const keyOf of waysToMakeKeys) {
      for (const count of [2, 3, 20]) {
        const keys = Array.from({ length: 20_000 }, (_, index) => keyOf(index));
        const counts = Object.values(countsOf(routeAll(routerOf(equal(count)), keys)));
        const expected = keys.length / count;
        // By chance alone no share is five standard deviations off more than once in a million.
        for (const share of counts) expect(Math.abs(share - expected)).toBeLessThan(5 * Math.sqrt(expected));
        expect(counts.length).toBe(count);
      }
    }
  });

  test("gives each destination a share like its weight", () => {
    const shares = { a: 1, b: 2, c: 3, d: 3, e: 91 };
    const counts = countsOf(routeAll(routerOf(shares), customers));
    for (const [destination, weight] of Object.entries(shares)) {
      const expected = (customers.length * weight) / 100;
      expect(Math.abs(counts[destination]! - expected)).toBeLessThan(5 * Math.sqrt(expected));
    }
  });

  test("adds up the weights of several bindings of one destination", () => {
    const router = routerOf({ a: 2, b: 5 });
    router.bind("3", {}, "a");
    router.bind("3", { note: "another binding" }, "a");
    const keys = customers.slice(0, 2_000);
    expect(routeAll(router, keys)).toEqual(routeAll(routerOf({ a: 8, b: 5 }), keys));
    router.unbind("3", {}, "a");
    router.unbind("2", {}, "a");
    expect(routeAll(router, keys)).toEqual(routeAll(routerOf({ a: 3, b: 5 }), keys));
  });

  test("leads nowhere without bindings, and takes no notice of an unbinding of what is not bound", () => {
    const router = routerOf({ a: 1 });
    router.unbind("1", {}, "b");
    expect(route(router, "key")).toBe("a");
    router.unbind("1", {}, "a");
    const found = new Set<string>();
    router.match("key", noFacts, found);
    expect(found).toEqual(new Set());
  });

  // Orders of one customer must find the queue that the earlier ones are in, after any update of the broker.
  test("sends these keys where it always has", () => {
    const router = routerOf({ "queue:a": 1, "queue:b": 1, "queue:c": 2, "exchange:a": 3 });
    const ways = {
      "": "exchange:a",
      a: "exchange:a",
      b: "queue:a",
      "order.1": "queue:b",
      "order.2": "queue:c",
      "order.3": "exchange:a",
      straße: "queue:a",
      "😀": "queue:c",
      ["x".repeat(255)]: "exchange:a",
      "customer-7": "queue:c",
    };
    for (const [key, way] of Object.entries(ways)) expect([key, route(router, key)]).toEqual([key, way]);
  });
});

describe("what a consistent-hash exchange goes by", () => {
  const destinations = equal(7);
  const byKey = (key: string) => route(routerOf(destinations), key);

  test("is the routing key, or a header or property, and then not the routing key", () => {
    const byHeader = routerOf(destinations, { by: "header", name: "customer" });
    const byProperty = routerOf(destinations, { by: "property", name: "correlationId" });
    expect([byHeader.keyOnly, byProperty.keyOnly, routerOf({}).keyOnly]).toEqual([false, false, true]);
    for (const text of customers.slice(0, 200)) {
      const expected = byKey(text);
      expect(route(byHeader, "key", factsOf({ customer: text, other: 1 }))).toBe(expected);
      expect(route(byProperty, "key", factsOf({}, { correlationId: text, messageId: "m" }))).toBe(expected);
    }
  });

  test("is the same for all messages that have no such header or property", () => {
    for (const hashOn of [
      { by: "header", name: "toString" },
      { by: "property", name: "messageId" },
    ] as const) {
      const router = routerOf(destinations, hashOn);
      for (const key of ["a", "b", "c"]) expect(route(router, key, factsOf({ other: key }))).toBe(byKey(""));
    }
  });

  test("can be a header of any type, equal values going the same way", () => {
    const router = routerOf(equal(50), { by: "header", name: "h" });
    const ways = (...values: (number | bigint | boolean | null | Date | Uint8Array | readonly number[])[]) =>
      new Set(values.map((value) => route(router, "", factsOf({ h: value })))).size;
    expect(ways(5, 5n)).toBe(1);
    expect(ways(new Date(7), new Date(7))).toBe(1);
    expect(ways(new Uint8Array([1, 2]), new Uint8Array([1, 2]))).toBe(1);
    expect(ways([1, 2], [1, 2])).toBe(1);
    expect(ways(...Array.from({ length: 100 }, (_, index) => index))).toBeGreaterThan(30);
    expect(ways(true, false, null, 0, 1)).toBeGreaterThan(1);
  });
});

describe("the weight of a binding", () => {
  test.each(["1", "2", "10", "999", "1000"])("may be %s", (weight) => {
    expect(checkWeight(weight)).toBeUndefined();
  });

  test.each(["", "0", "1001", "-1", "1.5", "01", "1e2", " 1", "1 ", "one", "١", "99999"])(
    "may not be %j",
    (weight) => {
      expect(checkWeight(weight)).toContain(`a whole number from 1 to 1000; it is ${JSON.stringify(weight)}`);
    },
  );
});
