import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** A line of /proc/PID/status in bytes; `RssAnon` leaves out maps of files, which are page cache. */
export function processMemoryBytes(pid: number, line: "RssAnon" | "VmRSS"): number {
  const match = new RegExp(`^${line}:\\s+(\\d+) kB`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  if (match === null) throw new Error(`/proc/${pid}/status has no ${line}.`);
  return Number(match[1]) * 1024;
}

/** User and system CPU time of a process so far, in seconds. */
export function processCpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** The process that listens on a TCP port of this machine; undefined if it is not ours to see, or no Linux. */
export function listeningProcess(port: number): number | undefined {
  try {
    const inodes = new Set(
      ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((file) => listeningInodes(file, port)),
    );
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .find((pid) => holdsSocket(pid, inodes));
  } catch {
    return undefined;
  }
}

const listenState = "0A";

/** Rows of /proc/net/tcp: `sl local:port remote:port state … inode`, addresses and ports in hexadecimal. */
export function inodesOf(table: string, port: number): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return table
    .split("\n")
    .map((row) => row.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(suffix) && fields[3] === listenState)
    .map((fields) => fields[9]!);
}

function listeningInodes(file: string, port: number): string[] {
  return inodesOf(readFileSync(file, "utf8"), port);
}

function holdsSocket(pid: number, inodes: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
      return inode !== undefined && inodes.has(inode);
    });
  } catch {
    // It has ended meanwhile, or belongs to somebody else.
    return false;
  }
}
