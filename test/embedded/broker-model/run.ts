/** `npm run test:model -- [--runs 500] [--seed N]`: histories of about a hundred commands each, with the seeds N, N + 1, … */
import { parseArgs } from "node:util";
import { commandsOf, playSeed } from "./runs.ts";

const { values } = parseArgs({
  options: { runs: { type: "string", default: "500" }, seed: { type: "string" } },
});
const first = Number(values.seed ?? Date.now() % 1_000_000_000);
const runs = Number(values.runs);
process.stdout.write(`${runs} histories, seeds from ${first}\n`);
let failures = 0;
let commands = 0;
for (let seed = first; seed < first + runs; seed++) {
  const problem = await playSeed(seed);
  commands += commandsOf(seed);
  if (problem === undefined) continue;
  failures++;
  process.stdout.write(`${problem}\n`);
}
process.stdout.write(`${commands} commands; ${runs - failures} passed, ${failures} failed\n`);
process.exitCode = failures === 0 ? 0 : 1;
