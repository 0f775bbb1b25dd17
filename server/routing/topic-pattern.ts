/**
 * Whether the words of `key` from the one that begins at `keyAt` match those of `pattern` from `patternAt`; an index behind the end of a
 * text means that no word is left. For one binding key by itself: nothing is built, and nothing is cut out of either text.
 *
 * When a word does not fit, the last `#` before it takes one word more. Giving an earlier `#` more instead could not help, so the
 * work is at most the product of both numbers of words.
 */
export function patternMatches(pattern: string, patternAt: number, key: string, keyAt: number): boolean {
  /** Where the pattern goes on behind its last `#`; −1: there was none. And the word up to which that one reaches. */
  let behindHash = -1;
  let hashReach = 0;
  while (keyAt <= key.length) {
    if (patternAt <= pattern.length) {
      const patternEnd = wordEnd(pattern, patternAt);
      if (isWildcard(pattern, patternAt, patternEnd, "#")) {
        behindHash = patternAt = patternEnd + 1;
        hashReach = keyAt;
        continue;
      }
      const keyEnd = wordEnd(key, keyAt);
      const isLike =
        isWildcard(pattern, patternAt, patternEnd, "*") ||
        (patternEnd - patternAt === keyEnd - keyAt && isSame(pattern, patternAt, key, keyAt, keyEnd));
      if (isLike) {
        patternAt = patternEnd + 1;
        keyAt = keyEnd + 1;
        continue;
      }
    }
    if (behindHash === -1) return false;
    hashReach = wordEnd(key, hashReach) + 1;
    keyAt = hashReach;
    patternAt = behindHash;
  }
  while (patternAt <= pattern.length) {
    const patternEnd = wordEnd(pattern, patternAt);
    if (!isWildcard(pattern, patternAt, patternEnd, "#")) return false;
    patternAt = patternEnd + 1;
  }
  return true;
}

/** Whether a whole binding key matches a whole routing key. The empty text has no words here, as a key. */
export function keyMatches(bindingKey: string, routingKey: string): boolean {
  if (bindingKey === "") return routingKey === "";
  return patternMatches(bindingKey, 0, routingKey, routingKey === "" ? 1 : 0);
}

/** Where the word that begins at `start` ends: at a dot, or at the end of the text. */
export function wordEnd(text: string, start: number): number {
  const dot = text.indexOf(".", start);
  return dot === -1 ? text.length : dot;
}

export function isWildcard(pattern: string, start: number, end: number, wildcard: "*" | "#"): boolean {
  return end - start === 1 && pattern[start] === wildcard;
}

/** Whether what stands in `a` from `aAt` on is what stands in `b` from `bAt` to `bEnd`. */
export function isSame(a: string, aAt: number, b: string, bAt: number, bEnd: number): boolean {
  while (bAt < bEnd && a.charCodeAt(aAt) === b.charCodeAt(bAt)) {
    aAt++;
    bAt++;
  }
  return bAt === bEnd;
}
