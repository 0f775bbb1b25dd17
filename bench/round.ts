import type { BrokerClient } from "./drivers/driver.ts";
import { LoadProcess } from "./load-process.ts";
import { processCpuSeconds } from "./process-figures.ts";
import type { Task, TaskResult } from "./roles/task.ts";
import type { OpenTarget } from "./targets/target.ts";
import type { Sample } from "./workloads/workload.ts";

let nextName = 1;

/** What a workload works with in one round against one target, and what is tidied up after it. */
export class Round {
  readonly target: OpenTarget;
  /** For declarations; carries no load. */
  readonly client: BrokerClient;
  readonly scale: number;
  readonly #processes: LoadProcess[] = [];
  readonly #cleanups: (() => Promise<unknown>)[] = [];

  constructor(target: OpenTarget, client: BrokerClient, scale: number) {
    this.target = target;
    this.client = client;
    this.scale = scale;
  }

  /** A name that nothing else has. */
  name(): string {
    return `posthorn-bench-${process.pid}-${nextName++}`;
  }

  /** At least one. */
  scaled(count: number): number {
    return Math.max(1, Math.round(count * this.scale));
  }

  /** Starts a load generator and waits until it is set up. */
  async start(task: Task): Promise<LoadProcess> {
    const load = new LoadProcess(this.target.address, task);
    this.#processes.push(load);
    await load.ready();
    return load;
  }

  /** Undone when the round is over, however it ends; last first. */
  onEnd(undo: () => Promise<unknown>): void {
    this.#cleanups.push(undo);
  }

  brokerCpuSeconds(): number | undefined {
    const { pid } = this.target;
    return pid === undefined ? undefined : processCpuSeconds(pid);
  }

  /** A sample of so many messages; `cpuBefore` is what `brokerCpuSeconds` said at the start. */
  sample(
    values: Sample["values"],
    messages: number,
    cpuBefore: number | undefined,
    results: readonly TaskResult[],
  ): Sample {
    const perMillion = 1e6 / messages;
    const cpuNow = this.brokerCpuSeconds();
    const clients = results.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
    return {
      values,
      clientCpu: clients * perMillion,
      ...(cpuNow !== undefined &&
        cpuBefore !== undefined && { brokerCpu: (cpuNow - cpuBefore) * perMillion }),
    };
  }

  /** Ends the load generators, deletes what was declared. Never throws: the round's own error counts. */
  async end(): Promise<void> {
    await Promise.all(this.#processes.map((load) => load.end()));
    for (const undo of this.#cleanups.reverse()) await undo().catch(() => {});
  }

  /** The same in a hurry. */
  kill(): void {
    for (const load of this.#processes) load.kill();
  }
}
