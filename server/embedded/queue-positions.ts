import { PosthornError } from "../../protocol/errors.ts";
import type { Entry } from "./entry.ts";
import type { Lane } from "./lane.ts";
import type { Queue } from "./queue.ts";

/** Part of a lane that somebody has still to look at. Both ends are inclusive. */
export interface LaneRange {
  readonly lane: Lane;
  fromSeq: number;
  readonly toSeq: number;
}

/** Names the entry's place in its queue, for those outside. Lanes and numbers are never used again. */
export function positionOf({ lane, seq }: Entry): string {
  return `${text(lane.id)}.${text(seq)}`;
}

/** @throws PosthornError `invalid-argument` if it is not a position, `not-found` if nothing is there. */
export function entryAt(queue: Queue, position: string): Entry {
  const [lane, seq, ...rest] = numbers(position);
  if (lane === undefined || seq === undefined || rest.length > 0) {
    throw new PosthornError("invalid-argument", "The position is not one that browsing has given.", {
      field: "position",
    });
  }
  const entry = queue.lanes.find(({ id }) => id === lane)?.find(seq);
  if (entry !== undefined) return entry;
  const message = `There is no message at ${position} of queue ${JSON.stringify(queue.name)}, or not any more.`;
  throw new PosthornError("not-found", message, { queue: queue.name, position });
}

/** All that is in a queue now, the first to be served first. */
export function allRanges(queue: Queue): LaneRange[] {
  return queue.lanes.map((lane) => ({ lane, fromSeq: 1, toSeq: lane.lastSeq }));
}

/** Says what is left to look at; `undefined`: nothing. */
export function cursorOf(ranges: readonly LaneRange[]): string | undefined {
  const left = ranges.filter(({ fromSeq, toSeq }) => fromSeq <= toSeq);
  if (left.length === 0) return undefined;
  return left.map(({ lane, fromSeq, toSeq }) => [lane.id, fromSeq, toSeq].map(text).join(".")).join(",");
}

/** @throws PosthornError `invalid-argument` if it is not a cursor of this queue. */
export function rangesFrom(queue: Queue, cursor: string): LaneRange[] {
  return cursor.split(",").map((part) => {
    const [id, fromSeq, toSeq, ...rest] = numbers(part);
    const lane = queue.lanes.find((known) => known.id === id);
    if (lane !== undefined && fromSeq !== undefined && toSeq !== undefined && rest.length === 0) {
      return { lane, fromSeq, toSeq: Math.min(toSeq, lane.lastSeq) };
    }
    const message = `The cursor is not one of queue ${JSON.stringify(queue.name)}.`;
    throw new PosthornError("invalid-argument", message, { field: "cursor" });
  });
}

function text(value: number): string {
  return value.toString(36);
}

/** Empty if it is not a list of numbers. */
function numbers(list: string): number[] {
  if (!/^[\da-z]{1,11}(\.[\da-z]{1,11})*$/.test(list)) return [];
  const values = list.split(".").map((value) => Number.parseInt(value, 36));
  return values.every(Number.isSafeInteger) ? values : [];
}
