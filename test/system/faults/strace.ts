import { spawnSync } from "node:child_process";

/** Everything that can change the store's file, and what leaves through sockets. */
const tracedCalls = [
  "openat",
  "close",
  "mmap",
  "pwrite64",
  "pwritev",
  "pwritev2",
  "write",
  "writev",
  "sendmsg",
  "sendto",
  "lseek",
  "ftruncate",
  "fallocate",
  "fdatasync",
  "fsync",
  "msync",
];

/** More than any single write: a row of 16 MiB. */
const maxStringBytes = 20 * 1024 * 1024;

const options = ["-D", "-f", "--seccomp-bpf", "-q"];

/**
 * The command that runs a program under strace and writes what it does to `traceFile`. The program itself is the child (-D),
 * so that signals and exit codes are its own. Strings are in hexadecimal (-xx), descriptors with their paths and addresses (-yy).
 */
export function straceCommand(traceFile: string, inject: readonly string[] = []): string[] {
  const faults = inject.flatMap((fault) => ["-e", `inject=${fault}`]);
  const strings = ["-xx", "-s", String(maxStringBytes)];
  const traced = ["-e", `trace=${tracedCalls.join(",")}`];
  return ["strace", ...options, "-ttt", "-yy", ...strings, ...traced, ...faults, "-o", traceFile];
}

/** Why strace cannot be used here; undefined if it can. */
export function straceProblem(): string | undefined {
  if (process.platform !== "linux") return "strace is for Linux only";
  const fault = ["-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO"];
  const tried = spawnSync("strace", [...options, ...fault, "-o", "/dev/null", "true"], { encoding: "utf8" });
  if (tried.error !== undefined) return "strace is not installed";
  if (tried.status !== 0) return `strace cannot trace here: ${tried.stderr.trim().split("\n").at(-1) ?? ""}`;
  return undefined;
}
