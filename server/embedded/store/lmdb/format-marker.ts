import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { StoreError } from "../store.ts";
import { isLockFile } from "./directory-lock.ts";

/** Raised when an older version could not read what this one writes. */
export const formatVersion = 1;
const markerName = "store.json";
const unfinishedName = "store.json.new";

/** What LMDB makes before the store's first commit. */
const storeNames: ReadonlySet<string> = new Set(["store.mdb", "store.mdb-lock"]);

/**
 * Makes the directory if need be, and checks that it holds a store of a format that this version can read, or nothing, or
 * a store that was never finished. The marker is a file and not a row, so that also a format that LMDB itself could not
 * open is told from damage.
 *
 * @throws StoreError `newer-format` or `not-a-store`.
 */
export function prepareDirectory(directory: string): void {
  mkdirSync(directory, { recursive: true });
  const names = readdirSync(directory);
  if (names.includes(markerName)) {
    checkMarker(directory);
    return;
  }
  const isUnfinished = names.includes(unfinishedName);
  const isOurs = (name: string) =>
    isLockFile(name) || name === unfinishedName || (isUnfinished && storeNames.has(name));
  const foreign = names.find((name) => !isOurs(name));
  if (foreign !== undefined) {
    throw new StoreError(
      "not-a-store",
      `${directory} holds ${foreign} and no ${markerName}: it is not a Posthorn store`,
    );
  }
}

/**
 * To be called under the directory's lock, before the store is opened. If there is no finished store, makes sure that
 * there is none at all, and returns true: {@link finishStore} has to follow the first commit. LMDB writes its first pages
 * without syncing them, and would end the process on what a power cut has left of them.
 */
export function beginStore(directory: string): boolean {
  if (existsSync(join(directory, markerName))) return false;
  writeUnfinished(directory);
  for (const name of storeNames) rmSync(join(directory, name), { force: true });
  syncDirectory(directory);
  return true;
}

/** The store is there for good, and so is its file's name in the directory. */
export function finishStore(directory: string): void {
  renameSync(join(directory, unfinishedName), join(directory, markerName));
  syncDirectory(directory);
}

/**
 * Checks that the directory holds a store of a format that this version can read; makes nothing.
 *
 * @throws StoreError `newer-format` or `not-a-store`.
 */
export function requireStore(directory: string): void {
  if (!existsSync(join(directory, markerName))) {
    throw new StoreError("not-a-store", `${directory} has no ${markerName}: it is not a Posthorn store`);
  }
  checkMarker(directory);
}

function checkMarker(directory: string): void {
  const path = join(directory, markerName);
  let format: unknown;
  try {
    format = (JSON.parse(readFileSync(path, "utf8")) as { format?: unknown } | null)?.format;
  } catch (cause) {
    throw new StoreError("not-a-store", `${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
  if (typeof format !== "number") throw new StoreError("not-a-store", `${path} names no format version`);
  if (format > formatVersion) {
    const found = `${directory} has format ${format}, and this version reads up to ${formatVersion}`;
    throw new StoreError("newer-format", `${found}: it was written by a newer Posthorn`);
  }
}

/** Marks a directory whose store is complete. Appears whole or not at all. */
export function writeMarker(directory: string): void {
  writeUnfinished(directory);
  finishStore(directory);
}

function writeUnfinished(directory: string): void {
  const file = openSync(join(directory, unfinishedName), "w");
  try {
    writeSync(file, `${JSON.stringify({ store: "posthorn", format: formatVersion })}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function syncDirectory(directory: string): void {
  const folder = openSync(directory, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
