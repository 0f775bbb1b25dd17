/**
 * `node --import tsx bench/profile/print.ts FILE.cpuprofile [--top 25] [--svg FLAMES.svg]`: the functions that a profile
 * spent its time in as a Markdown table, and a flame graph.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type CpuProfile, flames, selfTimes } from "./cpu-profile.ts";
import { renderFlameGraph } from "./flame-graph.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { top: { type: "string", default: "25" }, svg: { type: "string" } },
});
const profile = JSON.parse(readFileSync(positionals[0] ?? "", "utf8")) as CpuProfile;
process.stdout.write("| self | ms | function |\n|---:|---:|---|\n");
for (const { name, ms, part } of selfTimes(profile).slice(0, Number(values.top))) {
  process.stdout.write(`| ${(part * 100).toFixed(1)} % | ${ms.toFixed(0)} | ${name} |\n`);
}
if (values.svg !== undefined) writeFileSync(values.svg, renderFlameGraph(flames(profile)));
