import type { Store } from "./store/store.ts";

export interface MaintenanceLoopOptions {
  readonly store: Pick<Store, "maintain">;
  readonly delay: (delayMs: number, callback: () => void) => void;
  /** There is something more urgent for the disk to do. */
  readonly isBusy: () => boolean;
  readonly onFailure: (error: unknown) => void;
}

/** How soon after a step the next one follows: while there is more to do, the same while others need the disk, and at rest. */
const stepDelayMs = 2;
const busyDelayMs = 50;
const restDelayMs = 1000;

/** Gives the store its background work, a step at a time, and more of it when the disk has little else to do. */
export class MaintenanceLoop {
  readonly #options: MaintenanceLoopOptions;
  #state: "stopped" | "waiting" | "working" = "stopped";
  #step: Promise<void> = Promise.resolve();

  constructor(options: MaintenanceLoopOptions) {
    this.#options = options;
  }

  start(): void {
    this.#state = "waiting";
    this.#schedule(restDelayMs);
  }

  /** Resolves when the present step has ended; none follows. */
  async stop(): Promise<void> {
    this.#state = "stopped";
    await this.#step;
  }

  #schedule(delayMs: number): void {
    this.#options.delay(delayMs, () => {
      if (this.#state !== "waiting") return;
      this.#state = "working";
      this.#step = this.#work();
    });
  }

  async #work(): Promise<void> {
    try {
      const hasMore = await this.#options.store.maintain();
      if (this.#state !== "working") return;
      this.#state = "waiting";
      if (!hasMore) this.#schedule(restDelayMs);
      else this.#schedule(this.#options.isBusy() ? busyDelayMs : stepDelayMs);
    } catch (error) {
      this.#state = "stopped";
      this.#options.onFailure(error);
    }
  }
}
