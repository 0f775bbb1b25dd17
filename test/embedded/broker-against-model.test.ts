import { expect, test } from "vitest";
import { keptHistories, playKept, playSeed } from "./broker-model/runs.ts";

// Always the same ones: `npm run test:model` looks for new trouble.
test("whatever happens, the broker does what its rules say, with every message in exactly one state", async () => {
  for (let seed = 1; seed <= 60; seed++) expect(await playSeed(seed)).toBeUndefined();
}, 120_000);

test.each(keptHistories)("what once went wrong does no more: %s", playKept, 30_000);
