import { expect, test } from "vitest";
import { runExample } from "./run-example.ts";

test("the circuit breaker example tries a few times in vain, and sends all mails in the end", {
  timeout: 60_000,
}, async () => {
  expect(await runExample("circuit-breaker")).toEqual([
    "The mail server is down.",
    "The circuit is open after 4 attempts.",
    "4 attempts, 20 mails wait.",
    "One was tried, and failed: the circuit is open again.",
    "The mail server is up.",
    "The circuit is closed: 20 mails are sent, with 25 attempts.",
  ]);
});
