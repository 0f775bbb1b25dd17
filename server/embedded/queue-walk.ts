import type { Entry } from "./entry.ts";
import type { Queue } from "./queue.ts";
import { allRanges, cursorOf, type LaneRange, rangesFrom } from "./queue-positions.ts";

/** Most messages, and about most bytes of messages, that one walk looks at. */
const maxExamined = 1000;
const maxExaminedBytes = 1024 * 1024;
/** How many are collected at once. */
const portion = 256;

/**
 * Goes through a queue in order, from where a cursor says, for a bounded piece of work within one turn of the event loop. What
 * comes to the queue after the first walk is not looked at.
 */
export class QueueWalk {
  examined = 0;
  #examinedBytes = 0;
  readonly #ranges: LaneRange[];

  /** @throws PosthornError `invalid-argument` if the cursor is not one of this queue. */
  constructor(queue: Queue, cursor: string | undefined) {
    this.#ranges = cursor === undefined ? allRanges(queue) : rangesFrom(queue, cursor);
  }

  /** Where the next walk is to go on, without what was given out; `undefined`: there is no more. */
  get cursor(): string | undefined {
    return cursorOf(this.#ranges);
  }

  /** May be left at any time. @throws StoreError */
  *entries(): Generator<Entry> {
    for (let range = this.#ranges[0]; range !== undefined; range = this.#ranges[0]) {
      const { lane, fromSeq, toSeq } = range;
      const { entries, nextSeq } = lane.window(fromSeq, toSeq, portion, maxExaminedBytes);
      for (const entry of entries) {
        if (this.examined === maxExamined || this.#examinedBytes >= maxExaminedBytes) return;
        this.examined++;
        this.#examinedBytes += entry.envelope.length;
        range.fromSeq = entry.seq + 1;
        yield entry;
      }
      if (nextSeq === undefined) this.#ranges.shift();
      else range.fromSeq = nextSeq;
    }
  }
}
