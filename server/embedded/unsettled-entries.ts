import type { Entry } from "./entry.ts";

/**
 * The entries of a lane that are handed out and not settled, in no order. Each knows its place: this is on the way of every message.
 */
export class UnsettledEntries {
  readonly #entries: Entry[] = [];

  add(entry: Entry): void {
    entry.place = this.#entries.length;
    this.#entries.push(entry);
  }

  remove(entry: Entry): void {
    const last = this.#entries.pop()!;
    if (last === entry) return;
    this.#entries[entry.place] = last;
    last.place = entry.place;
  }

  [Symbol.iterator](): Iterator<Entry> {
    return this.#entries.values();
  }
}
