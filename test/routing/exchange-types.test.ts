import { describe, expect, test } from "vitest";
import type { Headers } from "../../protocol/header-value.ts";
import {
  checkBinding,
  createRouter,
  type ExchangeType,
  exchangeTypes,
  isExchangeType,
} from "../../server/routing/exchange-types.ts";
import { factsOf, routerOptions } from "./facts.ts";

describe("the exchange types", () => {
  test("are direct, fanout, topic, headers, consistent-hash and random", () => {
    const types = ["direct", "fanout", "topic", "headers", "consistent-hash", "random"];
    expect(Object.keys(exchangeTypes)).toEqual(types);
  });

  test("are known by their exact names alone", () => {
    for (const type of Object.keys(exchangeTypes)) expect(isExchangeType(type)).toBe(true);
    for (const type of ["", "Topic", "x-random", "constructor", "__proto__", "toString"]) {
      expect(isExchangeType(type)).toBe(false);
    }
  });

  test.each([
    ["direct", { "k.1": ["exact", "again"], "k.2": [] }],
    ["fanout", { "k.1": ["exact", "again", "wild"], "k.2": ["exact", "again", "wild"] }],
    ["topic", { "k.1": ["exact", "again", "wild"], "k.2": ["wild"] }],
    ["headers", { "k.1": ["again"], "k.2": ["again"] }],
  ] as const)("%s routes by its own rule", (type, expected) => {
    const router = createRouter<string>(type, routerOptions());
    router.bind("k.1", { h: 1 }, "exact");
    router.bind("k.1", { h: 2 }, "again");
    router.bind("k.*", { h: 3 }, "wild");
    for (const [key, destinations] of Object.entries(expected)) {
      const found = new Set<string>();
      router.match(key, factsOf({ h: 2 }), found);
      expect([...found]).toEqual(destinations);
    }
  });

  test("all but headers and random depend on the routing key alone", () => {
    const keyOnly = Object.keys(exchangeTypes).filter(
      (type) => createRouter(type as ExchangeType, routerOptions()).keyOnly,
    );
    expect(keyOnly).toEqual(["direct", "fanout", "topic", "consistent-hash"]);
  });
});

describe("a binding to a headers exchange", () => {
  test.each<Headers>([{}, { a: 1 }, { "x-match": "all" }, { "x-match": "any" }, { "x-match": "all-with-x" }])(
    "is right with the arguments %j",
    (args) => expect(checkBinding("headers", "any key", args)).toBeUndefined(),
  );

  test("is right with x-match any-with-x", () => {
    expect(checkBinding("headers", "", { "x-match": "any-with-x", "x-a": 1 })).toBeUndefined();
  });

  test("is wrong with an x-match that does not exist, and the sentence names it and the ones that do", () => {
    expect(checkBinding("headers", "", { "x-match": "some" })).toBe(
      'Argument "x-match" must be one of all, any, all-with-x, any-with-x; it is "some".',
    );
    expect(checkBinding("headers", "", { "x-match": "All" })).toContain('"All"');
    expect(checkBinding("headers", "", { "x-match": "" })).toContain('""');
  });

  test.each([null, 1, true, ["all"], { all: 1 }])(
    "is wrong with an x-match of %j, which is no string",
    (value) => {
      expect(checkBinding("headers", "", { "x-match": value })).toBe(
        'Argument "x-match" must be one of all, any, all-with-x, any-with-x; it is not a string.',
      );
    },
  );
});

test.each(["direct", "fanout", "topic"] as const)(
  "a binding to a %s exchange may carry any arguments",
  (type) => {
    expect(checkBinding(type, "a.#.b", { "x-match": "nonsense", note: [1] })).toBeUndefined();
  },
);
