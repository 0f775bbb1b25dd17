import { statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { Environment, usedBytesOf } from "../environment.ts";
import { type CheckReport, Problems, type RepairReport } from "./check-report.ts";
import { type Findings, type OnProgress, StoreCheck } from "./store-check.ts";
import { FileExchange, storeFile } from "./store-files.ts";
import { StoreRepair } from "./store-repair.ts";

export type CheckOutcome =
  | { readonly type: "checked"; readonly report: CheckReport }
  | { readonly type: "repaired"; readonly report: RepairReport };

export interface TaskOptions {
  readonly onProgress?: OnProgress;
  /** For tests: how many messages are compared with the index at a time. */
  readonly windowMessages?: number;
  /** Told of what may end the process before there is a report. */
  readonly onNote?: (text: string) => void;
  /** Asked before files are exchanged. */
  readonly mayFinish?: () => boolean;
}

/**
 * Checks a store's file in this process, which a damaged page can end. Nobody may be writing it. Without findings, the file
 * cannot be opened at all.
 */
export async function checkFile(
  path: string,
  options: TaskOptions = {},
): Promise<{ report: CheckReport; findings?: Findings }> {
  let environment: Environment;
  try {
    const { size } = statSync(path);
    const usedBytes = await usedBytesOf(path);
    if (size < usedBytes) options.onNote?.(`the file is cut off: it has ${size} bytes of ${usedBytes}`);
    environment = new Environment(path, { readOnly: true });
  } catch (error) {
    const problems = new Problems();
    problems.add({ kind: "unreadable", text: `LMDB cannot open ${path}: ${(error as Error).message}` });
    const { list, count } = problems;
    return {
      report: { sound: false, clean: false, tables: {}, queues: [], problems: list, problemCount: count },
    };
  }
  try {
    const findings = await new StoreCheck(environment, path, options).run();
    return { report: findings.report, findings };
  } finally {
    await environment.close();
  }
}

/**
 * Repairs the store in a directory that nobody has open; a sound one is left alone.
 *
 * @throws Error if that cannot be done; the file is as it was then.
 */
export async function repairFile(directory: string, options: TaskOptions = {}): Promise<CheckOutcome> {
  const path = join(directory, storeFile);
  await fillUp(path);
  const { report: before, findings } = await checkFile(path, options);
  if (before.sound) return { type: "checked", report: before };
  if (findings === undefined)
    throw new Error(`${before.problems[0]!.text}. This cannot be repaired: go back to a backup`);
  const files = new FileExchange(directory);
  try {
    const source = new Environment(path, { readOnly: true });
    const target = new Environment(files.unfinished);
    let losses: readonly string[];
    try {
      losses = await new StoreRepair(source, target, findings, options.windowMessages).run();
    } finally {
      await source.close();
      await target.close();
    }
    const { report: after } = await checkFile(files.unfinished, options);
    if (!after.sound) {
      const left = after.problems.map(({ text }) => text).join("; ");
      throw new Error(`the repaired file is not sound, and the old one left as it was: ${left}`);
    }
    if (options.mayFinish?.() === false) throw new Error("nobody holds the lock any more");
    files.complete();
    return { type: "repaired", report: { before, after, losses, keptAs: files.keptAs } };
  } finally {
    files.remove();
  }
}

/** What is cut off is filled up with zeros: LMDB notices those, and would be ended by the lack of them. */
async function fillUp(path: string): Promise<void> {
  const usedBytes = await usedBytesOf(path).catch(() => 0); // The check says why.
  if (statSync(path).size < usedBytes) truncateSync(path, usedBytes);
}
