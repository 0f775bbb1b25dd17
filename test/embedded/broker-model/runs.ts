import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { play } from "./broker-run.ts";
import { type History, history } from "./history.ts";

const kept = new URL("kept/", import.meta.url);

/** Histories in which the broker once did something else than the model, mostly as short as they could be made. */
export const keptHistories: readonly string[] = readdirSync(kept).sort();

/** Plays a history again. It stands there as {@link playSeed} has written it. */
export async function playKept(name: string): Promise<void> {
  await play(read(readFileSync(new URL(name, kept), "utf8")));
}

/** Plays the history of a seed. Returns what went wrong, with the shortest history in which it does. */
export async function playSeed(seed: number): Promise<string | undefined> {
  const result = await fc.check(fc.asyncProperty(history, play), { seed, numRuns: 1 });
  if (!result.failed) return undefined;
  const { counterexample, errorInstance } = result;
  return `seed ${seed}: ${errorInstance}\n${written(counterexample![0])}`;
}

/** How many commands the history of a seed has. */
export function commandsOf(seed: number): number {
  const [{ commands } = { commands: [] }] = fc.sample(history, { seed, numRuns: 1 });
  return commands.length;
}

function written({ topology, commands }: History): string {
  const { exchanges, queues, bindings } = topology;
  return [...exchanges, ...queues, ...bindings, ...commands].map((row) => JSON.stringify(row)).join("\n");
}

function read(text: string): History {
  const rows: object[] = text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  const commands = rows.filter((row) => "do" in row);
  const bindings = rows.filter((row) => "source" in row);
  const exchanges = rows.filter((row) => "type" in row);
  const queues = rows.filter((row) => "durable" in row);
  return { topology: { exchanges, queues, bindings }, commands } as object as History;
}
