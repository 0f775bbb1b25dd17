/**
 * Copies a store that is written at full speed, and checks each copy, time and again; prints a line of JSON for each.
 *
 *     node --import tsx churn-backups.ts DIRECTORY SECONDS
 */
import { rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { backupDirectory } from "../../../server/embedded/store/lmdb/backup.ts";

export interface BackupLine {
  readonly bytes: number;
  readonly snapshotHeldMs: number;
}

const pauseMs = 5000;

const [directory, seconds] = process.argv.slice(2) as [string, string];
const target = `${directory}-copy`;
const endMs = performance.now() + Number(seconds) * 1000;
while (performance.now() < endMs) {
  const { bytes, snapshotHeldMs } = await backupDirectory(directory, target);
  const line: BackupLine = { bytes, snapshotHeldMs };
  process.stdout.write(`${JSON.stringify(line)}\n`);
  rmSync(target, { recursive: true });
  await sleep(pauseMs);
}
