import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { StoreError } from "../store.ts";
import { isLockFile } from "./directory-lock.ts";

/** Raised when an older version could not read what this one writes. */
export const formatVersion = 1;
const markerName = "store.json";
const unfinishedName = "store.json.new";

/**
 * Makes the directory if need be, and checks that it holds a store of a format that this version can read, or nothing.
 * The marker is a file and not a row, so that also a format that LMDB itself could not open is told from damage.
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
  const foreign = names.find((name) => !isLockFile(name) && name !== unfinishedName);
  if (foreign !== undefined) {
    throw new StoreError(
      "not-a-store",
      `${directory} holds ${foreign} and no ${markerName}: it is not a Posthorn store`,
    );
  }
  writeMarker(directory);
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

/** Appears whole or not at all. */
function writeMarker(directory: string): void {
  const unfinished = join(directory, unfinishedName);
  const file = openSync(unfinished, "w");
  try {
    writeSync(file, `${JSON.stringify({ store: "posthorn", format: formatVersion })}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(unfinished, join(directory, markerName));
  const folder = openSync(directory, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
