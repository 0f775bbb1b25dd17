import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Process, Processes } from "./processes.ts";

const startTimeoutMs = 15_000;

/** The broker, as `posthorn serve` starts it, in a process of its own. */
export class Broker {
  readonly #processes: Processes;
  readonly #args: readonly string[];
  /** `127.0.0.1:<port>` */
  readonly address: string;
  #process: Process | undefined;

  constructor(processes: Processes, port: number, dataDir: string, pageOrigin: string) {
    this.#processes = processes;
    this.address = `127.0.0.1:${port}`;
    // A page from another origin than the broker's own must be allowed by name.
    this.#args = ["serve", "--port", String(port), "--data-dir", dataDir, "--allowed-origins", pageOrigin];
  }

  get url(): string {
    return `ws://${this.address}`;
  }

  /** Resolves when the broker is up. */
  async start(): Promise<void> {
    const started = this.#processes.start<never>("the broker", "../../dist/server/main.js", this.#args);
    this.#process = started;
    const deadline = performance.now() + startTimeoutMs;
    while (!(await this.#isHealthy())) {
      if (!started.isRunning) return;
      if (performance.now() > deadline) throw new Error(`The broker does not come up.\n${started.output}`);
      await sleep(20);
    }
  }

  /** SIGKILL: nothing is flushed, nobody is told. */
  async kill(): Promise<void> {
    await this.#process?.kill();
  }

  async #isHealthy(): Promise<boolean> {
    return fetch(`http://${this.address}/health`).then(
      (response) => response.ok,
      () => false,
    );
  }
}

/**
 * A free port. Not from the range that systems give out by themselves: while the broker is down between kill and restart, a
 * connection of somebody else could get its port.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    if (await isFree(port)) return port;
  }
  throw new Error("No free port was found.");
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
      .once("error", () => resolve(false))
      .listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
