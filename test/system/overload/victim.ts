import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Latency } from "./latency.ts";

export interface VictimTask {
  readonly url: string;
  /**
   * - `durable`, `transient`: publishes to a queue of its own and consumes from it; measured is the time from publish to handler.
   * - `get`: takes messages from a queue that it filled before; measured is the time of a `get`.
   */
  readonly does: "durable" | "transient" | "get";
  readonly perSecond: number;
  /** For how long there is something to get. */
  readonly seconds: number;
  readonly heartbeatMs: number;
}

export type VictimOrder = "begin" | "report" | "finish";
export type VictimMessage = "ready" | { readonly latency: Latency } | { readonly problems: string[] };

const childPath = fileURLToPath(new URL("./victim-child.ts", import.meta.url));

/** A client that does nothing wrong, in a process of its own, beside those that do. */
export class Victim {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(task: VictimTask): Promise<Victim> {
    const child = fork(childPath, [JSON.stringify(task)], { execArgv: ["--import", "tsx"] });
    const victim = new Victim(child);
    await victim.#hear();
    return victim;
  }

  /** How it fares from now on, for as long as `meanwhile` takes. */
  async measure(meanwhile: () => Promise<void>): Promise<Latency> {
    this.#child.send("begin" satisfies VictimOrder);
    await meanwhile();
    this.#child.send("report" satisfies VictimOrder);
    return ((await this.#hear()) as { latency: Latency }).latency;
  }

  /** Stops, and says what went wrong: messages lost or doubled, its connection lost. */
  async finish(): Promise<string[]> {
    const exited = once(this.#child, "exit");
    this.#child.send("finish" satisfies VictimOrder);
    const { problems } = (await this.#hear()) as { problems: string[] };
    await exited;
    return problems;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  async #hear(): Promise<VictimMessage> {
    const gone = once(this.#child, "exit").then(([code]) => {
      throw new Error(`The victim ended with ${code}.`);
    });
    gone.catch(() => {});
    const [message] = (await Promise.race([once(this.#child, "message"), gone])) as [VictimMessage];
    return message;
  }
}
