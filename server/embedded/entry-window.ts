import type { Entry } from "./entry.ts";

/** What a window shows of a lane. */
export interface WindowContent {
  /** In order of seq. */
  readonly entries: readonly Entry[];
  /** Where to go on; `undefined`: there is no more up to the window's end. */
  readonly nextSeq: number | undefined;
}

/**
 * Collects the first entries of a range of numbers from lists that are shown to it one after the other. It never holds more than
 * twice what it is to show, however much it is shown.
 */
export class EntryWindow {
  readonly fromSeq: number;
  readonly maxEntries: number;
  readonly #lastSeq: number;
  #toSeq: number;
  #entries: Entry[] = [];

  /** `toSeq` is inclusive; `maxEntries` at least 1. */
  constructor(fromSeq: number, toSeq: number, maxEntries: number) {
    this.fromSeq = fromSeq;
    this.maxEntries = maxEntries;
    this.#lastSeq = toSeq;
    this.#toSeq = toSeq;
  }

  /** What lies behind is of no interest, or no longer. */
  get toSeq(): number {
    return this.#toSeq;
  }

  add(entry: Entry): void {
    if (entry.seq < this.fromSeq || entry.seq > this.#toSeq) return;
    this.#entries.push(entry);
    if (this.#entries.length > 2 * this.maxEntries) this.#trim();
  }

  /** Not everything behind `seq` was shown: the window has to end there. */
  endAt(seq: number): void {
    this.#toSeq = Math.min(this.#toSeq, seq);
  }

  content(): WindowContent {
    this.#trim();
    return {
      entries: this.#entries,
      nextSeq: this.#toSeq < this.#lastSeq ? this.#toSeq + 1 : undefined,
    };
  }

  #trim(): void {
    this.#entries.sort((a, b) => a.seq - b.seq);
    const last = this.#entries[this.maxEntries - 1];
    if (last !== undefined) this.endAt(last.seq);
    this.#entries = this.#entries.filter(({ seq }) => seq <= this.#toSeq);
  }
}
