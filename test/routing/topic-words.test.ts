import { expect, test } from "vitest";
import { topicWords } from "../../server/routing/topic-words.ts";

test.each([
  ["", []],
  [".", ["", ""]],
  ["a", ["a"]],
  ["a.", ["a", ""]],
  [".a", ["", "a"]],
  ["a..b", ["a", "", "b"]],
  ["a.*.#", ["a", "*", "#"]],
])("the words of %j are %j", (key, words) => {
  expect(topicWords(key)).toEqual(words);
});
