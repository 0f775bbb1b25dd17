import { execFileSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { tmpdir } from "node:os";

const sectorBytes = 512;
const sectorsWrittenField = 6;

/**
 * Bytes that have been written so far to the disk on which temporary directories are, by whomever, with what still waited
 * in the page cache. Undefined if the system does not tell. What the kernel counts for a process (`/proc/PID/io`) is no use:
 * it counts whole folios of the page cache, which for small writes all over a file is several times what goes to the disk.
 */
export function diskWrittenBytes(): number | undefined {
  try {
    execFileSync("sync");
    const { dev } = statSync(tmpdir());
    const major = (dev >> 8) & 0xfff;
    const minor = (dev & 0xff) | ((dev >> 12) & 0xfff00);
    const fields = readFileSync(`/sys/dev/block/${major}:${minor}/stat`, "utf8").trim().split(/\s+/);
    return Number(fields[sectorsWrittenField]) * sectorBytes;
  } catch {
    return undefined;
  }
}
