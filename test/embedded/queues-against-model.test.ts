import fc from "fast-check";
import { test } from "vitest";
import { ModelRun } from "./model/model-run.ts";
import { history } from "./model/steps.ts";

test("whatever happens, queues do what an array would, and lose nothing that was confirmed", async () => {
  await fc.assert(
    fc.asyncProperty(history, (steps) => ModelRun.play(steps)),
    { numRuns: Number(process.env.POSTHORN_MODEL_RUNS ?? 4000) },
  );
}, 120_000);
