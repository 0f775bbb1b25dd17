import type { DroppedRange, QueueId } from "../store.ts";
import { endOfTime } from "./keys.ts";

/** A dropped range whose rows are still to be deleted. */
export interface GarbageRange extends DroppedRange {
  /** Its rows may be deleted once this commit is flushed: only then are all of them to be seen. */
  readonly commit: number;
  /** Everything below has been deleted. */
  doneBelow: number;
}

/** What has been dropped and is not deleted yet. */
export class DroppedRanges {
  readonly #queues = new Map<QueueId, GarbageRange[]>();
  readonly #inOrder = new Set<GarbageRange>();

  add(range: DroppedRange, commit: number): void {
    const garbage = { ...range, commit, doneBelow: range.fromSeq };
    const ranges = this.#queues.get(range.queue);
    if (ranges === undefined) this.#queues.set(range.queue, [garbage]);
    else ranges.push(garbage);
    this.#inOrder.add(garbage);
  }

  /** The next range to be deleted. */
  next(flushedCommit: number): GarbageRange | undefined {
    for (const range of this.#inOrder) if (range.commit <= flushedCommit) return range;
    return undefined;
  }

  delete(range: GarbageRange): void {
    this.#inOrder.delete(range);
    const ranges = this.#queues.get(range.queue)?.filter((other) => other !== range) ?? [];
    if (ranges.length === 0) this.#queues.delete(range.queue);
    else this.#queues.set(range.queue, ranges);
  }

  /** Up to where everything from `seq` on is dropped; undefined if `seq` is not. */
  endAround(queue: QueueId, seq: number): number | undefined {
    const ranges = this.#queues.get(queue);
    if (ranges === undefined) return undefined;
    for (const range of ranges) if (range.fromSeq <= seq && seq <= range.toSeq) return range.toSeq;
    return undefined;
  }

  /** The queue itself was dropped. */
  hasWhole(queue: QueueId): boolean {
    return this.#queues.get(queue)?.some((range) => range.toSeq === endOfTime) ?? false;
  }
}
