/** `npm run test:churn -- [--minutes 5] [--seed N] [--directory D]`: a store filled, emptied, purged and read at full speed. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { ChurnLine } from "./churn-child.ts";

/** Held for longer, a read transaction keeps LMDB from using pages again, which it does not survive under such a load. */
const maxReadMs = 10;
const spareFileBytes = 64 * 1024 * 1024;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "5" },
    seed: { type: "string" },
    directory: { type: "string" },
  },
});
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const directory = mkdtempSync(join(values.directory ?? tmpdir(), "posthorn-churn-"));
process.stdout.write(`seed ${seed}, ${values.minutes} minutes\n`);

const childPath = fileURLToPath(new URL("./churn-child.ts", import.meta.url));
const args = ["--import", "tsx", childPath, directory, String(Number(values.minutes) * 60), String(seed)];
const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
let stderr = "";
child.stderr.on("data", (text) => {
  stderr += text;
  process.stderr.write(text);
});
let last: ChurnLine | undefined;
let peakFileBytes = 0;
createInterface({ input: child.stdout }).on("line", (text) => {
  last = JSON.parse(text) as ChurnLine;
  peakFileBytes = Math.max(peakFileBytes, last.fileBytes);
  if (last.done || Math.round(last.seconds) % 10 === 0) process.stdout.write(`${describe(last)}\n`);
});
const [exitCode, signal] = (await once(child, "close")) as [number | null, string | null];
rmSync(directory, { recursive: true });

const problems: string[] = [];
if (exitCode !== 0) problems.push(`it ended with ${signal ?? exitCode}`);
if (stderr !== "") problems.push("something was written to stderr");
if (last === undefined || !last.done) problems.push("it did not come to the end");
else {
  const allowedBytes = 3 * last.peakLiveBytes + spareFileBytes;
  if (peakFileBytes > allowedBytes)
    problems.push(`the file grew to ${megabytes(peakFileBytes)}, over ${megabytes(allowedBytes)}`);
  for (const [what, ms] of Object.entries(last.longestReadMs))
    if (ms > maxReadMs) problems.push(`${what} held a read transaction for ${ms.toFixed(1)} ms`);
}
process.stdout.write(problems.length === 0 ? "passed\n" : `FAILED\n  ${problems.join("\n  ")}\n`);
process.exitCode = problems.length === 0 ? 0 : 1;

function describe(line: ChurnLine): string {
  const { seconds, published, publishedBytes, settled, purged, browsed } = line;
  return [
    `${seconds.toFixed(0)} s`,
    `${thousands(published / seconds)} messages/s, ${megabytes(publishedBytes / seconds)}/s`,
    `${thousands(published)} in, ${thousands(settled)} settled, ${thousands(purged)} purged, ${thousands(browsed)} browsed`,
    `${megabytes(line.liveBytes)} live (at most ${megabytes(line.peakLiveBytes)})`,
    `file ${megabytes(line.fileBytes)}`,
    `longest read ${Math.max(...Object.values(line.longestReadMs)).toFixed(1)} ms`,
  ].join(" · ");
}

function thousands(number: number): string {
  return Math.round(number).toLocaleString("en");
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}
