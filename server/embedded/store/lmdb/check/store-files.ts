import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { StoreError } from "../../store.ts";

/** The store's file in its directory. */
export const storeFile = "store.mdb";
const keptFile = "store.mdb.before-repair";
const unfinishedFile = "store.mdb.repairing";
/** What a new file may need beyond what the old one has. */
const spareBytes = 16 * 1024 * 1024;

/** Puts a repaired file in the place of the old one, which is kept under another name. */
export class FileExchange {
  readonly path: string;
  readonly keptAs: string;
  readonly unfinished: string;

  /** @throws StoreError `io` if there is no room, or an earlier repair's file is still there. */
  constructor(directory: string) {
    this.path = join(directory, storeFile);
    this.keptAs = join(directory, keptFile);
    this.unfinished = join(directory, unfinishedFile);
    if (existsSync(this.keptAs)) {
      throw new StoreError(
        "io",
        `${this.keptAs} is there already, from an earlier repair: move it away first`,
      );
    }
    this.remove();
    requireRoom(directory, statSync(this.path).size);
  }

  /** Also after a power cut there is one file or the other under the store's name, whole. */
  complete(): void {
    syncPath(this.unfinished);
    linkSync(this.path, this.keptAs);
    syncPath(dirname(this.path));
    renameSync(this.unfinished, this.path);
    removeLockFile(this.path);
    removeLockFile(this.unfinished);
    syncPath(dirname(this.path));
  }

  remove(): void {
    rmSync(this.unfinished, { force: true });
    removeLockFile(this.unfinished);
  }
}

/** @throws StoreError `io` if the disk has no room for a copy of so many bytes. */
export function requireRoom(directory: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(directory);
  const needed = bytes + spareBytes;
  if (bavail * bsize >= needed) return;
  const found = `${bavail * bsize} bytes are free and ${needed} are needed`;
  throw new StoreError("io", `there is no room in ${directory}: ${found}`);
}

/** LMDB's own lock file; it is made anew with the next opening. */
export function removeLockFile(path: string): void {
  rmSync(`${path}-lock`, { force: true });
}

/** Makes a file, or the names in a directory, outlast a power cut. */
export function syncPath(path: string): void {
  const handle = openSync(path, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
