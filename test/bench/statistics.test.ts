import { describe, expect, test } from "vitest";
import { median, medianRatio, percentile, summarize } from "../../bench/statistics.ts";

describe("the benchmark's statistics", () => {
  test("the median of an odd number of rounds is the middle one, whatever their order", () => {
    expect(median([9, 1, 5])).toBe(5);
  });

  test("the median of an even number of rounds lies between the two in the middle", () => {
    expect(median([4, 1, 2, 100])).toBe(3);
  });

  test("a summary names the worst and the best round beside the median", () => {
    expect(summarize([3, 1, 2])).toEqual({ median: 2, minimum: 1, maximum: 3 });
  });

  test("a percentile is one of the measured values: the smallest that enough of them are not above", () => {
    const sorted = Float64Array.from({ length: 1000 }, (_, index) => index + 1);
    expect(percentile(sorted, 0.5)).toBe(500);
    expect(percentile(sorted, 0.99)).toBe(990);
    expect(percentile(sorted, 0.999)).toBe(999);
    expect(percentile(sorted, 1)).toBe(1000);
    expect(percentile([], 0.5)).toBeNaN();
  });

  test("a round that was slow for both sides does not change the ratio", () => {
    expect(medianRatio([100, 10, 100], [50, 5, 50])).toBe(2);
  });

  test("a round that one side did not finish does not count", () => {
    expect(medianRatio([100, undefined, 300], [50, 1, 100])).toBe(2.5);
    expect(medianRatio([100], [])).toBeUndefined();
  });
});
