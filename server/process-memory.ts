import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

const rssAnon = /^RssAnon:\s+(\d+) kB$/m;

/**
 * What this process uses: its anonymous memory, so without LMDB's map, which is the system's cache of a file; but no more than
 * V8 and its buffers hold. The C library keeps what was freed for the next allocations, and with that counted in, a broker
 * that had been filled and drained would count as full for good (measured: 330 MiB kept of 400, with nothing queued).
 */
export function usedMemoryBytes(): number {
  const { heapTotal, external } = process.memoryUsage();
  return Math.min(anonymousBytes(), heapTotal + external);
}

/** Infinite where the system does not tell. */
function anonymousBytes(): number {
  try {
    const found = rssAnon.exec(readFileSync("/proc/self/status", "latin1"));
    return found === null ? Number.POSITIVE_INFINITY : Number(found[1]) * 1024;
  } catch {
    // Not Linux.
    return Number.POSITIVE_INFINITY;
  }
}

let collect: (() => void) | undefined;

/** Stops everything else for as long as a full collection takes: some 10 ms for each 100 MB of objects. */
export function collectGarbage(): void {
  if (collect === undefined) {
    // The function is there only in contexts made after the flag was set.
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as () => void;
  }
  collect();
}
