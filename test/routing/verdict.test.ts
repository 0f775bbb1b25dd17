import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Headers } from "../../protocol/header-value.ts";
import { createRouter, type ExchangeType } from "../../server/routing/exchange-types.ts";
import type { RoutedMessage } from "../../server/routing/routed-message.ts";
import { judge, type Verdict } from "../../server/routing/verdict.ts";
import { messageOf, routerOptions } from "./facts.ts";

function verdictOn(
  type: ExchangeType,
  routingKey: string,
  message: RoutedMessage,
  args: Headers = {},
  rest: { isPicked?: boolean; destinationCount?: number } = {},
): Verdict {
  return judge(type, {
    routingKey,
    arguments: args,
    message,
    isPicked: true,
    destinationCount: 1,
    ...rest,
  });
}

describe("the verdict on a binding", () => {
  test("is what a router with that binding does", () => {
    const word = fc.constantFrom("a", "b", "", "*", "#", "#");
    const key = fc.array(word, { maxLength: 5 }).map((words) => words.join("."));
    const headers = fc.dictionary(fc.constantFrom("x", "x-y"), fc.constantFrom(1, 2), {
      noNullPrototype: true,
    });
    const args = fc
      .tuple(headers, fc.constantFrom("all", "any", "all-with-x", "any-with-x"))
      .map(([criteria, mode]): Headers => ({ ...criteria, "x-match": mode }));
    const type = fc.constantFrom<ExchangeType>("direct", "fanout", "topic", "headers");
    fc.assert(
      fc.property(type, key, args, key, fc.array(key, { maxLength: 2 }), headers, (...drawn) => {
        const [exchangeType, bindingKey, bindingArgs, routingKey, copyKeys, fields] = drawn;
        const router = createRouter<string>(exchangeType, routerOptions());
        router.bind(bindingKey, bindingArgs, "queue");
        const message = messageOf(routingKey, fields, copyKeys);
        const found = new Set<string>();
        for (const one of [routingKey, ...copyKeys]) router.match(one, message, found);
        const { outcome, reason } = verdictOn(exchangeType, bindingKey, message, bindingArgs);
        expect(outcome).toBe(found.has("queue") ? "matched" : "not-matched");
        expect(reason).toMatch(/^[A-Z].*\.$/);
      }),
      { numRuns: 3_000 },
    );
  });

  test.each([
    ["a.b", "a.c", 'Word 2 is "c", not "b".'],
    ["a.b", "a", "The pattern wants 2 words, the routing key has 1."],
    ["a", "a.b.c", "The pattern wants 1 word, the routing key has 3."],
    ["", "a", "The pattern wants 0 words, the routing key has 1."],
    ["*", "", "The pattern wants 1 word, the routing key has 0."],
    ["a.*.c", "a.b.d", 'Word 3 is "d", not "c".'],
    ["a.#", "b.c", 'Word 1 is "b", not "a".'],
    ["#.a", "b.c", 'Word 2 is "c", not "a".'],
    ["*.#.b.c", "x.y.b.z.c", 'Word 4 is "z", not "b".'],
    ["a.#.b.c", "a.b", "The pattern wants at least 3 words, the routing key has 2."],
    ["#.a.#.b.#", "b.a", "The words between two # of the pattern are not there in this order."],
    ["a.b", "A.b", 'Word 1 is "A", not "a".'],
  ])("says why the pattern %j does not fit %j", (pattern, key, reason) => {
    expect(verdictOn("topic", pattern, messageOf(key))).toEqual({ outcome: "not-matched", reason });
  });

  test.each([
    [{ a: 1, "x-match": "all" }, {}, 'The header "a" is missing.'],
    [{ a: 1, "x-match": "all" }, { a: "1" }, 'The header "a" has another value.'],
    [{ a: 1, b: null }, { a: 1, b: 2 }, "All headers are as the binding asks."],
    [{ a: 1, b: 2, "x-match": "any" }, { b: 2 }, 'The header "b" is as the binding asks.'],
    [{ a: 1, b: 2, "x-match": "any" }, { a: 2 }, "No header is as the binding asks."],
    [{ "x-match": "any", "x-a": 1 }, { "x-a": 1 }, "The binding asks for no header."],
  ] as const)("says why the headers asked for by %j are there in %j or not", (args, headers, reason) => {
    expect(verdictOn("headers", "", messageOf("", headers), args).reason).toBe(reason);
  });

  test("names the further key that matches", () => {
    const message = messageOf("a", {}, ["b", "c.d"]);
    expect(verdictOn("direct", "a", message).reason).toBe("The routing key is the binding's.");
    expect(verdictOn("direct", "b", message).reason).toBe('The further routing key "b" is the binding\'s.');
    expect(verdictOn("direct", "x", message).reason).toBe("The routing keys are not the binding's.");
    expect(verdictOn("topic", "c.#", message).reason).toBe('The further routing key "c.d" fits the pattern.');
    expect(verdictOn("topic", "x", message).reason).toBe("None of the routing keys fits the pattern.");
  });

  test("says what a draw and a hash do", () => {
    const message = messageOf("a");
    expect(verdictOn("random", "", message, {}, { destinationCount: 3 })).toEqual({
      outcome: "chance",
      reason: "One of 3 destinations is drawn for each message.",
    });
    expect(verdictOn("random", "", message)).toMatchObject({ outcome: "matched" });
    expect(verdictOn("consistent-hash", "1", message, {}, { destinationCount: 3 })).toEqual({
      outcome: "matched",
      reason: "The hash picks this one of 3 destinations.",
    });
    expect(verdictOn("consistent-hash", "1", message, {}, { destinationCount: 3, isPicked: false })).toEqual({
      outcome: "not-matched",
      reason: "The hash picks another one of 3 destinations.",
    });
  });
});
