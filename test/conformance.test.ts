import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const text = readFileSync(new URL("../docs/conformance.md", import.meta.url), "utf8");
/** `file › describe › sentence`, the middle being optional. */
const references = [...text.matchAll(/`([^`]+ › [^`]+)`/g)].map((match) => match[1]!);

/** The file of a suite that many implementations share has no tests by itself and no `.test` in its name. */
function source(file: string): string | undefined {
  for (const ending of [".test.ts", ".ts"]) {
    const url = new URL(`${file}${ending}`, import.meta.url);
    if (existsSync(url)) return readFileSync(url, "utf8");
  }
  return undefined;
}

test("every test that the table of conformance names is there", () => {
  expect(references.length).toBeGreaterThan(100);
  const missing = references.filter((reference) => {
    const [file, ...names] = reference.split(" › ") as [string, ...string[]];
    const code = source(file);
    return !names.every((name) => code?.includes(JSON.stringify(name)));
  });
  expect(missing).toEqual([]);
});

test("every rule in the table has a test, or says that it is not built yet", () => {
  const rows = text.split("\n").filter((line) => /^\| (?!Rule |Promise )/.test(line));
  expect(rows.length).toBeGreaterThan(60);
  expect(rows.filter((row) => !row.includes(" › ") && !row.includes("**not built yet**"))).toEqual([]);
});
