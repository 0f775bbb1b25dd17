import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../../server/main.ts", import.meta.url));

function start(args: readonly string[]): ChildProcess {
  return spawn(process.execPath, ["--import", "tsx", main, ...args], { stdio: ["ignore", "pipe", "pipe"] });
}

export interface CommandRun {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs `posthorn` from its sources, to its end. */
export async function posthornCommand(...args: string[]): Promise<CommandRun> {
  const child = start(args);
  const [[code], out, err] = await Promise.all([
    once(child, "exit") as Promise<[number | null]>,
    text(child.stdout!),
    text(child.stderr!),
  ]);
  return { code, out, err };
}

export interface SourceBroker {
  readonly url: string;
  /** What it wrote to standard error. */
  errors(): string;
  /** Its log. */
  readonly lines: readonly string[];
  kill(): Promise<void>;
  /** SIGTERM; resolves to its exit code. */
  stop(): Promise<number | null>;
}

/** Starts a broker from its sources and waits until it listens. */
export async function startSourceBroker(dataDir: string, ...flags: string[]): Promise<SourceBroker> {
  const child = start(["serve", "--log-format", "json", "--port", "0", "--data-dir", dataDir, ...flags]);
  const exited = once(child, "exit") as Promise<[number | null]>;
  const lines: string[] = [];
  let errors = "";
  child.stderr!.on("data", (chunk) => {
    errors += chunk;
  });
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout! }).on("line", (line) => {
      lines.push(line);
      const { url: found } = JSON.parse(line) as { url?: string };
      if (found !== undefined) resolve(found);
    });
    exited.then(
      ([code]) => reject(new Error(`The broker ended with ${code}: ${lines.join("\n")}${errors}`)),
      reject,
    );
  });
  const end = async (signal: "SIGKILL" | "SIGTERM") => {
    child.kill(signal);
    return (await exited)[0];
  };
  return {
    url,
    lines,
    errors: () => errors,
    kill: async () => {
      await end("SIGKILL");
    },
    stop: () => end("SIGTERM"),
  };
}
