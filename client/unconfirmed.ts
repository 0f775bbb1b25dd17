import type { Publish } from "./publish.ts";

/**
 * Publishes that were sent and wait for their confirm, in the order of their numbers. Confirms mostly come in that
 * order, so this is an array with a moving head; numbers may have gaps (publishes that need no confirm).
 */
export class Unconfirmed {
  #items: Publish[] = [];
  #head = 0;
  /** Those that still wait. */
  count = 0;
  /** Size of those that still wait. */
  bytes = 0;

  /** How many are kept, those included that are settled and cannot be let go yet. */
  get held(): number {
    return this.#items.length - this.#head;
  }

  push(publish: Publish): void {
    this.#items.push(publish);
    this.count++;
    this.bytes += publish.size;
  }

  find(number: number): Publish | undefined {
    const publish = this.#items[this.#indexOf(number)];
    return publish?.number === number && !publish.done ? publish : undefined;
  }

  /** Takes out those in the range; returns how many there were. */
  settle(first: number, last: number, tell: (publish: Publish) => void): number {
    const items = this.#items;
    let settled = 0;
    for (let i = this.#indexOf(first); i < items.length; i++) {
      const publish = items[i]!;
      if (publish.number > last) break;
      if (publish.done) continue;
      publish.done = true;
      settled++;
      this.bytes -= publish.size;
      tell(publish);
    }
    this.count -= settled;
    this.#forgetSettled();
    return settled;
  }

  /** Takes out those in the range that still wait, as they are, to be sent again under other numbers. */
  takeBack(first: number, last: number): Publish[] {
    const items = this.#items;
    const taken: Publish[] = [];
    for (let i = this.#indexOf(first); i < items.length; i++) {
      const publish = items[i]!;
      if (publish.number > last) break;
      if (publish.done) continue;
      // What is behind it in the list is found by number, so its place stays taken.
      items[i] = { ...publish, done: true };
      taken.push(publish);
      this.bytes -= publish.size;
    }
    this.count -= taken.length;
    this.#forgetSettled();
    return taken;
  }

  /** Empties the list and returns those that still wait. */
  clear(): Publish[] {
    const items = this.#items.slice(this.#head).filter((publish) => !publish.done);
    this.#items = [];
    this.#head = 0;
    this.count = 0;
    this.bytes = 0;
    return items;
  }

  /** Index of the first publish with this number or a higher one. */
  #indexOf(number: number): number {
    const items = this.#items;
    let low = this.#head;
    let high = items.length;
    if (low < high && items[low]!.number >= number) return low;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (items[middle]!.number < number) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #forgetSettled(): void {
    const items = this.#items;
    while (this.#head < items.length && items[this.#head]!.done) this.#head++;
    if (this.#head === items.length) {
      this.#items = [];
      this.#head = 0;
    } else if (this.#head > 1024 && this.#head * 2 > items.length) {
      this.#items = items.slice(this.#head);
      this.#head = 0;
    } else if (this.held > 2048 && this.held > this.count * 4) {
      // One that is never confirmed holds the head: the settled ones behind it must not pile up.
      this.#items = items.slice(this.#head).filter((publish) => !publish.done);
      this.#head = 0;
    }
  }
}
