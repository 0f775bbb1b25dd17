import { monotonicMs } from "../monotonic-clock.ts";

/** A load generator compiles its code in its first second; what it does then does not count for rates. */
const longestWarmUpMs = 1000;
const warmUpPart = 0.25;

/** Remembers how far a load generator was when its warm-up ended. */
export class WarmMark {
  readonly #warmUpMs: number;
  #startedAtMs: number | undefined;
  #mark: { readonly count: number; readonly atMs: number } | undefined;

  /** @param ms How long the work is meant to take. */
  constructor(ms: number) {
    this.#warmUpMs = Math.min(longestWarmUpMs, ms * warmUpPart);
  }

  /** Call this now and then with the count so far. */
  look(count: number): void {
    if (this.#mark !== undefined) return;
    const now = monotonicMs();
    this.#startedAtMs ??= now;
    if (now - this.#startedAtMs >= this.#warmUpMs) this.#mark = { count, atMs: now };
  }

  /** The mark, or the start if it was over before. */
  get mark(): { readonly count: number; readonly atMs: number } {
    return this.#mark ?? { count: 0, atMs: this.#startedAtMs ?? Number.NaN };
  }
}

/** Messages a second from the end of the warm-up to the last one; of a round too short for that, over all of it. */
export function warmRate(
  {
    count,
    startedAtMs,
    warm,
  }: { count: number; startedAtMs: number; warm: { readonly count: number; readonly atMs: number } },
  endedAtMs: number,
): number {
  const afterWarmUp = count - warm.count;
  if (afterWarmUp < count / 2) return (count * 1000) / (endedAtMs - startedAtMs);
  return (afterWarmUp * 1000) / (endedAtMs - warm.atMs);
}
