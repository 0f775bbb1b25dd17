import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Opened } from "./opening-child.ts";

const childPath = fileURLToPath(new URL("./opening-child.ts", import.meta.url));

/** Opens stores in a process of its own, so that a crash of native code is a finding and not the end of the test. */
export class Opener {
  #child: ChildProcess | undefined;
  #lines: AsyncIterator<string> | undefined;
  #stderr = "";

  /** What is in the store, or what went wrong. */
  async open(directory: string): Promise<Opened | { readonly problem: string }> {
    const child = this.#start();
    child.stdin!.write(`${directory}\n`);
    const { value, done } = await this.#lines!.next();
    if (done !== true) {
      const stderr = this.#takeStderr();
      if (stderr !== "") return { problem: `The store wrote to stderr: ${stderr}` };
      return JSON.parse(value) as Opened;
    }
    this.#child = undefined;
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    return { problem: `The process ended with ${child.signalCode ?? child.exitCode}: ${this.#takeStderr()}` };
  }

  async close(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    child.stdin!.end();
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  }

  #start(): ChildProcess {
    if (this.#child !== undefined) return this.#child;
    const child = spawn(process.execPath, ["--import", "tsx", childPath], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    child.stderr.on("data", (text) => {
      this.#stderr += text;
    });
    // It may be gone already; that shows when its answer does not come.
    child.stdin.on("error", () => {});
    const lines: Interface = createInterface({ input: child.stdout });
    this.#lines = lines[Symbol.asyncIterator]();
    this.#child = child;
    return child;
  }

  #takeStderr(): string {
    const text = this.#stderr;
    this.#stderr = "";
    return text;
  }
}
