import { expect, test } from "vitest";
import { runExample } from "./run-example.ts";

test("the redrive example pays in the end what failed, but for what was deleted", {
  timeout: 60_000,
}, async () => {
  expect(await runExample("redrive")).toEqual([
    "A day's payments:",
    "  order 1 is paid in EUR",
    "  order 3 is paid in USD",
    "  order 5 is paid in EUR",
    "What failed:",
    ...[2, 4].map((order) => failure(order, "CHF")),
    failure(6, "XXX"),
    failure(7, "CHF"),
    "One of them is nonsense and goes:",
    "  order 6 deleted",
    "What a redrive would do:",
    "  3 rejected to payments",
    "There is a rate for CHF now:",
    ...[2, 4, 7].map((order) => `  order ${order} is paid in CHF`),
    "3 redriven, 0 left.",
  ]);
});

function failure(order: number, currency: string): string {
  return `  order ${order} in ${currency}: rejected in payments, unknown-currency: There is no rate for ${currency}.`;
}
