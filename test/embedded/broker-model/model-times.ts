import type { ModelItem, ModelQueue } from "./model-queue.ts";

const never = Number.POSITIVE_INFINITY;

/** When something happens to a message by itself. */
export function nextOf({ state, dueAt, delayedUntil, lateAt }: ModelItem): number {
  if (state === "parked") return never;
  if (state === "unsettled") return lateAt;
  if (state === "delayed") return Math.min(delayedUntil, dueAt);
  return dueAt;
}

/** Whether a message that expires unless somebody takes it at once still has the chance to be taken. */
export function isOffered({ moment }: ModelQueue, item: ModelItem): boolean {
  return item.isImmediate && item.state === "ready" && moment.added.has(item);
}

/** How long a message may wait in a queue. */
export function ttlOf({ arguments: { messageTtl = never } }: ModelQueue, expiration: number): number {
  return expiration < 0 ? messageTtl : Math.min(expiration, messageTtl);
}
