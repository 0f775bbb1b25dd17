/** The middle one; of an even number, the mean of the two in the middle. NaN of none. */
export function median(numbers: readonly number[]): number {
  const sorted = ascending(numbers);
  const middle = Math.floor(sorted.length / 2);
  if (sorted.length % 2 === 1) return sorted[middle]!;
  return (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export interface Summary {
  readonly median: number;
  readonly minimum: number;
  readonly maximum: number;
}

export function summarize(numbers: readonly number[]): Summary {
  return { median: median(numbers), minimum: Math.min(...numbers), maximum: Math.max(...numbers) };
}

/** The smallest number that at least this part of all are not above, 0 < `part` ≤ 1. `sorted` ascends. NaN of none. */
export function percentile(sorted: ArrayLike<number>, part: number): number {
  if (sorted.length === 0) return Number.NaN;
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)]!;
}

/**
 * How many times `theirs` `ours` is: the median of the rounds' own ratios, so that a disturbance that hits both sides of
 * one round counts for little. Rounds that one side did not finish are left out; undefined if none is left.
 */
export function medianRatio(
  ours: readonly (number | undefined)[],
  theirs: readonly (number | undefined)[],
): number | undefined {
  const ratios: number[] = [];
  for (const [round, mine] of ours.entries()) {
    const other = theirs[round];
    if (mine !== undefined && other !== undefined && other !== 0) ratios.push(mine / other);
  }
  return ratios.length === 0 ? undefined : median(ratios);
}

function ascending(numbers: readonly number[]): number[] {
  return [...numbers].sort((a, b) => a - b);
}
