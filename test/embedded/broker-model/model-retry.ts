import type { ModelQueue } from "./model-queue.ts";

/** Milliseconds that a queue has a message wait that is requeued and has been tried so often. `chance`: at least 0, less than 1. */
export function retryDelay({ arguments: { retry } }: ModelQueue, attempts: number, chance: number): number {
  if (retry === undefined) return 0;
  let delay = retry.initialDelay;
  for (let i = 1; i < attempts; i++) delay *= retry.multiplier;
  const { maxDelay, jitter } = retry;
  const shortest = Math.min(delay, maxDelay) * (1 - jitter);
  const longest = Math.min(delay, maxDelay) * (1 + jitter);
  return Math.min(maxDelay, shortest + chance * (longest - shortest));
}
