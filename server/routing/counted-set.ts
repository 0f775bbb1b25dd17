/**
 * Destinations, each with the number of bindings that name it.
 *
 * Bindings that differ only in arguments which the exchange type ignores are still different bindings, so
 * a destination leaves with the last of them, not with the first.
 *
 * Most sets hold one destination, and there may be a hundred thousand of them: a map is made only for the second.
 */
export class CountedSet<D> {
  #only: D | undefined;
  #onlyCount = 0;
  #counts: Map<D, number> | undefined;

  get isEmpty(): boolean {
    return this.#onlyCount === 0 && this.#counts === undefined;
  }

  add(destination: D): void {
    if (this.#counts === undefined) {
      if (this.#onlyCount === 0 || this.#only === destination) {
        this.#only = destination;
        this.#onlyCount++;
        return;
      }
      this.#counts = new Map([[this.#only as D, this.#onlyCount]]);
      this.#only = undefined;
      this.#onlyCount = 0;
    }
    this.#counts.set(destination, (this.#counts.get(destination) ?? 0) + 1);
  }

  remove(destination: D): void {
    if (this.#counts === undefined) {
      if (this.#onlyCount === 0 || this.#only !== destination) return;
      if (--this.#onlyCount === 0) this.#only = undefined;
      return;
    }
    const count = this.#counts.get(destination);
    if (count === undefined) return;
    if (count > 1) this.#counts.set(destination, count - 1);
    else {
      this.#counts.delete(destination);
      if (this.#counts.size === 0) this.#counts = undefined;
    }
  }

  /** Hands all over to a set that is empty. */
  moveTo(other: CountedSet<D>): void {
    other.#only = this.#only;
    other.#onlyCount = this.#onlyCount;
    other.#counts = this.#counts;
    this.#only = undefined;
    this.#onlyCount = 0;
    this.#counts = undefined;
  }

  addTo(into: Set<D>): void {
    if (this.#counts !== undefined) for (const destination of this.#counts.keys()) into.add(destination);
    else if (this.#onlyCount > 0) into.add(this.#only as D);
  }
}
