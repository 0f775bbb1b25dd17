import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { processMemoryBytes } from "../../../bench/process-figures.ts";
import { type ConnectOptions, connect, type Posthorn } from "../../../client/index.ts";
import { type BrokerProcess, startBrokerProcess } from "../../support/broker-process.ts";
import type { Latency } from "./latency.ts";
import type { ScenarioResult } from "./scenario.ts";
import { Victim, type VictimTask } from "./victim.ts";

export interface WorldOptions {
  /** Settings of the broker, as flags. */
  readonly flags: readonly string[];
  /** For its data. Default: a temporary one. */
  readonly directory?: string;
  readonly victim: Pick<VictimTask, "does" | "perSecond"> & Partial<VictimTask>;
}

const heartbeatMs = 20_000;
const mebibyte = 2 ** 20;

/** A broker and a victim, each in a process of its own. What is opened here goes with them. */
export class World {
  readonly broker: BrokerProcess;
  readonly victim: Victim;
  readonly facts: string[] = [];
  readonly problems: string[] = [];
  readonly #ends: (() => void | Promise<void>)[] = [];
  #restMemoryBytes = 0;
  #peakMemoryBytes = 0;

  private constructor(broker: BrokerProcess, victim: Victim) {
    this.broker = broker;
    this.victim = victim;
  }

  /** Runs a scenario; `use` returns how the victim fared. */
  static async run(
    { flags, directory, victim: task }: WorldOptions,
    use: (world: World) => Promise<{ readonly control: Latency; readonly under: Latency }>,
  ): Promise<ScenarioResult> {
    const dataDir = directory ?? mkdtempSync(join(tmpdir(), "posthorn-overload-"));
    const broker = await startBrokerProcess(["--port", "0", "--data-dir", dataDir, ...flags]);
    let world: World | undefined;
    try {
      const victim = await Victim.start({ seconds: 60, heartbeatMs, ...task, url: broker.url });
      world = new World(broker, victim);
      const { control, under } = await use(world);
      world.problems.push(...(await victim.finish()));
      await world.#end();
      const code = await broker.stop();
      if (code !== 0) world.problems.push(`the broker ended with ${code}`);
      return { control, under, facts: world.facts, problems: world.problems };
    } finally {
      world?.victim.kill();
      if (broker.child.exitCode === null && broker.child.signalCode === null) await broker.kill();
      if (directory === undefined) rmSync(dataDir, { recursive: true });
    }
  }

  get url(): string {
    return this.broker.url;
  }

  /** To be done before the broker stops. */
  onEnd(end: () => void | Promise<void>): void {
    this.#ends.push(end);
  }

  /** A connection through the SDK that does not come back. */
  async connect(options: ConnectOptions = {}): Promise<Posthorn> {
    const posthorn = await connect(this.url, { heartbeatMs, reconnect: false, ...options });
    this.onEnd(() => posthorn.close());
    return posthorn;
  }

  /** How the victim fares undisturbed. */
  control(ms: number): Promise<Latency> {
    return this.victim.measure(() => wait(ms));
  }

  expect(isTrue: boolean, otherwise: string): void {
    if (!isTrue) this.problems.push(otherwise);
  }

  /** From now on the broker's memory is watched. */
  watchMemory(): void {
    const { pid } = this.broker.child;
    const look = () => {
      this.#peakMemoryBytes = Math.max(this.#peakMemoryBytes, processMemoryBytes(pid!, "RssAnon"));
    };
    look();
    this.#restMemoryBytes = this.#peakMemoryBytes;
    const timer = setInterval(look, 50);
    this.onEnd(() => clearInterval(timer));
    this.broker.child.once("exit", () => clearInterval(timer));
  }

  /** The broker's memory has grown by no more than this since {@link watchMemory}. */
  expectMemory(maxMebibytes: number): void {
    const grown = (this.#peakMemoryBytes - this.#restMemoryBytes) / mebibyte;
    this.facts.push(`memory +${grown.toFixed(0)} MiB`);
    this.expect(grown <= maxMebibytes, `the broker's memory grew by ${grown.toFixed(0)} MiB`);
  }

  /** Resolves once the broker has logged so many lines like that. */
  async logged(message: string, count = 1): Promise<void> {
    const { log, child } = this.broker;
    while (log.filter(({ msg }) => msg === message).length < count) {
      if (child.exitCode !== null) throw new Error(`The broker ended before it logged ${message}.`);
      await wait(20);
    }
  }

  async #end(): Promise<void> {
    for (const end of this.#ends.reverse()) await end();
  }
}
