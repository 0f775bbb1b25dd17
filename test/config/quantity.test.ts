import fc from "fast-check";
import { expect, test } from "vitest";
import { formatBytes, formatDuration, parseBytes, parseDurationMs } from "../../server/config/quantity.ts";

test.each([
  ["500ms", 500],
  ["30s", 30_000],
  ["2m", 120_000],
  ["1h", 3_600_000],
  ["1d", 86_400_000],
  ["1.1s", 1100],
  ["0", 0],
  ["1500", 1500],
  ["0.5ms", undefined],
  ["1 month", undefined],
  ["", undefined],
  ["s", undefined],
])("the duration %j is %j ms", (text, ms) => {
  expect(parseDurationMs(text)).toBe(ms);
});

test.each([
  ["64kB", 64_000],
  ["64KB", 64_000],
  ["64KiB", 65_536],
  ["16MiB", 16_777_216],
  ["1.5GiB", 1_610_612_736],
  ["10 B", 10],
  ["10", 10],
  ["16M", undefined],
  ["1.5B", undefined],
  ["-1", undefined],
])("the size %j is %j bytes", (text, bytes) => {
  expect(parseBytes(text)).toBe(bytes);
});

test("what is shown reads back as the same number", () => {
  fc.assert(
    fc.property(fc.nat(), (value) => {
      expect(parseBytes(formatBytes(value))).toBe(value);
      expect(parseDurationMs(formatDuration(value))).toBe(value);
    }),
  );
});
