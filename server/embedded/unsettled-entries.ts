import type { Entry } from "./entry.ts";

/**
 * The entries of a lane that are handed out and not settled, the latest first. The links are in the entries: this is on the way of
 * every message.
 */
export class UnsettledEntries {
  #latest: Entry | undefined;

  add(entry: Entry): void {
    const before = this.#latest;
    entry.handedOutBefore = before;
    if (before !== undefined) before.handedOutAfter = entry;
    this.#latest = entry;
  }

  remove(entry: Entry): void {
    const { handedOutBefore: before, handedOutAfter: after } = entry;
    if (before !== undefined) before.handedOutAfter = after;
    if (after !== undefined) after.handedOutBefore = before;
    else this.#latest = before;
    entry.handedOutBefore = undefined;
    entry.handedOutAfter = undefined;
  }

  *[Symbol.iterator](): Iterator<Entry> {
    for (let entry = this.#latest; entry !== undefined; entry = entry.handedOutBefore) yield entry;
  }
}
