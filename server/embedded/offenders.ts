/** How many are kept in mind: of more, those that failed longest ago are forgotten. */
const maxKept = 1000;

/** What fails, and how often: messages, or groups of messages, each by a key. */
export class Offenders {
  readonly #failures = new Map<string, number>();

  /** It has failed once more. */
  add(key: string): void {
    const before = this.#failures.get(key) ?? 0;
    // Behind all the others: it failed last.
    this.#failures.delete(key);
    this.#failures.set(key, before + 1);
    if (this.#failures.size <= maxKept) return;
    const [oldest] = this.#failures.keys();
    this.#failures.delete(oldest!);
  }

  get size(): number {
    return this.#failures.size;
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }

  clear(): void {
    this.#failures.clear();
  }

  /** The one with the most failures. */
  get worst(): { readonly key: string; readonly failures: number } | undefined {
    let worst: { key: string; failures: number } | undefined;
    for (const [key, failures] of this.#failures)
      if (worst === undefined || failures > worst.failures) worst = { key, failures };
    return worst;
  }
}
