import { expect, test } from "vitest";
import { runExample } from "./run-example.ts";

test("the work queue example prints all labels that can be printed, some after retries, and sets the others aside", {
  timeout: 60_000,
}, async () => {
  const lines = await runExample("work-queue");
  const waits = /^Order 10248 was tried again after (\d+) and (\d+) ms\.$/.exec(lines[4]!);
  expect(lines.toSpliced(4, 1)).toEqual([
    "830 orders need a label.",
    "561 printed at attempt 1.",
    "246 printed at attempt 3.",
    "508 attempts failed.",
    "Failed:",
    "  19 rejected: There is no postal code.",
    "  4 delivery-limit: The name does not fit on the label.",
  ]);
  // 100 and 200 ms, a tenth less at most.
  expect(Number(waits?.[1])).toBeGreaterThanOrEqual(90);
  expect(Number(waits?.[2])).toBeGreaterThanOrEqual(180);
});
