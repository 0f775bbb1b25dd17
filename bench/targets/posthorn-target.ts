import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import type { Address } from "../drivers/driver.ts";
import type { OpenTarget, Target } from "./target.ts";

/** The benchmark comes from one address with thousands of connections; the checks themselves stay on. */
const wideLimits = ["--max-connections-per-ip", "100000", "--max-unauthenticated-per-ip", "100000"];

/**
 * The broker built in `root`, started for each workload in a process of its own, with data of its own.
 * @param profileDirectory Where it writes a CPU profile when it ends.
 */
export function posthornTarget(label: string, root: string, profileDirectory?: string): Target {
  const nodeFlags =
    profileDirectory === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${resolve(profileDirectory)}`];
  return { label, kind: "posthorn", open: () => RunningPosthorn.start(root, nodeFlags) };
}

class RunningPosthorn implements OpenTarget {
  readonly dataDirectory: string;
  readonly #root: string;
  readonly #nodeFlags: readonly string[];
  #child: ChildProcess | undefined;
  #url = "";

  private constructor(root: string, nodeFlags: readonly string[]) {
    this.#root = root;
    this.#nodeFlags = nodeFlags;
    this.dataDirectory = mkdtempSync(join(tmpdir(), "posthorn-bench-"));
  }

  static async start(root: string, nodeFlags: readonly string[]): Promise<RunningPosthorn> {
    const running = new RunningPosthorn(root, nodeFlags);
    try {
      await running.#start();
    } catch (error) {
      await running.close();
      throw error;
    }
    return running;
  }

  get address(): Address {
    return { kind: "posthorn", url: this.#url, options: { root: this.#root } };
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  restart = async (): Promise<void> => {
    await this.#stop();
    await this.#start();
  };

  async close(): Promise<void> {
    await this.#stop();
    rmSync(this.dataDirectory, { recursive: true, force: true });
  }

  async #start(): Promise<void> {
    const main = join(this.#root, "dist", "server", "main.js");
    const flags = ["--port", "0", "--data-dir", this.dataDirectory, "--log-format", "json", ...wideLimits];
    const child = spawn(process.execPath, [...this.#nodeFlags, main, "serve", ...flags], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#child = child;
    const lines = createInterface({ input: child.stdout });
    this.#url = await new Promise<string>((listening, reject) => {
      let last = "";
      lines.on("line", (line) => {
        last = line;
        const { url } = JSON.parse(line) as { url?: string };
        if (url !== undefined) listening(url);
      });
      child.on("error", reject);
      child.on("exit", (code) => reject(new Error(`Posthorn ended with ${code}: ${last}`)));
    });
  }

  async #stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    const impatience = setTimeout(() => child.kill("SIGKILL"), 15_000);
    await exited;
    clearTimeout(impatience);
  }
}
