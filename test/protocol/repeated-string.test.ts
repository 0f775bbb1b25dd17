import fc from "fast-check";
import { expect, test } from "vitest";
import { ByteReader } from "../../protocol/byte-reader.ts";
import { ByteWriter } from "../../protocol/byte-writer.ts";
import { RepeatedString } from "../../protocol/repeated-string.ts";

function bytesOf(text: string): Uint8Array {
  const writer = new ByteWriter();
  writer.shortString(text);
  return writer.written();
}

const texts = fc.array(
  fc.oneof(
    fc.constantFrom("", "a", "b", "ab", "ä", "order.eu.placed", "x".repeat(64), "x".repeat(200)),
    fc.string({ maxLength: 40 }),
  ),
);

test("strings are read as they were written, whatever came before", () => {
  fc.assert(
    fc.property(texts, (written) => {
      const repeated = new RepeatedString();
      const read = written.map((text) => repeated.read(new ByteReader(bytesOf(text))));
      expect(read).toEqual(written);
    }),
  );
});

test("a string that ends too early, or is not UTF-8, is an error, and no harm to the next", () => {
  const repeated = new RepeatedString();
  expect(repeated.read(new ByteReader(bytesOf("ab")))).toBe("ab");
  expect(() => repeated.read(new ByteReader(new Uint8Array([2, 0x61])))).toThrow("middle of a value");
  expect(() => repeated.read(new ByteReader(new Uint8Array([2, 0xc3, 0x28])))).toThrow("not valid UTF-8");
  expect(repeated.read(new ByteReader(bytesOf("ab")))).toBe("ab");
});
