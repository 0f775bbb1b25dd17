import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Headers } from "../../protocol/header-value.ts";
import { TopicRouter } from "../../server/routing/topic-router.ts";
import { hashWord } from "../../server/routing/word-hash.ts";
import { noFacts } from "./facts.ts";
import { topicMatches } from "./naive-matchers.ts";

function route<D>(router: TopicRouter<D>, routingKey: string): Set<D> {
  const found = new Set<D>();
  router.match(routingKey, noFacts, found);
  return found;
}

function matches(bindingKey: string, routingKey: string): boolean {
  const router = new TopicRouter<string>({ random: Math.random });
  router.bind(bindingKey, {}, "queue");
  return route(router, routingKey).has("queue");
}

describe("a topic binding", () => {
  const rows: { binding: string; accepts: string[]; refuses: string[] }[] = [
    { binding: "#", accepts: ["", "a", "a.b", ".", "..", "a..b", "#", "*"], refuses: [] },
    { binding: "*", accepts: ["a", "#", "*"], refuses: ["", "a.b", "."] },
    { binding: "a.#", accepts: ["a", "a.b", "a.b.c", "a."], refuses: ["", "ab", "b.a"] },
    { binding: "#.a", accepts: ["a", "x.a", "x.y.a", ".a"], refuses: ["a.x", "", "xa", "a."] },
    { binding: "a.#.b", accepts: ["a.b", "a.x.b", "a.x.y.b", "a.b.b"], refuses: ["a", "b", "a.bx", "ab"] },
    { binding: "a.*.b", accepts: ["a.x.b", "a..b"], refuses: ["a.b", "a.x.y.b"] },
    { binding: "*.#", accepts: ["a", "a.b", "a.b.c", ".", "a."], refuses: [""] },
    { binding: "#.*", accepts: ["a", "a.b", "a.b.c", ".", "a."], refuses: [""] },
    { binding: "#.*.#", accepts: ["a", "a.b", "a.b.c", "."], refuses: [""] },
    { binding: "", accepts: [""], refuses: ["a", ".", "*", "#"] },
    { binding: "a.", accepts: ["a."], refuses: ["a", "a..", "a.b", ".a"] },
    { binding: "a.#.b.#.c", accepts: ["a.b.c", "a.b.b.c", "a.x.b.y.z.c"], refuses: ["a.c", "a.b", "a.c.b"] },
    // Two empty words, not one and not none.
    { binding: ".", accepts: ["."], refuses: ["", "..", "a.", ".a"] },
    { binding: "*.*", accepts: [".", "a.", ".a", "a.b"], refuses: ["", "a", ".."] },
    { binding: "#.#", accepts: ["", "a", "a.b", "."], refuses: [] },
    { binding: "#.#.*.*", accepts: ["a.b", "a.b.c", "."], refuses: ["", "a"] },
    // Wildcards are whole words only.
    { binding: "a*", accepts: ["a*"], refuses: ["a", "ab", "a.b"] },
    { binding: "*a.b", accepts: ["*a.b"], refuses: ["a.b", "xa.b", "x.a.b"] },
    { binding: "a#b", accepts: ["a#b"], refuses: ["ab", "axb", "a.b"] },
    { binding: "**", accepts: ["**"], refuses: ["a", "a.b", "*"] },
    { binding: "##", accepts: ["##"], refuses: ["", "a", "#"] },
    { binding: "a.b", accepts: ["a.b"], refuses: ["A.b", "a.B", "a.*", "a.#", "a.b.", ".a.b", "a"] },
    { binding: "straße.*", accepts: ["straße.ü", "straße.😀"], refuses: ["strasse.ü", "straße"] },
    { binding: "__proto__.*", accepts: ["__proto__.constructor"], refuses: ["constructor.a"] },
  ];
  for (const { binding, accepts, refuses } of rows) {
    for (const key of accepts) {
      test(`"${binding}" matches "${key}"`, () => expect(matches(binding, key)).toBe(true));
    }
    for (const key of refuses) {
      test(`"${binding}" does not match "${key}"`, () => expect(matches(binding, key)).toBe(false));
    }
  }
});

