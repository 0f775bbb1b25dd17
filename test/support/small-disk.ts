import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A file system of its own in memory, of a few MiB. */
export interface SmallDisk {
  readonly directory: string;
  remove(): void;
}

/** Mounts one, or says why that is not possible here: only Linux's root may. */
export function mountSmallDisk(mebibytes: number): SmallDisk | string {
  const directory = mkdtempSync(join(tmpdir(), "posthorn-disk-"));
  const remove = () => rmSync(directory, { recursive: true });
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${mebibytes}m`, "tmpfs", directory], { stdio: "pipe" });
  } catch (error) {
    remove();
    return `no tmpfs can be mounted: ${(error as Error).message.trim()}`;
  }
  return {
    directory,
    remove() {
      execFileSync("umount", [directory], { stdio: "pipe" });
      remove();
    },
  };
}
