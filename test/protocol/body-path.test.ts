import { expect, test } from "vitest";
import { parseBodyPath, valueAt } from "../../protocol/body-path.ts";

const body = { a: { b: [1, { c: null }], "d e": "x", 'q"': 2, ü: 3 }, length: 4, "": 5 };

test.each([
  ["$", body],
  ["$.a.b[0]", 1],
  ["$.a.b[1].c", null],
  ['$.a["d e"]', "x"],
  ['$["a"]["q\\""]', 2],
  ["$.a.ü", 3],
  ["$.length", 4],
  ['$[""]', 5],
])("%s leads to %j", (path, value) => {
  expect(valueAt(body, parseBodyPath(path))).toEqual(value);
});

test.each([
  "$.b",
  "$.a.b[2]",
  "$.a.b.length",
  "$.a[0]",
  "$.toString",
  "$.__proto__",
  "$.a.b[1].c.d",
  '$["a.b"]',
])("there is nothing at %s", (path) => {
  expect(valueAt(body, parseBodyPath(path))).toBeUndefined();
});

test.each([
  "",
  "a",
  "$a",
  "$.",
  "$..a",
  "$.*",
  "$[*]",
  "$[01]",
  "$[-1]",
  "$[1",
  "$['a']",
  "$.a b",
  '$["\\x"]',
  "$.a()",
  "$[?(1)]",
])("%j is not a path", (path) => {
  expect(() => parseBodyPath(path)).toThrow(expect.objectContaining({ code: "invalid-argument" }));
});

test("a path has at most 32 steps", () => {
  expect(parseBodyPath(`$${".a".repeat(32)}`)).toHaveLength(32);
  expect(() => parseBodyPath(`$${".a".repeat(33)}`)).toThrow("more than 32 steps");
});
