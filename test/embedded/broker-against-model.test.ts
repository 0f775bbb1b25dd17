import { expect, test } from "vitest";
import { playSeed, seedsThatFailed } from "./broker-model/runs.ts";

test("whatever happens, the broker does what its rules say, with every message in exactly one state", async () => {
  const first = Date.now() % 1_000_000_000;
  for (let seed = first; seed < first + 25; seed++) expect(await playSeed(seed)).toBeUndefined();
}, 120_000);

test.each(seedsThatFailed)(
  "what once went wrong does no more: seed %i",
  async (seed) => {
    expect(await playSeed(seed)).toBeUndefined();
  },
  30_000,
);
