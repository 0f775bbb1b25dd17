/** What one step of background work may read. */
const stepBytes = 2 * 1024 * 1024;

/** Keeps the steps of background work short: whoever does one looks here after each row. */
export class StepBudget {
  readonly #endMs: number;
  #bytes = stepBytes;

  constructor(stepMs: number) {
    this.#endMs = performance.now() + stepMs;
  }

  /** So many bytes of rows have been read. */
  spend(bytes: number): void {
    this.#bytes -= bytes;
  }

  get isSpent(): boolean {
    return this.#bytes <= 0 || performance.now() >= this.#endMs;
  }
}
