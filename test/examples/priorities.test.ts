import { expect, test } from "vitest";
import { runExample } from "./run-example.ts";

test("the example of priorities prints what is urgent first, and drops the least urgent", {
  timeout: 60_000,
}, async () => {
  const waiting = [
    "ticket 1",
    "ticket 2",
    "ticket 3",
    "invoice 1",
    "invoice 2",
    "invoice 3",
    "poster 3",
    "poster 4",
  ];
  expect(await runExample("priorities")).toEqual([
    `To be printed: ${waiting.join(", ")}`,
    "Too much: poster 1, poster 2",
    ...[...waiting.slice(0, 3), "ticket 4", ...waiting.slice(3)].map((name) => `  ${name}`),
    "9 printed, 0 left.",
  ]);
});
