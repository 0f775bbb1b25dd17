import { readFileSync } from "node:fs";
import { type BrokerProcess, startBrokerProcess } from "../test/support/broker-process.ts";

/** Starts the built broker on a free port with limits that leave room for a benchmark. */
export function startBrokerUnderTest(dataDir: string, flags: readonly string[] = []): Promise<BrokerProcess> {
  const wide = ["--max-connections-per-ip", "100000", "--max-unauthenticated-per-ip", "100000"];
  return startBrokerProcess(["--data-dir", dataDir, "--port", "0", ...wide, ...flags]);
}

/** A line of /proc/PID/status in bytes; `RssAnon` leaves out the LMDB map, which is page cache. */
export function processMemory(pid: number, line: "RssAnon" | "VmRSS"): number {
  const match = new RegExp(`^${line}:\\s+(\\d+) kB`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  if (match === null) throw new Error(`/proc/${pid}/status has no ${line}.`);
  return Number(match[1]) * 1024;
}

/** User and system CPU time of a process so far, in seconds. */
export function processCpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