/** Few words and short keys, so that bindings meet; empty words and wildcards in messages included. */
const wordOf = (...words: string[]) => fc.constantFrom(...words);
const keyOf = (word: fc.Arbitrary<string>, maxWords: number) =>
  fc.array(word, { maxLength: maxWords }).map((words) => words.join("."));
const bindingKey = keyOf(wordOf("a", "b", "", "*", "#", "#", "a*"), 6);
const routingKey = keyOf(wordOf("a", "b", "", "*", "#", "a*"), 8);
const binding = fc.record({
  key: bindingKey,
  args: wordOf("", "one", "two"),
  destination: wordOf("q1", "q2", "q3", "q4"),
});

type Binding = { key: string; args: string; destination: string };
const argsOf = ({ args }: Binding): Headers => (args === "" ? {} : { note: args });
const identityOf = ({ key, args, destination }: Binding): string => JSON.stringify([key, args, destination]);

describe("a topic exchange", () => {
  test("routes like the naive matcher, through any sequence of binds and unbinds, and ends with an empty trie", () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ kind: fc.constant("toggle" as const), binding }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("unbind" as const), nth: fc.nat() }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant("route" as const), key: routingKey }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
        const router = new TopicRouter<string>({ random: Math.random });
        const model = new Map<string, Binding>();
        const remove = (identity: string, gone: Binding) => {
          router.unbind(gone.key, argsOf(gone), gone.destination);
          model.delete(identity);
        };
        for (const next of steps) {
          if (next.kind === "route") {
            const expected = [...model.values()]
              .filter(({ key }) => topicMatches(key, next.key))
              .map(({ destination }) => destination);
            expect(route(router, next.key)).toEqual(new Set(expected));
          } else if (next.kind === "unbind") {
            const entry = [...model][model.size === 0 ? 0 : next.nth % model.size];
            if (entry !== undefined) remove(...entry);
          } else {
            const identity = identityOf(next.binding);
            if (model.has(identity)) remove(identity, next.binding);
            else {
              router.bind(next.binding.key, argsOf(next.binding), next.binding.destination);
              model.set(identity, next.binding);
            }
          }
          const keys = [...model.values()].map(({ key }) => key);
          expect(router.nodeCount).toBeLessThanOrEqual(prefixesOf(keys).size);
        }
        for (const entry of [...model]) remove(...entry);
        expect(router.nodeCount).toBe(0);
      }),
      { numRuns: 1_000 },
    );
  });

  test("hands over a destination once for each binding key that matches it at most, however it was reached", () => {
    const keys = ["#", "#.#", "#.#.#", "#.a", "#.a.#", "#.a.#.a", "*.#", "#.*", "#.*.#", "a.#.#.a"];
    const router = new TopicRouter<string>({ random: Math.random });
    for (const key of keys) router.bind(key, {}, key);
    const handedOver: string[] = [];
    class Recording extends Set<string> {
      override add(destination: string): this {
        handedOver.push(destination);
        return super.add(destination);
      }
    }
    router.match("a.a.a.b.a.a", noFacts, new Recording());
    expect(handedOver.toSorted()).toEqual(keys.toSorted());
  });

  test("keeps a destination until the last of several bindings with the same key is removed", () => {
    const router = new TopicRouter<string>({ random: Math.random });
    router.bind("a.*", { note: 1 }, "queue");
    router.bind("a.*", { note: 2 }, "queue");
    router.unbind("a.*", { note: 1 }, "queue");
    expect(route(router, "a.b")).toEqual(new Set(["queue"]));
    router.unbind("a.*", { note: 2 }, "queue");
    expect(route(router, "a.b")).toEqual(new Set());
    expect(router.nodeCount).toBe(0);
  });

  test("leaves everything as it is when a binding is removed that is not there", () => {
    const router = new TopicRouter<string>({ random: Math.random });
    router.bind("a.b.c", {}, "queue");
    for (const key of ["a", "a.b", "a.b.c.d", "x", "", "*", "#", "a.#"]) router.unbind(key, {}, "queue");
    router.unbind("a.b.c", {}, "another");
    expect(route(router, "a.b.c")).toEqual(new Set(["queue"]));
    expect(router.nodeCount).toBe(1);
  });

  test("adds to the destinations that were found before", () => {
    const router = new TopicRouter<string>({ random: Math.random });
    router.bind("a", {}, "q2");
    const found = new Set(["q1"]);
    router.match("a", noFacts, found);
    expect(found).toEqual(new Set(["q1", "q2"]));
  });

  test("matches long keys against bindings with 60 # without backtracking", () => {
    const bindings = [
      Array(60).fill("#.a").join("."),
      Array(60).fill("#.a.*").join("."),
      `${Array(60).fill("#.a").join(".")}.b`,
      `b.${Array(60).fill("#.a").join(".")}`,
      Array(128).fill("#").join("."),
      Array(60).fill("#.*").join("."),
    ];
    const router = new TopicRouter<string>({ random: Math.random });
    for (const key of bindings) router.bind(key, {}, key);
    const keys = [
      Array(128).fill("a"),
      [...Array(127).fill("a"), "b"],
      ["b", ...Array(127).fill("a")],
      Array(59).fill("a"),
      Array.from({ length: 128 }, (_, index) => (index % 3 === 0 ? "b" : "a")),
      Array(128).fill(""),
    ].map((words) => words.join("."));
    for (const key of keys) {
      expect(route(router, key)).toEqual(new Set(bindings.filter((pattern) => topicMatches(pattern, key))));
    }
  });

  test("tells words apart that have the same hash", () => {
    const byHash = new Map<number, string>();
    const pairs: [string, string][] = [];
    for (let number = 0; pairs.length < 4; number++) {
      const word = `w${number}`;
      const hash = hashWord(word, 0, word.length, 0);
      const other = byHash.get(hash);
      if (other === undefined) byHash.set(hash, word);
      else pairs.push([other, word]);
    }
    const words = pairs.flat();
    // With a `random` of 0 the router's seed is 0.
    const router = new TopicRouter<string>({ random: () => 0 });
    const check = (bound: readonly string[]) => {
      for (const word of words) {
        for (const key of [word, `${word}.x`, `a.${word}`])
          expect(route(router, key)).toEqual(new Set(bound.includes(word) ? [`${word} as ${key}`] : []));
      }
    };
    const bindAll = (word: string, action: "bind" | "unbind") => {
      for (const key of [word, `${word}.x`, `a.${word}`]) router[action](key, {}, `${word} as ${key}`);
    };
    for (const [index, word] of words.entries()) {
      bindAll(word, "bind");
      check(words.slice(0, index + 1));
    }
    // In another order than they came, so that each is once the first of a pair, and once the second.
    const leaving = [
      ...words.filter((_, index) => index % 4 < 2).toReversed(),
      ...words.filter((_, index) => index % 4 > 1),
    ];
    for (const [index, word] of leaving.entries()) {
      bindAll(word, "unbind");
      check(leaving.slice(index + 1));
    }
    expect(router.nodeCount).toBe(0);
  });

  test("accepts binding keys and messages of nothing but 255 dots", () => {
    const dots = ".".repeat(255);
    const router = new TopicRouter<string>({ random: Math.random });
    router.bind(dots, {}, "queue");
    router.bind(`${dots.slice(1)}#`, {}, "another queue");
    expect(router.nodeCount).toBe(256);
    expect(route(router, dots)).toEqual(new Set(["queue", "another queue"]));
    expect(route(router, dots.slice(1))).toEqual(new Set(["another queue"]));
    router.unbind(dots, {}, "queue");
    router.unbind(`${dots.slice(1)}#`, {}, "another queue");
    expect(router.nodeCount).toBe(0);
  });
});

/** The trie has at most one node for every beginning that binding keys have in words. */
function prefixesOf(keys: readonly string[]): Set<string> {
  const prefixes = new Set<string>();
  for (const key of keys) {
    const words = key === "" ? [] : key.split(".");
    for (let length = 1; length <= words.length; length++)
      prefixes.add(JSON.stringify(words.slice(0, length)));
  }
  return prefixes;
}
