/** A small generator of random numbers from 0 to 1 that gives the same ones for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface Crash {
  /** The broker is killed when this many events are confirmed … */
  readonly atEvent: number;
  /** … and a moment more, */
  readonly delayMs: number;
  /** and stays away for this long. */
  readonly downMs: number;
}

/** When to kill the broker, so that it hits it somewhere in the middle of its work. */
export function planCrashes(seed: number, count: number, events: number): Crash[] {
  const random = randomFrom(seed);
  return Array.from({ length: count }, () => ({
    atEvent: Math.floor(events * (0.02 + 0.9 * random())),
    delayMs: Math.floor(15 * random()),
    downMs: Math.floor(200 * random()),
  })).sort((a, b) => a.atEvent - b.atEvent);
}
