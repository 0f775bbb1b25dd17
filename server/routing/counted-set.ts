/**
 * Destinations, each with the number of bindings that name it.
 *
 * Bindings that differ only in arguments which the exchange type ignores are still different bindings, so
 * a destination leaves with the last of them, not with the first.
 */
export class CountedSet<D> {
  readonly #counts = new Map<D, number>();

  get isEmpty(): boolean {
    return this.#counts.size === 0;
  }

  add(destination: D): void {
    this.#counts.set(destination, (this.#counts.get(destination) ?? 0) + 1);
  }

  remove(destination: D): void {
    const count = this.#counts.get(destination);
    if (count === undefined) return;
    if (count === 1) this.#counts.delete(destination);
    else this.#counts.set(destination, count - 1);
  }

  addTo(into: Set<D>): void {
    for (const destination of this.#counts.keys()) into.add(destination);
  }
}
