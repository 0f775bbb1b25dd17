import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export interface WorkerResult {
  readonly seconds: number;
  readonly cpuSeconds: number;
}

export interface Worker {
  /** The worker has said that it is set up. */
  readonly ready: Promise<void>;
  /** When its first message came: milliseconds since 1970. */
  readonly first: Promise<number>;
  readonly result: Promise<WorkerResult>;
}

/** Starts one load generator in a process of its own. */
export function startWorker(name: "produce" | "consume", args: readonly string[]): Worker {
  const file = fileURLToPath(new URL(`./workers/${name}.ts`, import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", file, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ready = deferred<void>();
  const first = deferred<number>();
  const result = deferred<WorkerResult>();
  let said: WorkerResult | undefined;
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (line === "ready") return ready.resolve();
    const report = JSON.parse(line) as { first?: number } & Partial<WorkerResult>;
    if (report.first !== undefined) first.resolve(report.first);
    else said = report as WorkerResult;
  });
  // The result counts once the worker has left: its broker may be stopped then.
  child.on("close", (code) => {
    if (code === 0 && said !== undefined) return result.resolve(said);
    const error = new Error(`${name} ended with ${code} before it was done.`);
    for (const { reject } of [ready, first, result]) reject(error);
  });
  return { ready: ready.promise, first: first.promise, result: result.promise };
}

interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: Error): void;
}

function deferred<T>(): Deferred<T> {
  let settle: Omit<Deferred<T>, "promise"> | undefined;
  const promise = new Promise<T>((resolve, reject) => {
    settle = { resolve, reject };
  });
  // Not everyone waits for everything.
  promise.catch(() => {});
  return { promise, ...(settle as Omit<Deferred<T>, "promise">) };
}
