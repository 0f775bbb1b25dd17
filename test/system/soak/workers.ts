import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { WorkerMessage, WorkerOrder, WorkerTask } from "./worker.ts";

const childPath = fileURLToPath(new URL("./worker-child.ts", import.meta.url));

/** Processes of clients. Each can be killed, and comes back. */
export class Workers {
  /** What they have told so far. */
  readonly totals = { confirmed: 0, acked: 0, requeued: 0, live: 0 };
  /** What went wrong that should not. */
  readonly problems: string[] = [];
  readonly #tasks: readonly WorkerTask[];
  readonly #children: (ChildProcess | undefined)[];
  #generation = 0;

  constructor(tasks: readonly WorkerTask[]) {
    this.#tasks = tasks;
    this.#children = tasks.map(() => undefined);
  }

  startAll(): void {
    for (const index of this.#tasks.keys()) this.start(index);
  }

  /** Starts one that does not run. */
  start(index: number): void {
    if (this.#children[index] !== undefined) return;
    const task = { ...this.#tasks[index]!, seed: this.#tasks[index]!.seed + 1000 * this.#generation++ };
    const child = fork(childPath, [JSON.stringify(task)], { execArgv: ["--import", "tsx"] });
    this.#children[index] = child;
    child.on("message", (message: WorkerMessage) => {
      if (message === "finished") return;
      for (const key of Object.keys(message) as (keyof typeof message)[]) this.totals[key] += message[key];
    });
    child.on("exit", (code, signal) => {
      this.#children[index] = undefined;
      if (signal !== "SIGKILL" && code !== 0)
        this.problems.push(`a process of clients ended with ${signal ?? code}`);
    });
  }

  /** SIGKILL: its sockets are closed by the system, and nobody says goodbye. */
  async kill(index: number): Promise<void> {
    const child = this.#children[index];
    if (child === undefined) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }

  order(index: number, order: WorkerOrder): void {
    this.#children[index]?.send(order);
  }

  /** All publish no more, and have the confirms of what they published. */
  async finish(): Promise<void> {
    await this.#each("finish", (child) => until(child, "finished"));
  }

  /** All close what they have and go. */
  async leave(): Promise<void> {
    await this.#each("leave", (child) => once(child, "exit"));
  }

  killAll(): void {
    for (const child of this.#children) child?.kill("SIGKILL");
  }

  async #each(order: WorkerOrder, done: (child: ChildProcess) => Promise<unknown>): Promise<void> {
    const running = this.#children.filter((child) => child !== undefined);
    await Promise.all(
      running.map((child) => {
        const isDone = done(child);
        child.send(order);
        return isDone;
      }),
    );
  }
}

async function until(child: ChildProcess, wanted: WorkerMessage): Promise<void> {
  for (;;) {
    const [message] = await once(child, "message");
    if (message === wanted) return;
  }
}
