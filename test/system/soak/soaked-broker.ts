import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { processMemoryBytes } from "../../../bench/process-figures.ts";
import type { BrokerStarted, BrokerState } from "./broker-child.ts";
import type { Sample } from "./sample.ts";

const childPath = fileURLToPath(new URL("./broker-child.ts", import.meta.url));

/** The broker's process, seen from outside and asked about its inside. */
export class SoakedBroker {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #dataDir: string;
  readonly #startedAtMs = performance.now();
  /** Rejects when it ends. */
  readonly #ended: Promise<never>;

  private constructor(child: ChildProcess, ended: Promise<never>, dataDir: string, url: string) {
    this.#child = child;
    this.#ended = ended;
    this.#dataDir = dataDir;
    this.url = url;
  }

  static async start(dataDir: string): Promise<SoakedBroker> {
    const flags = ["--port", "0", "--data-dir", dataDir, "--log-level", "warn", "--log-format", "json"];
    const child = fork(childPath, flags, { execArgv: ["--import", "tsx"], stdio: "inherit" });
    const ended = once(child, "exit").then(([code, signal]) => {
      throw new Error(`The broker ended with ${signal ?? code}.`);
    });
    // Who waits for something else hears of it.
    ended.catch(() => {});
    const [started] = (await Promise.race([once(child, "message"), ended])) as [BrokerStarted];
    return new SoakedBroker(child, ended, dataDir, started.url);
  }

  async sample(): Promise<Sample> {
    this.#child.send("state");
    const heard = once(this.#child, "message");
    const [state] = (await Promise.race([heard, this.#ended])) as [BrokerState];
    const pid = this.#child.pid!;
    return {
      seconds: (performance.now() - this.#startedAtMs) / 1000,
      memoryBytes: processMemoryBytes(pid, "RssAnon"),
      residentBytes: processMemoryBytes(pid, "VmRSS"),
      heapBytes: state.heapBytes,
      fileBytes: fileBytesIn(this.#dataDir),
      openFiles: readdirSync(`/proc/${pid}/fd`).length,
      longestTurnMs: state.longestTurnMs,
      ...state.counts,
    };
  }

  /** Resolves to its exit code. */
  async stop(): Promise<number | null> {
    const exited = once(this.#child, "exit") as Promise<[number | null]>;
    this.#child.send("stop");
    return (await exited)[0];
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

function fileBytesIn(directory: string): number {
  return readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
}
