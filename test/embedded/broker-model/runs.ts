import fc from "fast-check";
import { BrokerRun } from "./broker-run.ts";
import { type History, history } from "./history.ts";

/** Seeds of histories in which the broker once did something else than the model. They are played again in every test run. */
export const seedsThatFailed: readonly number[] = [2016, 2025, 260545247];

/** Plays the history of a seed. Returns what went wrong, with the shortest history in which it does. */
export async function playSeed(seed: number): Promise<string | undefined> {
  const result = await fc.check(fc.asyncProperty(history, BrokerRun.play), { seed, numRuns: 1 });
  if (!result.failed) return undefined;
  const { counterexample, errorInstance } = result;
  return `seed ${seed}: ${errorInstance}\n${written(counterexample![0])}`;
}

function written({ topology, commands }: History): string {
  const { exchanges, queues, bindings } = topology;
  return [...exchanges, ...queues, ...bindings, ...commands].map((row) => JSON.stringify(row)).join("\n");
}
