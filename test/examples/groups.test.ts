import { expect, test } from "vitest";
import { runExample } from "./run-example.ts";

test("the groups example serves each customer in order, several at once, whoever leaves and whatever fails", {
  timeout: 60_000,
}, async () => {
  const steps = "ordered, paid, packed, shipped, delivered, thanked";
  expect(await runExample("groups")).toEqual([
    ...["Ada", "Grace", "Edsger", "Barbara", "Donald"].map((customer) => `${customer}: ${steps}`),
    "Several customers were served at once.",
    "0 left.",
  ]);
});
