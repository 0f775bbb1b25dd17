import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DirectRouter } from "../../server/routing/direct-router.ts";
import { FanoutRouter } from "../../server/routing/fanout-router.ts";
import type { Router } from "../../server/routing/router.ts";
import { noFacts } from "./facts.ts";

function route(router: Router<string>, routingKey: string): Set<string> {
  const found = new Set<string>();
  router.match(routingKey, noFacts, found);
  return found;
}

const types: {
  name: string;
  create: () => Router<string>;
  naive: (bindingKey: string, routingKey: string) => boolean;
}[] = [
  {
    name: "direct",
    create: () => new DirectRouter(),
    naive: (bindingKey, routingKey) => bindingKey === routingKey,
  },
  { name: "fanout", create: () => new FanoutRouter(), naive: () => true },
];

describe.each(types)("a $name exchange", ({ create, naive }) => {
  test("routes like the naive matcher, through any sequence of binds and unbinds", () => {
    const key = fc.constantFrom("", "a", "b", "a.b", "#", "*");
    const binding = fc.record({
      key,
      args: fc.constantFrom(0, 1, 2),
      destination: fc.constantFrom("q1", "q2", "q3"),
    });
    fc.assert(
      fc.property(fc.array(fc.tuple(binding, key), { maxLength: 60, size: "max" }), (steps) => {
        const router = create();
        const model = new Map<string, { key: string; destination: string }>();
        for (const [binding, routingKey] of steps) {
          const identity = JSON.stringify(binding);
          if (model.delete(identity)) router.unbind(binding.key, { n: binding.args }, binding.destination);
          else {
            router.bind(binding.key, { n: binding.args }, binding.destination);
            model.set(identity, binding);
          }
          const expected = [...model.values()]
            .filter((bound) => naive(bound.key, routingKey))
            .map(({ destination }) => destination);
          expect(route(router, routingKey)).toEqual(new Set(expected));
        }
      }),
    );
  });

  test("ignores arguments, but keeps a destination until the last of its bindings is removed", () => {
    const router = create();
    router.bind("a", {}, "queue");
    router.bind("a", { "x-match": "nonsense" }, "queue");
    router.unbind("a", {}, "queue");
    expect(route(router, "a")).toEqual(new Set(["queue"]));
    router.unbind("a", { "x-match": "nonsense" }, "queue");
    expect(route(router, "a")).toEqual(new Set());
  });

  test("ignores the removal of a binding that is not there", () => {
    const router = create();
    router.bind("a", {}, "queue");
    router.unbind("a", {}, "another");
    expect(route(router, "a")).toEqual(new Set(["queue"]));
  });
});

test("a direct exchange takes wildcards literally and minds upper and lower case", () => {
  const router = new DirectRouter<string>();
  for (const key of ["#", "a.*", "a"]) router.bind(key, {}, key);
  expect(route(router, "a.b")).toEqual(new Set());
  expect(route(router, "A")).toEqual(new Set());
  expect(route(router, "#")).toEqual(new Set(["#"]));
});

test("a fanout exchange routes to a destination that is bound under any key, once", () => {
  const router = new FanoutRouter<string>();
  for (const key of ["", "a", "b"]) router.bind(key, {}, "queue");
  expect(route(router, "whatever")).toEqual(new Set(["queue"]));
  router.unbind("a", {}, "queue");
  router.unbind("", {}, "queue");
  expect(route(router, "a")).toEqual(new Set(["queue"]));
});
