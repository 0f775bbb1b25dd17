/** Rising numbers as ranges of those that follow one another. */
export function rangesOf(numbers: readonly number[]): [first: number, last: number][] {
  const ranges: [first: number, last: number][] = [];
  for (const number of numbers) {
    const range = ranges.at(-1);
    if (range?.[1] === number - 1) range[1] = number;
    else ranges.push([number, number]);
  }
  return ranges;
}
