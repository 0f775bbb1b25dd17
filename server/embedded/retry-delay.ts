import type { RetrySettings } from "../../protocol/queue-settings.ts";

/**
 * Milliseconds before a message that has been tried `attempts` times is tried again.
 * @param random at least 0 and less than 1.
 */
export function retryDelayMs(
  { initialDelay, multiplier, maxDelay, jitter }: RetrySettings,
  attempts: number,
  random: number,
): number {
  const delay = Math.min(maxDelay, initialDelay * multiplier ** Math.max(0, attempts - 1));
  return Math.min(maxDelay, delay * (1 + jitter * (2 * random - 1)));
}
