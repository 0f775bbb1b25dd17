/**
 * Checks or repairs a store in a process of its own: LMDB trusts its pages, and a damaged one can end the process that reads it.
 * Started by check-directory.ts, which holds the lock and gets the result as messages.
 *
 *     check-process check|repair DIRECTORY
 */
import { join } from "node:path";
import type { CheckProgress } from "./check-report.ts";
import { type CheckOutcome, checkFile, repairFile } from "./check-tasks.ts";
import { storeFile } from "./store-files.ts";

export type CheckMessage =
  | { readonly type: "progress"; readonly progress: CheckProgress }
  | { readonly type: "note"; readonly text: string }
  | CheckOutcome
  | { readonly type: "failed"; readonly text: string };

const progressEveryMs = 100;

function send(message: CheckMessage): Promise<void> {
  return new Promise((resolve) => process.send!(message, () => resolve()));
}

let reportedAt = 0;

function onProgress(progress: CheckProgress): void {
  if (performance.now() - reportedAt < progressEveryMs) return;
  reportedAt = performance.now();
  void send({ type: "progress", progress });
}

function onNote(text: string): void {
  void send({ type: "note", text });
}

// Whoever started it holds the lock: without him nothing may be changed.
const orphaned = () => process.exit(1);
process.on("disconnect", orphaned);

const [task, directory] = process.argv.slice(2);
try {
  if (task === "repair") {
    await send(await repairFile(directory!, { onProgress, onNote, mayFinish: () => process.connected }));
  } else {
    const { report } = await checkFile(join(directory!, storeFile), { onProgress, onNote });
    await send({ type: "checked", report });
  }
} catch (error) {
  await send({ type: "failed", text: (error as Error).message });
}
process.off("disconnect", orphaned);
process.disconnect();
