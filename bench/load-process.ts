import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Address } from "./drivers/driver.ts";
import type { Order, Report, SetUp, Task, TaskResult } from "./roles/task.ts";

const entry = fileURLToPath(new URL("./roles/load-generator.ts", import.meta.url));

/** One load generator, in a process of its own. */
export class LoadProcess {
  /** The first message came, in milliseconds on `monotonicMs`. */
  readonly firstAtMs: Promise<number>;
  readonly result: Promise<TaskResult>;
  /** Called with the number of messages that a consumer has. */
  onConsumed: (count: number) => void = () => {};
  readonly #child: ChildProcess;
  readonly #ready: Promise<SetUp>;

  constructor(address: Address, task: Task) {
    this.#child = fork(entry, [JSON.stringify({ address, task })], { execArgv: ["--import", "tsx"] });
    let isReady: (setUp: SetUp) => void = () => {};
    let isFirst: (atMs: number) => void = () => {};
    const failures: ((error: Error) => void)[] = [];
    this.#ready = new Promise((resolve, reject) => {
      isReady = resolve;
      failures.push(reject);
    });
    this.firstAtMs = new Promise((resolve, reject) => {
      isFirst = resolve;
      failures.push(reject);
    });
    this.result = new Promise((resolve, reject) => {
      failures.push(reject);
      this.#child.on("message", (report: Report) => {
        if (report.report === "ready") isReady(report);
        else if (report.report === "first") isFirst(report.atMs);
        else if (report.report === "consumed") this.onConsumed(report.count);
        else if (report.report === "done") resolve(report.result);
        else fail(new Error(report.message));
      });
    });
    const fail = (error: Error) => {
      for (const reject of failures) reject(error);
    };
    this.#child.on("error", fail);
    this.#child.on("exit", (code, signal) =>
      fail(new Error(`${task.role} ended with ${signal ?? code} before it was done.`)),
    );
    // Not everyone waits for everything.
    for (const promise of [this.#ready, this.firstAtMs, this.result]) promise.catch(() => {});
  }

  /** Resolves when it is set up. */
  ready(): Promise<SetUp> {
    return this.#ready;
  }

  tell(order: Order): void {
    if (this.#child.connected) this.#child.send(order);
  }

  /** Lets it leave; kills it if it does not. */
  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.tell({ order: "leave" });
    const impatience = setTimeout(() => this.#child.kill("SIGKILL"), 3000);
    await exited;
    clearTimeout(impatience);
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}
