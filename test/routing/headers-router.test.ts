import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Headers } from "../../protocol/header-value.ts";
import { HeadersRouter } from "../../server/routing/headers-router.ts";
import { factsOf } from "./facts.ts";
import { headersMatch, type LabelledHeaders, labelledValues } from "./naive-matchers.ts";

function route<D>(router: HeadersRouter<D>, headers: Headers, routingKey = ""): Set<D> {
  const found = new Set<D>();
  router.match(routingKey, factsOf(headers), found);
  return found;
}

function matches(args: Headers, headers: Headers): boolean {
  const router = new HeadersRouter<string>();
  router.bind("", args, "queue");
  return route(router, headers).has("queue");
}

describe("a headers binding", () => {
  const rows: { why: string; args: Headers; accepts: Headers[]; refuses: Headers[] }[] = [
    {
      why: "wants all criteria if it does not say",
      args: { a: 1, b: "x" },
      accepts: [
        { a: 1, b: "x" },
        { a: 1, b: "x", c: true },
      ],
      refuses: [{}, { a: 1 }, { b: "x" }, { a: 1, b: "y" }],
    },
    {
      why: "wants all criteria if it says all",
      args: { "x-match": "all", a: 1, b: "x" },
      accepts: [{ a: 1, b: "x" }],
      refuses: [{ a: 1 }, { "x-match": "all" }],
    },
    {
      why: "wants one criterion if it says any",
      args: { "x-match": "any", a: 1, b: "x" },
      accepts: [{ a: 1 }, { b: "x" }, { a: 1, b: "x" }, { a: 2, b: "x" }],
      refuses: [{}, { a: 2, b: "y" }, { c: 1 }, { "x-match": "any" }],
    },
    {
      why: "ignores x- criteria with all",
      args: { "x-match": "all", "x-a": 1, b: 2 },
      accepts: [{ b: 2 }, { b: 2, "x-a": 7 }],
      refuses: [{ "x-a": 1 }],
    },
    {
      why: "ignores x- criteria with any",
      args: { "x-match": "any", "x-a": 1, b: 2 },
      accepts: [{ b: 2 }],
      refuses: [{ "x-a": 1 }, {}],
    },
    {
      why: "wants x- criteria too with all-with-x",
      args: { "x-match": "all-with-x", "x-a": 1, b: 2 },
      accepts: [{ "x-a": 1, b: 2 }],
      refuses: [{ b: 2 }, { "x-a": 1 }, { "x-a": 2, b: 2 }],
    },
    {
      why: "accepts x- criteria too with any-with-x",
      args: { "x-match": "any-with-x", "x-a": 1, b: 2 },
      accepts: [{ "x-a": 1 }, { b: 2 }],
      refuses: [{}, { "x-a": 2, b: 3 }, { "x-match": "any-with-x" }],
    },
    {
      why: "with a null wants the header to exist, whatever it holds",
      args: { a: null },
      accepts: [{ a: null }, { a: 0 }, { a: "" }, { a: false }, { a: [] }],
      refuses: [{}, { b: 1 }],
    },
    {
      why: "with a null and any accepts a header that exists",
      args: { "x-match": "any", a: null, b: 1 },
      accepts: [{ a: 5 }, { b: 1 }],
      refuses: [{}, { b: 2 }],
    },
    { why: "without criteria accepts everything", args: {}, accepts: [{}, { a: 1 }], refuses: [] },
    {
      why: "without criteria accepts everything with all",
      args: { "x-match": "all" },
      accepts: [{}, { a: 1 }],
      refuses: [],
    },
    {
      why: "with only x- criteria has none, and accepts everything with all",
      args: { "x-match": "all", "x-a": 1 },
      accepts: [{}, { a: 1 }],
      refuses: [],
    },
    {
      why: "without criteria accepts nothing with any",
      args: { "x-match": "any" },
      accepts: [],
      refuses: [{}, { a: 1 }],
    },
    {
      why: "with only x- criteria has none, and accepts nothing with any",
      args: { "x-match": "any", "x-a": 1 },
      accepts: [],
      refuses: [{}, { "x-a": 1 }],
    },
    {
      why: "without criteria accepts everything with all-with-x",
      args: { "x-match": "all-with-x" },
      accepts: [{}],
      refuses: [],
    },
    {
      why: "without criteria accepts nothing with any-with-x",
      args: { "x-match": "any-with-x" },
      accepts: [],
      refuses: [{}, { "x-match": "any-with-x" }],
    },
    {
      why: "tells the integer 1 from the string, the boolean and the double beside it",
      args: { a: 1 },
      accepts: [{ a: 1 }, { a: 1n }],
      refuses: [{ a: "1" }, { a: true }, { a: 1.5 }, { a: null }, { a: [1] }, { A: 1 }],
    },
    {
      why: "compares lists and tables to any depth",
      args: { a: [1, { b: "x", c: new Uint8Array([1]) }] },
      accepts: [{ a: [1n, { c: new Uint8Array([1]), b: "x" }] }],
      refuses: [
        { a: [1, { b: "x" }] },
        { a: [1, { b: "x", c: new Uint8Array([2]) }] },
        { a: [{ b: "x", c: new Uint8Array([1]) }, 1] },
      ],
    },
    {
      why: "does not find what every object inherits",
      args: { constructor: null },
      accepts: [{ constructor: 1 }],
      refuses: [{}],
    },
  ];
  for (const { why, args, accepts, refuses } of rows) {
    test(why, () => {
      for (const headers of accepts) expect([headers, matches(args, headers)]).toEqual([headers, true]);
      for (const headers of refuses) expect([headers, matches(args, headers)]).toEqual([headers, false]);
    });
  }
});

