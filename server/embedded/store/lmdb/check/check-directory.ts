import { fork } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { extname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { StoreError } from "../../store.ts";
import { DirectoryLock } from "../directory-lock.ts";
import { requireStore } from "../format-marker.ts";
import type { CheckMessage } from "./check-process.ts";
import type { CheckProgress, CheckReport } from "./check-report.ts";
import type { CheckOutcome } from "./check-tasks.ts";
import { storeFile } from "./store-files.ts";

export interface CheckOptions {
  /** Repair what is found. A sound store is left alone. Default: false. */
  readonly repair?: boolean;
  readonly onProgress?: (progress: CheckProgress) => void;
}

/**
 * Checks a store that no broker has open, and repairs it if asked to.
 *
 * @throws StoreError `locked`, `not-a-store` or `newer-format`; `io` if it could not be checked or repaired.
 */
export async function checkDirectory(path: string, options: CheckOptions = {}): Promise<CheckOutcome> {
  const directory = resolve(path);
  requireStore(directory);
  if (!existsSync(join(directory, storeFile))) {
    throw new StoreError(
      "not-a-store",
      `${directory} has no ${storeFile}: nothing has been stored in it yet`,
    );
  }
  const lock = await DirectoryLock.acquire(directory);
  try {
    return await runProcess(directory, options);
  } finally {
    lock.release();
  }
}

async function runProcess(
  directory: string,
  { repair = false, onProgress }: CheckOptions,
): Promise<CheckOutcome> {
  const module = new URL(`./check-process${extname(fileURLToPath(import.meta.url))}`, import.meta.url);
  const child = fork(module, [repair ? "repair" : "check", directory], {
    serialization: "advanced",
    // LMDB itself writes there, a line for each page that it cannot make sense of.
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
  let outcome: CheckOutcome | undefined;
  let failure: string | undefined;
  let note = "";
  let last: CheckProgress | undefined;
  child.on("message", (message: CheckMessage) => {
    if (message.type === "progress") {
      last = message.progress;
      onProgress?.(message.progress);
    } else if (message.type === "note") note = `${message.text}; `;
    else if (message.type === "failed") failure = message.text;
    else outcome = message;
  });
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  if (outcome !== undefined) return outcome;
  if (failure !== undefined) throw new StoreError("io", failure);
  const place = last === undefined ? "" : ` in the table ${last.table}, after ${last.rows} rows`;
  const text = `${note}LMDB could not go on reading its file${place}: its process ended with ${signal ?? code}`;
  if (repair) throw new StoreError("io", `${text}. This cannot be repaired: go back to a backup`);
  return { type: "checked", report: { ...unreadable, problems: [{ kind: "unreadable", text }] } };
}

const unreadable: CheckReport = {
  sound: false,
  clean: false,
  tables: {},
  queues: [],
  problems: [],
  problemCount: 1,
};
