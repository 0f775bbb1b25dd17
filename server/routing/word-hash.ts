/**
 * 31 bits that depend on every character from `start` to `end`. The seed is drawn by chance, so that nobody can choose words that
 * have the same hash and are slow to tell apart; what is made of it must not outlive the process.
 */
export function hashWord(text: string, start: number, end: number, seed: number): number {
  let hash = seed;
  for (let at = start; at < end; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x85ebca6b);
    hash ^= hash >>> 13;
  }
  return hash & 0x7fffffff;
}
