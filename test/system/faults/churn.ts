/** `npm run test:churn -- [--minutes 5] [--seed N] [--directory D]`: a store filled, emptied, purged, read and copied at full speed. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { BackupLine } from "./churn-backups.ts";
import type { ChurnLine } from "./churn-child.ts";
import type { LongestReads } from "./read-times.ts";

/**
 * Held for longer, a read transaction keeps LMDB from using pages again, which it does not survive under such a load. Time in
 * which other processes had the processors, or garbage was collected, is not the store's.
 */
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

const seconds = Number(values.minutes) * 60;
let stderr = "";
let last: ChurnLine | undefined;
let peakFileBytes = 0;
const backups: BackupLine[] = [];

/** Starts a process that prints JSON; settles with how it ended. */
function run(
  name: string,
  args: readonly string[],
  onLine: (text: string) => void,
): Promise<string | number> {
  const path = fileURLToPath(new URL(name, import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", path, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.stderr.on("data", (text) => {
    stderr += text;
    process.stderr.write(text);
  });
  createInterface({ input: child.stdout }).on("line", onLine);
  return once(child, "close").then(([code, signal]) => (signal ?? code) as string | number);
}

function noteBackup(text: string): void {
  backups.push(JSON.parse(text) as BackupLine);
}

let backingUp: Promise<string | number> | undefined;
const churned = await run("./churn-child.ts", [directory, String(seconds), String(seed)], (text) => {
  last = JSON.parse(text) as ChurnLine;
  peakFileBytes = Math.max(peakFileBytes, last.fileBytes);
  // There is something to be copied now; the last copy is to be ready before the end.
  backingUp ??= run("./churn-backups.ts", [directory, String(seconds - 10)], noteBackup);
  if (last.done || Math.round(last.seconds) % 10 === 0) process.stdout.write(`${describe(last)}\n`);
});
const backedUp = await backingUp;
rmSync(directory, { recursive: true });
rmSync(`${directory}-copy`, { recursive: true, force: true });

const problems: string[] = [];
if (churned !== 0) problems.push(`it ended with ${churned}`);
if (backedUp !== 0) problems.push(`the backups ended with ${backedUp}`);
if (stderr !== "") problems.push("something was written to stderr");
if (last === undefined || !last.done) problems.push("it did not come to the end");
else {
  const allowedBytes = 3 * last.peakLiveBytes + spareFileBytes;
  if (peakFileBytes > allowedBytes)
    problems.push(`the file grew to ${megabytes(peakFileBytes)}, over ${megabytes(allowedBytes)}`);
  for (const [what, ms] of Object.entries(last.longestReads.workMs))
    if (ms > maxReadMs) problems.push(`${what} worked in a read transaction for ${ms.toFixed(1)} ms`);
}
const heldMs = Math.max(...backups.map(({ snapshotHeldMs }) => snapshotHeldMs));
process.stdout.write(
  `${backups.length} backups, for which a snapshot was held for ${heldMs.toFixed(0)} ms at most\n`,
);
process.stdout.write(problems.length === 0 ? "passed\n" : `FAILED\n  ${problems.join("\n  ")}\n`);
process.exitCode = problems.length === 0 ? 0 : 1;

function describe(line: ChurnLine): string {
  const { seconds, published, publishedBytes, settled, purged, browsed, exported } = line;
  return [
    `${seconds.toFixed(0)} s`,
    `${thousands(published / seconds)} messages/s, ${megabytes(publishedBytes / seconds)}/s`,
    `${thousands(published)} in, ${thousands(settled)} settled, ${thousands(purged)} purged, ${thousands(browsed)} browsed, ${thousands(exported)} exported`,
    `${megabytes(line.liveBytes)} live (at most ${megabytes(line.peakLiveBytes)})`,
    `file ${megabytes(line.fileBytes)}`,
    `longest reads ${works(line.longestReads)}`,
  ].join(" · ");
}

function works({ workMs, heldMs }: LongestReads): string {
  const parts = Object.entries(workMs).map(([what, ms]) => `${what} ${ms.toFixed(1)}`);
  return `${parts.join(", ")} ms of work; ${heldMs.toFixed(1)} ms by the clock`;
}

function thousands(number: number): string {
  return Math.round(number).toLocaleString("en");
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}
