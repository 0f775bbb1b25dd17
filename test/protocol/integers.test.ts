import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { varintBytes } from "../../protocol/binary-frames.ts";
import { ByteReader } from "../../protocol/byte-reader.ts";
import { ByteWriter } from "../../protocol/byte-writer.ts";

function varint(value: number): Uint8Array {
  const writer = new ByteWriter(1);
  writer.varint(value);
  return writer.written();
}

function integer(value: number | bigint): Uint8Array {
  const writer = new ByteWriter(1);
  writer.integer(value);
  return writer.written();
}

function readVarint(...bytes: number[]): number {
  return new ByteReader(Uint8Array.from(bytes)).varint();
}

function readInteger(...bytes: number[]): number | bigint {
  return new ByteReader(Uint8Array.from(bytes)).integer();
}

const frameError = expect.objectContaining({ name: "PosthornError", code: "frame-error" });

const boundaries = [7, 14, 21, 28, 31, 32, 35, 42, 49, 52, 53]
  .map((bits) => 2 ** bits)
  .flatMap((value) => [value - 1, value, value + 1])
  .filter(Number.isSafeInteger);

describe("varints", () => {
  test.each([
    [0, [0x00]],
    [1, [0x01]],
    [127, [0x7f]],
    [128, [0x80, 0x01]],
    [300, [0xac, 0x02]],
    [2 ** 14 - 1, [0xff, 0x7f]],
    [2 ** 14, [0x80, 0x80, 0x01]],
    [2 ** 32, [0x80, 0x80, 0x80, 0x80, 0x10]],
    [2 ** 53 - 1, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]],
  ])("%d is written as %j", (value, bytes) => {
    expect([...varint(value)]).toEqual(bytes);
    expect(readVarint(...bytes)).toBe(value);
  });

  test.each(boundaries)("%d comes back, in as many bytes as foretold", (value) => {
    const bytes = varint(value);
    expect(new ByteReader(bytes).varint()).toBe(value);
    expect(bytes.length).toBe(varintBytes(value));
  });

  test("any safe integer comes back, in as many bytes as foretold", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        const bytes = varint(value);
        const reader = new ByteReader(bytes);
        expect(reader.varint()).toBe(value);
        expect(reader.at).toBe(bytes.length);
        expect(bytes.length).toBe(varintBytes(value));
      }),
    );
  });

  test.each([
    ["0 in two bytes", [0x80, 0x00]],
    ["1 in two bytes", [0x81, 0x00]],
    ["127 in three bytes", [0xff, 0x80, 0x00]],
    ["2^53", [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10]],
    ["2^56 − 1", [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]],
    ["nine bytes", [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]],
    ["bytes without an end", new Array(100).fill(0x80)],
    ["nothing", []],
    ["half a number", [0x80]],
  ])("%s is refused", (_, bytes) => {
    expect(() => readVarint(...bytes)).toThrow(frameError);
  });
});

describe("signed integers", () => {
  test.each<[number | bigint, number[]]>([
    [0, [0x00]],
    [-1, [0x01]],
    [1, [0x02]],
    [-64, [0x7f]],
    [64, [0x80, 0x01]],
    [2 ** 53 - 1, [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f]],
    [-(2 ** 53 - 1), [0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f]],
    [2n ** 53n, [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20]],
    [2n ** 63n - 1n, [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]],
    [-(2n ** 63n), [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]],
  ])("%s is written as %j", (value, bytes) => {
    expect([...integer(value)]).toEqual(bytes);
    expect([...integer(BigInt(value))]).toEqual(bytes);
    expect(readInteger(...bytes)).toBe(value);
  });

  test("any 64-bit integer comes back, as a number if it is a safe one", () => {
    const near = fc
      .tuple(fc.constantFrom(...boundaries, 2 ** 62), fc.integer({ min: -2, max: 2 }), fc.boolean())
      .map(([power, offset, negative]) => (BigInt(power) + BigInt(offset)) * (negative ? -1n : 1n));
    const any = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    fc.assert(
      fc.property(fc.oneof(near, any), (value) => {
        const bytes = integer(value);
        const reader = new ByteReader(bytes);
        const safe = Number.isSafeInteger(Number(value));
        expect(reader.integer()).toBe(safe ? Number(value) : value);
        expect(reader.at).toBe(bytes.length);
        if (safe) expect(integer(Number(value))).toStrictEqual(bytes);
      }),
      { numRuns: 1000 },
    );
  });

  test.each([
    ["0 in two bytes", [0x80, 0x00]],
    ["1 in nine bytes", [0x82, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00]],
    ["2^64", [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02]],
    ["eleven bytes", [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]],
    ["bytes without an end", new Array(100).fill(0xff)],
    ["nothing", []],
    ["half a number", [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
  ])("%s is refused", (_, bytes) => {
    expect(() => readInteger(...bytes)).toThrow(frameError);
  });
});
