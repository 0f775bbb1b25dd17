import { seeded } from "../faults/seeded.ts";
import { type RedriveRoundResult, redriveRound } from "./redrive-round.ts";
import { crashRound, type RoundResult } from "./round.ts";

export interface CrashRoundsOptions {
  readonly dataDir: string;
  readonly seed: number;
  readonly rounds: number;
  readonly onRound?: (round: number, result: RoundResult, redriving: RedriveRoundResult) => void;
}

/** Runs rounds one after the other on one directory, each with a kill under load and one in a redrive, and returns how many had a problem. */
export async function crashRounds({ dataDir, seed, rounds, onRound }: CrashRoundsOptions): Promise<number> {
  const random = seeded(seed);
  let failures = 0;
  let firstNumber = 1;
  for (let round = 1; round <= rounds; round++) {
    const result = await crashRound({ dataDir, random, firstNumber, isEarly: round % 5 === 0 });
    firstNumber += result.published;
    const redriving = await redriveRound({ dataDir, random });
    if (result.problems.length + redriving.problems.length > 0) failures++;
    onRound?.(round, result, redriving);
  }
  return failures;
}
