import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { patternMatches } from "../../server/routing/topic-pattern.ts";
import { wordsMatch } from "./naive-matchers.ts";

const wordsOf = (...words: string[]) => fc.array(fc.constantFrom(...words), { maxLength: 8 });

describe("one binding key by itself", () => {
  test("matches as the naive matcher says, from any word of the routing key on", () => {
    // One word at least: a pattern of none has no place among texts, as "" is one empty word.
    const pattern = wordsOf("a", "b", "", "*", "#", "#", "a*").filter((words) => words.length > 0);
    const key = wordsOf("a", "b", "", "*", "#", "aa").filter((words) => words.length > 0);
    fc.assert(
      fc.property(pattern, key, fc.nat(), (patternWords, keyWords, skipped) => {
        const skip = skipped % (keyWords.length + 1);
        const start = keyWords.slice(0, skip).reduce((length, word) => length + word.length + 1, 0);
        const expected = wordsMatch(patternWords, keyWords.slice(skip));
        expect(patternMatches(patternWords.join("."), 0, keyWords.join("."), start)).toBe(expected);
      }),
      { numRuns: 2_000 },
    );
  });

  test("does not backtrack: 60 # on 128 words take no time worth measuring", () => {
    const pattern = `${Array(60).fill("#.a").join(".")}.b`;
    const key = Array(128).fill("a").join(".");
    const started = performance.now();
    for (let time = 0; time < 100; time++) expect(patternMatches(pattern, 0, key, 0)).toBe(false);
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});
