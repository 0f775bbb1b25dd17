import { describe, expect, test } from "vitest";
import {
  type ErrorCode,
  type ErrorRow,
  errorCatalogue,
  errorCodeByNumber,
  errorNumber,
  mayReconnect,
  PosthornError,
} from "../../protocol/errors.ts";

const rows = Object.entries(errorCatalogue) as [ErrorCode, ErrorRow][];

describe("the catalogue of errors", () => {
  test("uses no number and no close code twice", () => {
    const numbers = rows.map(([, row]) => row.number);
    expect(new Set(numbers).size).toBe(numbers.length);
    const closeCodes = rows.flatMap(([, row]) => row.closeCode ?? []);
    expect(new Set(closeCodes).size).toBe(closeCodes.length);
  });

  test("keeps 0 free, which means confirmed", () => {
    for (const [code, row] of rows) expect(row.number, code).toBeGreaterThan(0);
  });

  test("gives a close code to what ends a session and to nothing else", () => {
    for (const [code, row] of rows) {
      expect(row.closeCode !== undefined, code).toBe(row.scope === "session");
      if (row.closeCode === undefined) continue;
      expect(row.closeCode).toBeGreaterThanOrEqual(4000);
      expect(row.closeCode).toBeLessThan(5000);
    }
  });

  test("says come back with 4000 to 4499 and do not with 4500 to 4999, and retry agrees", () => {
    for (const [code, row] of rows) {
      if (row.closeCode === undefined) continue;
      expect(mayReconnect(row.closeCode), code).toBe(row.closeCode < 4500);
      expect(row.retry, code).toBe(row.closeCode < 4500);
    }
  });

  test("keeps numbers of a scope together, so that a number tells it", () => {
    for (const [code, { number, scope }] of rows) {
      expect(scope, code).toBe(number < 64 ? "request" : number < 128 ? "session" : "client");
    }
  });

  test("knows an AMQP reply code for everything that travels", () => {
    for (const [code, row] of rows) expect(row.amqp !== undefined, code).toBe(row.scope !== "client");
  });

  test("explains every code in a sentence", () => {
    for (const [code, row] of rows) {
      expect(code).toMatch(/^[a-z]+(-[a-z]+)*$/);
      expect(row.meaning, code).toMatch(/^[A-Z].*\.$/s);
    }
  });

  test("finds a code by its number and a number by its code", () => {
    for (const [code, row] of rows) {
      expect(errorCodeByNumber(row.number)).toBe(code);
      expect(errorNumber(code)).toBe(row.number);
    }
  });

  test("reads what a newer broker added as internal-error", () => {
    expect(errorCodeByNumber(63)).toBe("internal-error");
    for (const code of ["brand-new", "__proto__", "constructor"]) {
      expect(errorNumber(code as ErrorCode)).toBe(errorCatalogue["internal-error"].number);
      expect(new PosthornError(code as ErrorCode, "?").retry).toBe(false);
    }
  });
});

describe("reconnecting", () => {
  test.each([
    [1000, false],
    [1001, true],
    [1006, true],
    [1009, true],
    [1011, true],
    [3000, true],
    [4499, true],
    [4500, false],
    [4999, false],
  ])("after close code %d: %s", (code, expected) => {
    expect(mayReconnect(code)).toBe(expected);
  });
});

test("an error is an Error with a code, details and whether to try again", () => {
  const error = new PosthornError("internal-error", "It broke.", { where: "here" });
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({
    name: "PosthornError",
    code: "internal-error",
    message: "It broke.",
    details: { where: "here" },
    retry: true,
  });
  expect(new PosthornError("not-found", "No.")).toMatchObject({ details: {}, retry: false });
});
