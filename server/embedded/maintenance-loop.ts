import type { MaintenanceNeed, Store } from "./store/store.ts";

export interface MaintenanceLoopOptions {
  readonly store: Pick<Store, "maintain">;
  readonly delay: (delayMs: number, callback: () => void) => void;
  /** There is something more urgent for the disk to do. */
  readonly isBusy: () => boolean;
  readonly onFailure: (error: unknown) => void;
}

/**
 * How soon after a step the next one follows: while there is more to do, or too much; while others need the disk and it can
 * wait; and at rest, which is not so long that much could pile up meanwhile.
 */
const stepDelayMs = 2;
const busyDelayMs = 50;
const restDelayMs = 250;

/**
 * Gives the store its background work, a step at a time: more of it when the disk has little else to do, and whatever else
 * it has to do when the store falls behind.
 */
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

  #delayAfter(need: MaintenanceNeed): number {
    if (need === "nothing") return restDelayMs;
    return need === "more" && this.#options.isBusy() ? busyDelayMs : stepDelayMs;
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
      const need = await this.#options.store.maintain();
      if (this.#state !== "working") return;
      this.#state = "waiting";
      this.#schedule(this.#delayAfter(need));
    } catch (error) {
      this.#state = "stopped";
      this.#options.onFailure(error);
    }
  }
}
