/** The window moves on in steps of this part of it. */
const parts = 10;

/** How many deliveries succeeded and failed within the last so many milliseconds. */
export class OutcomeWindow {
  readonly #partMs: number;
  readonly #succeeded: number[] = Array(parts).fill(0);
  readonly #failed: number[] = Array(parts).fill(0);
  /** Number of the part that the last outcome was in. */
  #part = 0;

  constructor(windowMs: number) {
    this.#partMs = windowMs / parts;
  }

  count(now: number, hasFailed: boolean): void {
    this.#moveTo(now);
    const counts = hasFailed ? this.#failed : this.#succeeded;
    counts[this.#part % parts]!++;
  }

  /** Takes back failures that are not to count, the oldest first. */
  forgive(failures: number): void {
    let left = failures;
    for (let part = this.#part + 1; part <= this.#part + parts; part++) {
      const at = part % parts;
      const taken = Math.min(left, this.#failed[at]!);
      this.#failed[at]! -= taken;
      left -= taken;
    }
  }

  totals(now: number): { readonly succeeded: number; readonly failed: number } {
    this.#moveTo(now);
    const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
    return { succeeded: sum(this.#succeeded), failed: sum(this.#failed) };
  }

  clear(): void {
    this.#succeeded.fill(0);
    this.#failed.fill(0);
  }

  #moveTo(now: number): void {
    const part = Math.floor(now / this.#partMs);
    // Also where the clock has gone back, what was counted is old.
    if (Math.abs(part - this.#part) >= parts || part < this.#part) this.clear();
    else
      for (let next = this.#part + 1; next <= part; next++) {
        this.#succeeded[next % parts] = 0;
        this.#failed[next % parts] = 0;
      }
    this.#part = part;
  }
}
