import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export const builtMain = fileURLToPath(new URL("../../dist/server/main.js", import.meta.url));

/** A broker in a process of its own, the built one, as users run it. */
export interface BrokerProcess {
  readonly url: string;
  readonly port: number;
  readonly child: ChildProcess;
  /** Every line of its log so far, parsed. */
  readonly log: readonly { readonly [field: string]: unknown }[];
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGTERM; resolves to its exit code. */
  stop(): Promise<number | null>;
}

/** Starts a broker and waits until it listens. Rejects with its log if it ends before. */
export async function startBrokerProcess(flags: readonly string[]): Promise<BrokerProcess> {
  const child = spawn(process.execPath, [builtMain, "serve", "--log-format", "json", ...flags], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit") as Promise<[number | null]>;
  const log: { [field: string]: unknown }[] = [];
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout! }).on("line", (line) => {
      const entry = JSON.parse(line) as { [field: string]: unknown };
      log.push(entry);
      if (typeof entry.url === "string") resolve(entry.url);
    });
    exited.then(
      ([code]) => reject(new Error(`The broker ended with ${code}: ${JSON.stringify(log)}`)),
      reject,
    );
  });
  return {
    url,
    port: Number(new URL(url).port),
    child,
    log,
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
    async stop() {
      child.kill("SIGTERM");
      return (await exited)[0];
    },
  };
}
