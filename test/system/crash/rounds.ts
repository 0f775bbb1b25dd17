import { crashRound, type RoundResult } from "./round.ts";

/** Small, fast and good enough to choose moments: mulberry32. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface CrashRoundsOptions {
  readonly dataDir: string;
  readonly seed: number;
  readonly rounds: number;
  readonly onRound?: (round: number, result: RoundResult) => void;
}

/** Runs rounds one after the other on one directory, and returns how many had a problem. */
export async function crashRounds({ dataDir, seed, rounds, onRound }: CrashRoundsOptions): Promise<number> {
  const random = seeded(seed);
  let failures = 0;
  let firstNumber = 1;
  for (let round = 1; round <= rounds; round++) {
    const result = await crashRound({ dataDir, random, firstNumber });
    firstNumber += result.published;
    if (result.problems.length > 0) failures++;
    onRound?.(round, result);
  }
  return failures;
}