const name = fc.constantFrom("a", "b", "x-c", "__proto__");
const labelledHeaders: fc.Arbitrary<LabelledHeaders> = fc.dictionary(
  name,
  fc.constantFrom(...labelledValues),
  {
    maxKeys: 3,
    noNullPrototype: false,
  },
);
const xMatch = fc.constantFrom(undefined, "all", "any", "all-with-x", "any-with-x");
const labelledArgs: fc.Arbitrary<LabelledHeaders> = fc
  .tuple(labelledHeaders, xMatch)
  .map(([args, mode]) =>
    mode === undefined ? args : { ...args, "x-match": { label: `string ${mode}`, value: mode } },
  );
const valuesOf = (labelled: LabelledHeaders): Headers =>
  Object.fromEntries(Object.entries(labelled).map(([name, { value }]) => [name, value]));

describe("a headers exchange", () => {
  test("routes like the naive matcher, through any sequence of binds and unbinds", () => {
    const binding = fc.record({
      key: fc.constantFrom("", "k"),
      args: labelledArgs,
      destination: fc.constantFrom("q1", "q2", "q3"),
    });
    const steps = fc.array(fc.record({ binding, repeat: fc.nat(3), headers: labelledHeaders }), {
      maxLength: 30,
      size: "max",
    });
    fc.assert(
      fc.property(steps, (steps) => {
        const router = new HeadersRouter<string>();
        const model = new Map<string, { key: string; args: LabelledHeaders; destination: string }>();
        for (const { binding, repeat, headers } of steps) {
          // Every fourth step or so removes a binding that is there.
          const { key, args, destination } = (repeat === 0 && [...model.values()].at(0)) || binding;
          const labels = Object.entries(args).map(([name, { label }]) => `${name}=${label}`);
          const identity = JSON.stringify([key, labels.toSorted(), destination]);
          if (model.delete(identity)) router.unbind(key, valuesOf(args), destination);
          else {
            router.bind(key, valuesOf(args), destination);
            model.set(identity, { key, args, destination });
          }
          const expected = [...model.values()]
            .filter((bound) => headersMatch(bound.args, headers))
            .map((bound) => bound.destination);
          expect(route(router, valuesOf(headers))).toEqual(new Set(expected));
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test("matches the headers of a binding whatever the routing keys", () => {
    const router = new HeadersRouter<string>();
    router.bind("some.key", { a: 1 }, "queue");
    expect(route(router, { a: 1 }, "another.key")).toEqual(new Set(["queue"]));
  });

  test("keeps a destination until the last of its bindings is removed, by key or by arguments", () => {
    const router = new HeadersRouter<string>();
    router.bind("one", { a: 1 }, "queue");
    router.bind("two", { a: 1 }, "queue");
    router.bind("one", { a: null }, "queue");
    router.unbind("one", { a: 1n }, "queue");
    expect(route(router, { a: 1 })).toEqual(new Set(["queue"]));
    router.unbind("one", { a: null }, "queue");
    expect(route(router, { a: 1 })).toEqual(new Set(["queue"]));
    router.unbind("two", { a: 1 }, "queue");
    expect(route(router, { a: 1 })).toEqual(new Set());
  });

  test("reads the headers of a message once, and not at all while it has no bindings", () => {
    const router = new HeadersRouter<string>();
    let reads = 0;
    const headers = () => {
      reads += 1;
      return {};
    };
    router.match("", { headers, property: () => undefined }, new Set());
    expect(reads).toBe(0);
    router.bind("", { a: 1 }, "q1");
    router.bind("", { b: 1 }, "q2");
    router.match("", { headers, property: () => undefined }, new Set());
    expect(reads).toBe(1);
  });

  test("ignores the removal of a binding that is not there", () => {
    const router = new HeadersRouter<string>();
    router.bind("", { a: 1 }, "queue");
    router.unbind("", { a: "1" }, "queue");
    router.unbind("", { a: 1 }, "another");
    expect(route(router, { a: 1 })).toEqual(new Set(["queue"]));
  });
});
