import type { Entry } from "./entry.ts";

/** Entries that came back to their queue, lowest position first: a binary heap. */
export class ReturnedEntries {
  readonly #heap: Entry[] = [];

  get length(): number {
    return this.#heap.length;
  }

  /** The first one, which stays. */
  get lowest(): Entry | undefined {
    return this.#heap[0];
  }

  add(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent]!.seq <= entry.seq) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = entry;
  }

  /** Forgets those that do not fit. */
  keep(fits: (entry: Entry) => boolean): void {
    for (const entry of this.takeAll()) if (fits(entry)) this.add(entry);
  }

  takeLowest(): Entry | undefined {
    const heap = this.#heap;
    const lowest = heap[0];
    const last = heap.pop();
    if (last === undefined || last === lowest) return lowest;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.seq < heap[child]!.seq) child++;
      if (heap[child]!.seq >= last.seq) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return lowest;
  }

  /** In no order. */
  [Symbol.iterator](): Iterator<Entry> {
    return this.#heap.values();
  }

  /** Removes and returns all, in no order. */
  takeAll(): Entry[] {
    return this.#heap.splice(0);
  }
}
