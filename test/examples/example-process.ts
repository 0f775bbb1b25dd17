import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const repository = fileURLToPath(new URL("../..", import.meta.url));

/** `npm run example:orders -- …` without the build, with a temporary directory of its own. */
export class ExampleProcess {
  /** Everything that it has written so far. */
  output = "";
  readonly temporaryDir = mkdtempSync(join(tmpdir(), "posthorn-example-test-"));
  /** Resolves with the exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
  readonly #child: ChildProcess;
  #waiting: (() => void)[] = [];

  constructor(...args: string[]) {
    this.#child = spawn(process.execPath, ["--import", "tsx", "examples/orders/main.ts", ...args], {
      cwd: repository,
      env: { ...process.env, TMPDIR: this.temporaryDir },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const wake = () => {
      for (const resolve of this.#waiting.splice(0)) resolve();
    };
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.output += text;
        wake();
      });
    }
    this.ended = new Promise((resolve) => {
      this.#child.once("close", (code, signal) => {
        resolve(code ?? signal);
        wake();
      });
    });
  }

  /** The first group of `pattern` as soon as it has been written. Rejects if the process ends before. */
  async wrote(pattern: RegExp): Promise<string> {
    for (;;) {
      const match = pattern.exec(this.output);
      if (match) return match[1] ?? match[0];
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
        throw new Error(`The example ended before it wrote ${pattern}:\n${this.output}`);
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Data directories that it has left behind. */
  dataDirs(): string[] {
    return readdirSync(this.temporaryDir).filter((name) => name.startsWith("posthorn-orders-"));
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | NodeJS.Signals | null> {
    this.#child.kill(signal);
    return this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.temporaryDir, { recursive: true, force: true });
  }
}
