import { spawn } from "node:child_process";
import { once } from "node:events";
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
  const failed = once(child, "exit").then(([code]) => {
    throw new Error(`${name} ended with ${code} before it was done.`);
  });
  const until = <T>(register: (resolve: (value: T) => void) => void): Promise<T> => {
    const promise = Promise.race([new Promise<T>(register), failed]);
    promise.catch(() => {});
    return promise;
  };
  const listeners: {
    ready?: () => void;
    first?: (at: number) => void;
    result?: (result: WorkerResult) => void;
  } = {};
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (line === "ready") return listeners.ready?.();
    const said = JSON.parse(line) as { first?: number } & Partial<WorkerResult>;
    if (said.first !== undefined) listeners.first?.(said.first);
    else listeners.result?.(said as WorkerResult);
  });
  return {
    ready: until<void>((resolve) => {
      listeners.ready = resolve;
    }),
    first: until<number>((resolve) => {
      listeners.first = resolve;
    }),
    result: until<WorkerResult>((resolve) => {
      listeners.result = resolve;
    }),
  };
}
