import { monotonicMs } from "../monotonic-clock.ts";
import { percentile } from "../statistics.ts";
import { cpuSecondsSince } from "./cpu-seconds.ts";
import { readPublishTime } from "./publish-time.ts";
import type { Stage } from "./stage.ts";
import type { TaskResult } from "./task.ts";
import { WarmMark } from "./warm-mark.ts";

/** No message for so long, though more are expected: they are lost. */
const patienceMs = 8000;
/** So often a consumer looks at the clock, and says how far it is. */
const beatMs = 5;
/** Messages at the start that do not count for latency: code is still being compiled. */
const warmUpPart = 0.2;

/** What is wanted besides the count. Both cost time with every message or every few milliseconds. */
export interface TallyOptions {
  /** Messages carry the time of their publish. */
  readonly timed: boolean;
  /** Tell the progress while at work. */
  readonly reports: boolean;
  /** How long it is meant to take, from which the warm-up follows. 0: no warm-up. */
  readonly ms: number;
}

/** Counts what a consumer gets, and ends when that is everything or when nothing more comes. */
export class Tally {
  readonly #stage: Stage;
  readonly #options: TallyOptions;
  readonly #latencies: number[] = [];
  readonly #ended: Promise<void>;
  readonly #warm: WarmMark;
  #end: () => void = () => {};
  #count = 0;
  #countAtBeat = 0;
  #firstAtMs = 0;
  #lastAtMs = 0;
  /** When it was last told anything, the expected number for example. */
  #toldAtMs = 0;

  constructor(stage: Stage, options: TallyOptions) {
    this.#stage = stage;
    this.#options = options;
    this.#warm = new WarmMark(options.ms);
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    stage.onChange(() => {
      this.#toldAtMs = monotonicMs();
      this.#lookForEnd();
    });
  }

  add(body: Uint8Array): void {
    if (this.#count++ === 0) this.#begin();
    if (this.#options.timed) this.#latencies.push(monotonicMs() - readPublishTime(body));
    if (this.#count >= this.#stage.expected) this.#lookForEnd();
  }

  /** Call this when everything is set up: what was done before does not count as load. */
  async result(): Promise<TaskResult> {
    const cpuBefore = process.cpuUsage();
    const beats = setInterval(() => this.#beat(), beatMs);
    await this.#ended;
    clearInterval(beats);
    const { length } = this.#latencies;
    const latencies = Float64Array.from(this.#latencies.slice(Math.floor(length * warmUpPart))).sort();
    return {
      count: this.#count,
      startedAtMs: this.#firstAtMs,
      endedAtMs: this.#lastAtMs,
      cpuSeconds: cpuSecondsSince(cpuBefore),
      warm: this.#warm.mark,
      ...(length > 0 && {
        latencyMs: {
          p50: percentile(latencies, 0.5),
          p99: percentile(latencies, 0.99),
          p999: percentile(latencies, 0.999),
        },
      }),
    };
  }

  #begin(): void {
    this.#firstAtMs = monotonicMs();
    this.#warm.look(0);
    this.#stage.tell({ report: "first", atMs: this.#firstAtMs });
  }

  #lookForEnd(): void {
    if (this.#count < this.#stage.expected) return;
    if (this.#count !== this.#countAtBeat) this.#lastAtMs = monotonicMs();
    this.#countAtBeat = this.#count;
    this.#end();
  }

  #beat(): void {
    const now = monotonicMs();
    if (this.#count > 0) this.#warm.look(this.#count);
    if (this.#count !== this.#countAtBeat) {
      this.#countAtBeat = this.#count;
      this.#lastAtMs = now;
      if (this.#options.reports) this.#stage.tell({ report: "consumed", count: this.#count });
    } else if (this.#stage.expected !== Number.POSITIVE_INFINITY && now - this.#silentSinceMs > patienceMs) {
      this.#end();
    }
  }

  get #silentSinceMs(): number {
    return Math.max(this.#lastAtMs, this.#toldAtMs);
  }
}
