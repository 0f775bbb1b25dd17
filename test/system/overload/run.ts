/**
 * `npm run test:overload -- [--seed N] [--scale 1] [name …]`: clients and disks that ask too much of a broker, and how one
 * that does not fares beside them.
 */
import { parseArgs } from "node:util";
import { seeded } from "../faults/seeded.ts";
import type { Latency } from "./latency.ts";
import { NotPossibleHere, type Scenario, type ScenarioResult } from "./scenario.ts";
import { scenarios } from "./scenarios.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: "string" }, scale: { type: "string", default: "1" } },
});
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const scale = Number(values.scale);
if (!(scale > 0)) throw new Error("--scale takes a number above 0.");
const chosen = positionals.length === 0 ? scenarios : positionals.map(scenarioNamed);

function scenarioNamed(name: string): Scenario {
  const found = scenarios.find((scenario) => scenario.name === name);
  if (found !== undefined) return found;
  throw new Error(`There is no ${name}; there are ${scenarios.map(({ name: other }) => other).join(", ")}.`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function milliseconds({ p50, p99, max }: Latency): string {
  return [p50, p99, max].map((ms) => ms.toFixed(2)).join(" / ");
}

function row(name: string, { control, under, facts, problems }: ScenarioResult): string {
  const ratio = [under.p50 / control.p50, under.p99 / control.p99].map((times) => `${times.toFixed(1)}×`);
  const verdict = problems.length === 0 ? "ok" : "FAILED";
  const cells = [
    name,
    milliseconds(control),
    milliseconds(under),
    ratio.join(" / "),
    facts.join(", "),
    verdict,
  ];
  return `| ${cells.join(" | ")} |`;
}

say(`seed ${seed}, scale ${scale}; the victim's p50 / p99 / longest in milliseconds`);
say("");
say("| scenario | control | under overload | p50 / p99 | what happened | |");
say("|---|---|---|---|---|---|");
const problems: string[] = [];
for (const scenario of chosen) {
  try {
    const result = await scenario.run({ random: seeded(seed), scale });
    say(row(scenario.name, result));
    problems.push(...result.problems.map((problem) => `${scenario.name}: ${problem}`));
  } catch (error) {
    if (error instanceof NotPossibleHere)
      say(`| ${scenario.name} | | | | not possible here: ${error.message} | |`);
    else {
      say(`| ${scenario.name} | | | | | FAILED |`);
      problems.push(`${scenario.name}: ${error instanceof Error ? error.stack : String(error)}`);
    }
  }
}
say("");
for (const scenario of chosen) say(`${scenario.name}: ${scenario.summary}`);
say(problems.length === 0 ? "passed" : `\nFAILED\n  ${problems.join("\n  ")}`);
process.exitCode = problems.length === 0 ? 0 : 1;
