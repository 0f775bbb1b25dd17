import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ByteReader } from "../../protocol/byte-reader.ts";
import { ByteWriter } from "../../protocol/byte-writer.ts";
import { headersFromJson, headersToJson } from "../../protocol/header-json.ts";
import type { Headers } from "../../protocol/header-value.ts";
import { maxHeaderDepth, readTable, writeTable } from "../../protocol/headers.ts";
import { headers as anyHeaders, normalHeaders } from "./arbitraries.ts";

const frameError = expect.objectContaining({ name: "PosthornError", code: "frame-error" });
const invalidArgument = expect.objectContaining({ name: "PosthornError", code: "invalid-argument" });
const invalidFrame = expect.objectContaining({ name: "PosthornError", code: "invalid-frame" });

function write(headers: unknown): Uint8Array {
  const writer = new ByteWriter();
  writeTable(writer, headers as Headers);
  return writer.written();
}

function read(bytes: ArrayLike<number>): Headers {
  return readTable(new ByteReader(Uint8Array.from(bytes)));
}

/** `levels` arrays around nothing, as the only header. */
function nested(levels: number): Headers {
  let value: Headers[string] = [];
  for (let i = 1; i < levels; i++) value = [value];
  return { deep: value };
}

describe("headers", () => {
  test("come back in binary with their types", () => {
    fc.assert(
      fc.property(anyHeaders, (headers) => {
        expect(read(write(headers))).toStrictEqual(normalHeaders(headers));
      }),
      { numRuns: 1000 },
    );
  });

  test("come back in JSON with their types", () => {
    fc.assert(
      fc.property(anyHeaders, (headers) => {
        const json = JSON.parse(JSON.stringify(headersToJson(headers))) as unknown;
        expect(headersFromJson(json)).toStrictEqual(normalHeaders(headers));
      }),
      { numRuns: 1000 },
    );
  });

  test("may be nested 32 deep and no deeper, in binary and in JSON", () => {
    const deepest = nested(maxHeaderDepth);
    expect(read(write(deepest))).toStrictEqual(deepest);
    expect(headersFromJson(headersToJson(deepest))).toStrictEqual(deepest);
    expect(() => write(nested(maxHeaderDepth + 1))).toThrow(invalidArgument);
    expect(() => headersToJson(nested(maxHeaderDepth + 1))).toThrow(invalidArgument);
    expect(() => headersFromJson({ deep: headersToJson(nested(maxHeaderDepth)) })).toThrow(invalidFrame);
    // An array in an array in …, without an end in sight.
    expect(() => read([1, 1, 0x61, ...new Array(200).fill([8, 1]).flat()])).toThrow(frameError);
    expect(() => read([1, 1, 0x61, ...new Array(200).fill([9, 1, 1, 0x61]).flat()])).toThrow(frameError);
  });

  test.each(["__proto__", "constructor", "prototype"])("cannot be named %s", (name) => {
    const headers = Object.fromEntries([[name, 1]]);
    expect(() => write(headers)).toThrow(invalidArgument);
    expect(() => headersToJson(headers)).toThrow(invalidArgument);
    expect(() => headersFromJson(JSON.parse(`{"${name}":1}`))).toThrow(invalidFrame);
    expect(() => headersFromJson(JSON.parse(`{"a":{"${name}":1}}`))).toThrow(invalidFrame);
    const bytes = [1, name.length, ...new TextEncoder().encode(name), 0];
    expect(() => read(bytes)).toThrow(frameError);
  });

  test("cannot have names of more than 255 bytes", () => {
    expect(() => write({ ["é".repeat(128)]: 1 })).toThrow(invalidArgument);
    expect(() => headersFromJson({ ["é".repeat(128)]: 1 })).toThrow(invalidFrame);
  });
});

describe("what headers cannot hold", () => {
  test.each([
    ["undefined", undefined],
    ["a function", () => 1],
    ["a symbol", Symbol("x")],
    ["an invalid Date", new Date(Number.NaN)],
    ["2^63", 2n ** 63n],
    ["-2^63 - 1", -(2n ** 63n) - 1n],
    ["a Map", new Map([["a", 1]])],
    ["an ArrayBuffer", new ArrayBuffer(3)],
    ["a Float64Array", new Float64Array(3)],
  ])("is %s", (_, value) => {
    expect(() => write({ value })).toThrow(invalidArgument);
    expect(() => write({ inside: [{ value }] })).toThrow(invalidArgument);
    expect(() => headersToJson({ value } as unknown as Headers)).toThrow(invalidArgument);
    expect(() => headersToJson({ inside: [{ value }] } as unknown as Headers)).toThrow(invalidArgument);
  });

  test("is a circle", () => {
    const circle: Record<string, unknown> = {};
    circle.again = [circle];
    expect(() => write(circle)).toThrow(invalidArgument);
    expect(() => headersToJson(circle as unknown as Headers)).toThrow(invalidArgument);
  });
});

