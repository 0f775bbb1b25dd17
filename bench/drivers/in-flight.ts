/** Counts what is in flight, up to a limit, and wakes who waits for room. One waiter at a time. */
export class InFlight {
  readonly #limit: number;
  #count = 0;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get hasRoom(): boolean {
    return this.#count < this.#limit;
  }

  add(): void {
    this.#count++;
  }

  remove(count = 1): void {
    this.#count -= count;
    this.#wake?.();
  }

  fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error(String(error));
    this.#wake?.();
  }

  untilRoom(): Promise<void> {
    return this.#until(() => this.hasRoom);
  }

  untilEmpty(): Promise<void> {
    return this.#until(() => this.#count === 0);
  }

  async #until(holds: () => boolean): Promise<void> {
    while (this.#failure === undefined && !holds()) {
      await new Promise<void>((resolve) => {
        this.#wake = () => {
          if (this.#failure === undefined && !holds()) return;
          this.#wake = undefined;
          resolve();
        };
      });
    }
    if (this.#failure !== undefined) throw this.#failure;
  }
}
