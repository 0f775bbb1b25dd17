import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { builtMain } from "../../support/broker-process.ts";
import { straceCommand } from "./strace.ts";

export interface TracedBrokerOptions {
  readonly dataDir: string;
  readonly traceFile: string;
  /** Faults, as after `strace -e inject=`. Default: none. */
  readonly inject?: readonly string[];
}

export interface Ended {
  readonly exitCode: number | null;
  readonly signal: string | null;
}

/** A broker in a process of its own, under strace. */
export interface TracedBroker {
  readonly url: string;
  readonly child: ChildProcess;
  /** Every line of its log so far, parsed. */
  readonly log: readonly { readonly [field: string]: unknown }[];
  /** What it and its native code wrote to stderr so far. */
  stderr(): string;
  /** Resolves when the process has ended and the trace is complete. */
  readonly ended: Promise<Ended>;
  /** SIGTERM; resolves as `ended`. */
  stop(): Promise<Ended>;
}

export function storeFileOf(dataDir: string): string {
  return join(dataDir, "store.mdb");
}

/** Starts a broker under strace and waits until it listens. Rejects with its log if it ends before. */
export async function startTracedBroker(options: TracedBrokerOptions): Promise<TracedBroker> {
  const [strace, ...flags] = straceCommand(options.traceFile, options.inject);
  const serve = ["serve", "--log-format", "json", "--port", "0", "--data-dir", options.dataDir];
  const child = spawn(strace!, [...flags, process.execPath, builtMain, ...serve], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  // Strace has the same pipes open: they close when it has written the last line.
  const ended = once(child, "close").then(([exitCode, signal]): Ended => ({ exitCode, signal }));
  let stderr = "";
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  const log: { [field: string]: unknown }[] = [];
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      const entry = JSON.parse(line) as { [field: string]: unknown };
      log.push(entry);
      if (typeof entry.url === "string") resolve(entry.url);
    });
    ended.then(
      ({ exitCode }) =>
        reject(new Error(`The broker ended with ${exitCode}: ${JSON.stringify(log)} ${stderr}`)),
      reject,
    );
  });
  return {
    url,
    child,
    log,
    stderr: () => stderr,
    ended,
    stop() {
      child.kill("SIGTERM");
      return ended;
    },
  };
}
