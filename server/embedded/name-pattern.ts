/**
 * Says which names a pattern stands for: `*` for any text, also none, everything else for itself, and all of the name has to
 * match. No regular expressions: whoever writes a pattern cannot make matching slow.
 */
export class NamePattern {
  readonly #head: string;
  /** What has to come in this order between head and tail. */
  readonly #middle: readonly string[];
  /** `undefined`: the pattern has no `*`, and is a name. */
  readonly #tail: string | undefined;

  constructor(pattern: string) {
    const [head, ...rest] = pattern.split("*");
    this.#head = head as string;
    this.#tail = rest.pop();
    this.#middle = rest;
  }

  matches(name: string): boolean {
    const [head, tail] = [this.#head, this.#tail];
    if (tail === undefined) return name === head;
    if (name.length < head.length + tail.length || !name.startsWith(head) || !name.endsWith(tail))
      return false;
    const between = name.slice(head.length, name.length - tail.length);
    let at = 0;
    // The first place where a part fits leaves the most room for those behind it.
    for (const part of this.#middle) {
      const found = between.indexOf(part, at);
      if (found < 0) return false;
      at = found + part.length;
    }
    return true;
  }
}
