import { openSync, readSync } from "node:fs";
import { PerformanceObserver } from "node:perf_hooks";
import type { ReadObserver } from "../../../server/embedded/store/lmdb/environment.ts";

export interface LongestReads {
  /** By what held them: the most that a read transaction took of the processor, without what was spent collecting garbage. */
  readonly workMs: Record<string, number>;
  /** By the clock: the longest, which on a busy machine is one in which the thread waited its turn. */
  readonly heldMs: number;
}

interface Read {
  readonly what: string;
  readonly beganMs: number;
  readonly endedMs: number;
  workMs: number;
}

/** Garbage collection is reported later than it happens, but not by that much. */
const settledAfterMs = 5000;

/**
 * Measures read transactions, and tells what they took from what the machine made of it: where two processors are shared with
 * others, a thread waits its turn for longer than any of them should take.
 */
export class ReadTimes implements ReadObserver {
  /** What is being done. */
  what = "open";
  readonly #schedule: number;
  readonly #text = Buffer.alloc(64);
  readonly #workMs: Record<string, number> = {};
  /** Those that may turn out to be the longest. */
  #recent: Read[] = [];
  #heldMs = 0;
  #beganMs = 0;
  #beganAtWorkMs = 0;

  constructor() {
    this.#schedule = openSync("/proc/thread-self/schedstat", "r");
    new PerformanceObserver((list) => {
      for (const { startTime, duration } of list.getEntries()) this.#takeOut(startTime, startTime + duration);
    }).observe({ entryTypes: ["gc"] });
  }

  begun(): void {
    this.#beganAtWorkMs = this.#processorMs();
    this.#beganMs = performance.now();
  }

  ended(heldMs: number): void {
    this.#heldMs = Math.max(this.#heldMs, heldMs);
    if (heldMs <= (this.#workMs[this.what] ?? 0)) return;
    const workMs = this.#processorMs() - this.#beganAtWorkMs;
    this.#recent.push({ what: this.what, beganMs: this.#beganMs, endedMs: this.#beganMs + heldMs, workMs });
  }

  get longest(): LongestReads {
    const now = performance.now();
    this.#recent = this.#recent.filter(({ what, endedMs, workMs }) => {
      if (now - endedMs < settledAfterMs) return true;
      this.#workMs[what] = Math.max(this.#workMs[what] ?? 0, workMs);
      return false;
    });
    const workMs = { ...this.#workMs };
    for (const read of this.#recent) workMs[read.what] = Math.max(workMs[read.what] ?? 0, read.workMs);
    return { workMs, heldMs: this.#heldMs };
  }

  #takeOut(fromMs: number, toMs: number): void {
    for (const read of this.#recent) {
      const overlapMs = Math.min(toMs, read.endedMs) - Math.max(fromMs, read.beganMs);
      if (overlapMs > 0) read.workMs -= overlapMs;
    }
  }

  /** For how long this thread has had a processor. */
  #processorMs(): number {
    // The file alone is as old as the last tick; being asked for the whole process makes the kernel look.
    process.cpuUsage();
    const length = readSync(this.#schedule, this.#text, 0, this.#text.length, 0);
    return Number.parseInt(this.#text.toString("latin1", 0, length), 10) / 1e6;
  }
}
