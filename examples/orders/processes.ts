import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** Longest wait for a process that has been asked to end. */
const stopTimeoutMs = 5000;
const keptOutputLength = 4000;

interface ProcessEvents {
  reported(): void;
  /** @param how exit code or signal */
  endedUnexpectedly(how: string): void;
}

/** One process of the example. Its reports come over Node's IPC channel. */
export class Process<Report = never> {
  readonly name: string;
  /** The latest report. */
  report: Report | undefined;
  /** The end of what it wrote to its standard output. */
  output = "";
  readonly exited: Promise<void>;
  readonly #child: ChildProcess;
  readonly #events: ProcessEvents;
  #waiting: (() => void)[] = [];
  #isStopping = false;

  constructor(name: string, child: ChildProcess, events: ProcessEvents) {
    this.name = name;
    this.#child = child;
    this.#events = events;
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.output = (this.output + text).slice(-keptOutputLength);
    });
    child.on("message", (report) => this.#reported(report as Report));
    // "close" comes after "exit", when the output is complete.
    this.exited = once(child, "close").then(([code, signal]) => {
      if (!this.#isStopping) events.endedUnexpectedly(signal ?? `exit code ${code}`);
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves with the first report, from now on or the latest, for which `test` is true. */
  async until(test: (report: Report) => boolean): Promise<Report> {
    while (this.report === undefined || !test(this.report)) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return this.report;
  }

  send(message: string): void {
    this.#child.send(message);
  }

  /** Gives the process no chance to do anything: what a power failure would do. */
  async kill(): Promise<void> {
    this.#isStopping = true;
    this.#child.kill("SIGKILL");
    await this.exited;
  }

  /** Lets the process end in order; kills it if that takes too long. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), stopTimeoutMs);
    await this.exited;
    clearTimeout(timer);
  }

  /** Without waiting, for when this process itself is about to end. */
  killNow(): void {
    this.#child.kill("SIGKILL");
  }

  #reported(report: Report): void {
    this.report = report;
    this.#events.reported();
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** Starts processes, and sees to it that none is left behind. */
export class Processes {
  /** Rejects as soon as one ends that nobody has stopped, or all are silent; see `expectReports`. */
  readonly failed: Promise<never>;
  /** Called after every report. */
  onReport: () => void = () => {};
  readonly #all: Pick<Process, "isRunning" | "stop" | "killNow">[] = [];
  #reportedAt = 0;
  #isStopping = false;
  #fail: (error: Error) => void = () => {};

  constructor() {
    this.failed = new Promise((_, reject) => {
      this.#fail = reject;
    });
    this.failed.catch(() => {});
    process.once("exit", () => {
      for (const each of this.#all) each.killNow();
    });
  }

  /** @param script path from this folder; run in the way in which this process is run itself. */
  start<Report>(name: string, script: string, args: readonly string[]): Process<Report> {
    if (this.#isStopping) throw new Error("Everything is being stopped.");
    const child = fork(fileURLToPath(new URL(script, import.meta.url)), args, {
      stdio: ["ignore", "pipe", "inherit", "ipc"],
      // In a process group of its own: Ctrl-C is for main.ts, which then stops the others in order.
      detached: true,
    });
    const started = new Process<Report>(name, child, {
      reported: () => {
        this.#reportedAt = performance.now();
        this.onReport();
      },
      endedUnexpectedly: (how) => {
        this.#fail(new Error(`${name} ended unexpectedly (${how}).\n${started.output}`.trimEnd()));
      },
    });
    this.#all.push(started);
    return started;
  }

  /** From now on, nothing new from any of them for this long counts as a failure. Returns how to end that. */
  expectReports(withinMs: number): () => void {
    this.#reportedAt = performance.now();
    const timer = setInterval(() => {
      if (performance.now() - this.#reportedAt < withinMs) return;
      this.#fail(new Error(`Nothing has moved for ${withinMs / 1000} seconds.`));
    }, 1000);
    return () => clearInterval(timer);
  }

  /** Last started, first stopped. */
  async stopAll(): Promise<void> {
    this.#isStopping = true;
    for (const each of this.#all.toReversed()) if (each.isRunning) await each.stop();
  }
}
