import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RouteCache } from "../../server/routing/route-cache.ts";

describe("a route cache", () => {
  test("returns what was remembered, the same array each time", () => {
    const cache = new RouteCache<string>();
    const remembered = cache.set("key", new Set(["q1", "q2"]));
    expect(remembered).toEqual(["q1", "q2"]);
    expect(cache.get("key")).toBe(remembered);
    expect(cache.get("key")).toBe(remembered);
    expect(cache.get("another")).toBeUndefined();
  });

  test("remembers that a key leads nowhere", () => {
    const cache = new RouteCache<string>();
    cache.set("key", []);
    expect(cache.get("key")).toEqual([]);
  });

  test("does not follow later changes of what it was given, and nobody can change what it returns", () => {
    const cache = new RouteCache<string>();
    const found = new Set(["q1"]);
    cache.set("key", found);
    found.add("q2");
    expect(cache.get("key")).toEqual(["q1"]);
    expect(() => (cache.get("key") as string[]).push("q3")).toThrow(TypeError);
  });

  test("forgets everything when it is cleared", () => {
    const cache = new RouteCache<number>({ maxKeys: 4 });
    for (let key = 0; key < 4; key++) cache.set(`${key}`, [key]);
    cache.clear();
    for (let key = 0; key < 4; key++) expect(cache.get(`${key}`)).toBeUndefined();
    cache.set("0", [7]);
    expect(cache.get("0")).toEqual([7]);
  });

  test("keeps the keys that are asked for and forgets the others when it is full", () => {
    const cache = new RouteCache<number>({ maxKeys: 10 });
    cache.set("busy", [1]);
    cache.set("idle", [2]);
    for (let key = 0; key < 100; key++) {
      cache.set(`${key}`, []);
      expect(cache.get("busy")).toEqual([1]);
    }
    expect(cache.get("idle")).toBeUndefined();
  });

  test("remembers at least half as many of the latest keys as its limit says, and never more than it", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 40 }),
        fc.array(fc.nat(60), { maxLength: 200 }),
        (maxKeys, keys) => {
          const cache = new RouteCache<number>({ maxKeys });
          for (const key of keys) {
            if (cache.get(`${key}`) === undefined) cache.set(`${key}`, [key]);
          }
          const latest = [...new Set(keys.toReversed())].slice(0, Math.floor(maxKeys / 2));
          for (const key of latest) expect(cache.get(`${key}`)).toEqual([key]);
          const kept = [...new Set(keys)].filter((key) => cache.get(`${key}`) !== undefined);
          expect(kept.length).toBeLessThanOrEqual(maxKeys);
        },
      ),
    );
  });

  test("forgets keys early when they lead to very many destinations", () => {
    const cache = new RouteCache<number>({ maxDestinations: 200 });
    const twenty = Array.from({ length: 20 }, (_, index) => index);
    const keys = Array.from({ length: 1_000 }, (_, key) => `${key}`);
    const latestFive = keys.slice(-5);
    for (const key of keys) {
      cache.set(key, twenty);
      if (key === "500") cache.clear();
    }
    expect(latestFive.filter((key) => cache.get(key) !== undefined)).toEqual(latestFive);
    expect(keys.filter((key) => cache.get(key) !== undefined).length).toBeLessThanOrEqual(10);
  });

  test("starts counting anew when it is cleared", () => {
    const cache = new RouteCache<number>({ maxDestinations: 8 });
    cache.set("before", [1, 2, 3, 4]);
    cache.clear();
    for (const key of ["a", "b", "c", "d"]) cache.set(key, [1]);
    cache.set("e", [1, 2, 3, 4]);
    // With "before" still counted, "a" would have been pushed out by now.
    expect(cache.get("a")).toEqual([1]);
  });

  test("remembers a key that leads to more destinations than its limit", () => {
    const cache = new RouteCache<number>({ maxDestinations: 4 });
    cache.set("wide", [1, 2, 3, 4, 5, 6]);
    expect(cache.get("wide")).toEqual([1, 2, 3, 4, 5, 6]);
    cache.set("next", [1]);
    cache.set("after", [2, 3]);
    expect(cache.get("wide")).toBeUndefined();
  });
});

describe("where no key comes twice", () => {
  const newKeys = (cache: RouteCache<string>, count: number) => {
    for (let key = 0; key < count; key++)
      if (cache.get(`new ${key}`) === undefined) cache.set(`new ${key}`, ["q"]);
  };

  test("nothing is remembered for a while, and then again", () => {
    const cache = new RouteCache<string>();
    newKeys(cache, 1100);
    expect(cache.set("a", ["q"])).toEqual(["q"]);
    expect(cache.get("a")).toBeUndefined();
    newKeys(cache, 10_000);
    cache.set("a", ["q"]);
    expect(cache.get("a")).toEqual(["q"]);
  });

  test("what is remembered from before is not taken for true after a change", () => {
    const cache = new RouteCache<string>();
    cache.set("a", ["old"]);
    newKeys(cache, 1100);
    cache.clear();
    newKeys(cache, 10_000);
    expect(cache.get("a")).toBeUndefined();
  });
});