describe("headers in binary", () => {
  test.each([
    ["a tag that nobody gave out", [1, 1, 0x61, 10]],
    ["the same name twice", [2, 1, 0x61, 0, 1, 0x61, 0]],
    ["fewer entries than they say", [2, 1, 0x61, 0]],
    [
      "a timestamp that no Date can hold",
      [1, 1, 0x61, 7, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
    ],
    ["half a double", [1, 1, 0x61, 4, 0, 0, 0, 0]],
    ["a string that is not UTF-8", [1, 1, 0x61, 5, 1, 0x80]],
  ])("with %s are refused", (_, bytes) => {
    expect(() => read(bytes)).toThrow(frameError);
  });

  const enormous = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02]; // 2^50
  test.each([
    ["a table", [...enormous]],
    ["a string", [1, 1, 0x61, 5, ...enormous]],
    ["bytes", [1, 1, 0x61, 6, ...enormous]],
    ["an array", [1, 1, 0x61, 8, ...enormous]],
    ["an inner table", [1, 1, 0x61, 9, ...enormous]],
  ])("that claim 2^50 entries for %s are refused before memory is taken for them", (_, bytes) => {
    expect(() => read(bytes)).toThrow(frameError);
    expect(() => read([...bytes, 0, 0, 0])).toThrow(frameError);
  });
});

describe("headers in JSON", () => {
  test.each<[string, Headers, unknown]>([
    [
      "null, booleans, numbers and text as they are",
      { a: null, b: true, c: 1.5, d: "x" },
      { a: null, b: true, c: 1.5, d: "x" },
    ],
    ["bytes as base64", { a: Uint8Array.from([1, 2, 255]) }, { a: { $bytes: "AQL/" } }],
    [
      "timestamps in milliseconds",
      { a: new Date(1_700_000_000_123) },
      { a: { $timestamp: 1_700_000_000_123 } },
    ],
    ["large integers as text", { a: 2n ** 60n }, { a: { $integer: "1152921504606846976" } }],
    [
      "NaN, infinities and minus zero as text",
      { a: [Number.NaN, Infinity, -Infinity, -0] },
      { a: [{ $double: "NaN" }, { $double: "Infinity" }, { $double: "-Infinity" }, { $double: "-0" }] },
    ],
    [
      "a table that looks like one of these wrapped",
      { a: { $bytes: "AQ==" } },
      { a: { $table: { $bytes: "AQ==" } } },
    ],
    ["other tables as objects", { a: { $x: 1, y: 2 }, b: {} }, { a: { $x: 1, y: 2 }, b: {} }],
    ["names at the top as they are", { $bytes: "x" }, { $bytes: "x" }],
  ])("show %s", (_, headers, json) => {
    expect(headersToJson(headers)).toStrictEqual(json);
    expect(headersFromJson(json)).toStrictEqual(headers);
  });

  test.each([
    ["a list instead of an object", []],
    ["null instead of an object", null],
    ["text instead of an object", "a=1"],
    ["bytes that are not base64", { a: { $bytes: "*" } }],
    ["bytes that are not text", { a: { $bytes: 1 } }],
    ["a timestamp with a fraction", { a: { $timestamp: 1.5 } }],
    ["a timestamp out of range", { a: { $timestamp: 8.64e15 + 1 } }],
    ["an integer with a fraction", { a: { $integer: "1.5" } }],
    ["an integer of 65 bits", { a: { $integer: "9223372036854775808" } }],
    ["an integer that is a number", { a: { $integer: 1 } }],
    ["a double that JSON can write", { a: { $double: "1.5" } }],
    ["a table that is a list", { a: { $table: [] } }],
    ["a special form that nobody gave out", { a: { $decimal: "1" } }],
    ["a special form inside a list", { a: [{ $nothing: 1 }] }],
  ])("with %s are refused", (_, json) => {
    expect(() => headersFromJson(json)).toThrow(invalidFrame);
  });
});
