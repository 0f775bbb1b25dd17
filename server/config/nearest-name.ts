/** Number of single-letter changes between two words. */
function distance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const change = a[row - 1] === b[column - 1] ? 0 : 1;
      current.push(Math.min(previous[column]! + 1, current[column - 1]! + 1, previous[column - 1]! + change));
    }
    previous = current;
  }
  return previous[b.length]!;
}

const longestName = 64;

/** The known name that was probably meant, if one is near enough to be worth proposing. */
export function nearestName(typed: string, known: readonly string[]): string | undefined {
  if (typed.length > longestName) return undefined;
  let nearest: string | undefined;
  let least = Math.max(2, Math.floor(typed.length / 4)) + 1;
  for (const name of known) {
    const changes = distance(typed.toLowerCase(), name.toLowerCase());
    if (changes < least) {
      least = changes;
      nearest = name;
    }
  }
  return nearest;
}

/** `; did you mean X?`, or a full stop when nothing is near. */
export function didYouMean(typed: string, known: readonly string[]): string {
  const nearest = nearestName(typed, known);
  return nearest === undefined ? "." : `; did you mean ${nearest}?`;
}
