import { expect, test } from "vitest";
import { playSeed, seedsThatFailed } from "./broker-model/runs.ts";

// Always the same ones: `npm run test:model` looks for new trouble.
test("whatever happens, the broker does what its rules say, with every message in exactly one state", async () => {
  for (let seed = 1; seed <= 25; seed++) expect(await playSeed(seed)).toBeUndefined();
}, 120_000);

test.each(seedsThatFailed)(
  "what once went wrong does no more: seed %i",
  async (seed) => {
    expect(await playSeed(seed)).toBeUndefined();
  },
  30_000,
);
