import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join, resolve, sep } from "node:path";
import { StoreError } from "../store.ts";
import { checkDirectory } from "./check/check-directory.ts";
import type { CheckProgress, CheckReport } from "./check/check-report.ts";
import { removeLockFile, requireRoom, storeFile, syncPath } from "./check/store-files.ts";
import { Environment, Writes } from "./environment.ts";
import { requireStore, writeMarker } from "./format-marker.ts";
import { copySnapshot } from "./snapshot-copy.ts";

export interface BackupOptions {
  /** Check the copy before it gets its name. Default: true. */
  readonly verify?: boolean;
  readonly onProgress?: (progress: CheckProgress) => void;
}

export interface BackupReport {
  /** Size of the copy. */
  readonly bytes: number;
  /** How long a snapshot was held at most, in milliseconds: for that long the broker's file could not use freed pages again. */
  readonly snapshotHeldMs: number;
  /** Commits that the copy has. */
  readonly commit: number;
  /** Absent if it was not verified. */
  readonly report?: CheckReport;
}

/** The file may outgrow the map that it was opened with before the snapshot is taken. */
const attempts = 3;

/**
 * Copies a store, while a broker writes it or not, into a directory that does not exist or is empty. The copy appears there
 * whole or not at all, is on disk by then, and holds every commit that was flushed before the call. It says that the stop
 * was not clean: what the broker has handed out since is not known.
 *
 * @throws StoreError `not-a-store` or `newer-format`; `io` if the target is in use or the copy failed; `damaged` if the copy
 * is not sound, and then nothing is left of it.
 */
export async function backupDirectory(
  from: string,
  to: string,
  { verify = true, onProgress }: BackupOptions = {},
): Promise<BackupReport> {
  const source = resolve(from);
  const target = resolve(to);
  const path = join(source, storeFile);
  requireStore(source);
  if (!existsSync(path)) throw new StoreError("not-a-store", `${source} has no ${storeFile}`);
  requireTarget(source, target);
  mkdirSync(dirname(target), { recursive: true });
  requireRoom(dirname(target), statSync(path).size);
  const unfinished = mkdtempSync(join(dirname(target), `.${basename(target)}-unfinished-`));
  try {
    const copy = join(unfinished, storeFile);
    const snapshotHeldMs = await copyFile(path, copy);
    const commit = await markNotClean(copy);
    writeMarker(unfinished);
    const report = verify ? await verified(unfinished, onProgress) : undefined;
    removeLockFile(copy);
    syncPath(copy);
    syncPath(unfinished);
    renameSync(unfinished, target);
    syncPath(dirname(target));
    const { size: bytes } = statSync(join(target, storeFile));
    return { bytes, snapshotHeldMs, commit, ...(report === undefined ? {} : { report }) };
  } catch (error) {
    if (error instanceof StoreError) throw error;
    const text = `${source} cannot be copied to ${target}: ${(error as Error).message}`;
    throw new StoreError("io", text, { cause: error });
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

function requireTarget(source: string, target: string): void {
  if (target === source || target.startsWith(source + sep))
    throw new StoreError("io", `${target} is in the store's own directory`);
  if (!existsSync(target)) return;
  if (!statSync(target).isDirectory()) throw new StoreError("io", `${target} is not a directory`);
  if (readdirSync(target).length > 0) throw new StoreError("io", `${target} is not empty`);
}

/** Returns how long a snapshot was held at most. */
async function copyFile(path: string, copy: string): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const environment = new Environment(path, { readOnly: true });
    try {
      await copySnapshot(environment, path, copy);
      return environment.longestReadMs;
    } catch (error) {
      rmSync(copy, { force: true });
      if (attempt === attempts) throw error;
    } finally {
      await environment.close();
    }
  }
}

/** Returns the number of the last commit. */
async function markNotClean(copy: string): Promise<number> {
  const environment = new Environment(copy);
  try {
    const head = environment.head();
    if (head === undefined) return 0;
    if (head.clean)
      await environment.commit(new Writes(), { ...head, commit: head.commit + 1, clean: false });
    return head.commit;
  } finally {
    await environment.close();
  }
}

async function verified(
  directory: string,
  onProgress: ((progress: CheckProgress) => void) | undefined,
): Promise<CheckReport> {
  const outcome = await checkDirectory(directory, onProgress === undefined ? {} : { onProgress });
  const report = outcome.type === "checked" ? outcome.report : outcome.report.after;
  if (report.sound) return report;
  const text = `the copy is not sound, and was removed: ${report.problems[0]?.text}; check the store it was made of`;
  throw new StoreError("damaged", text);
}
