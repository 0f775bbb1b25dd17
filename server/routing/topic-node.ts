import { CountedSet } from "./counted-set.ts";

/**
 * One place in the topic trie. The way from the root spells a binding key, word by word, and the destinations of a binding key are
 * in the node where it ends. The wildcards have fields of their own: a message may well carry `*` or `#` as an ordinary
 * word, and a field is cheaper to follow than a map.
 *
 * With many bindings, matching is mostly waiting for memory, one cache miss after another. So there are few nodes, and they have
 * as much in themselves as they can:
 *
 * - Where only one binding key goes on behind a literal word, there is one node for all that follows: a _leaf_ with the
 *   `rest` of the key. It is unfolded, word by word, when another key comes the same way.
 * - A node has its destinations, its word, and its only literal child, as most have one or none, in itself.
 * - Words are looked up by their hashes: a map with numbers for keys need not look at other words to tell that one is not
 *   there.
 */
export class TopicNode<D> extends CountedSet<D> {
  star: TopicNode<D> | undefined = undefined;
  hash: TopicNode<D> | undefined = undefined;
  /** The number of the last match that came by; kept for `#` nodes only. */
  reachedBy = 0;
  /** What follows in the only binding key that goes on here, if this is a leaf. The destinations are that key's then. */
  rest: string | undefined;
  /** The word that leads here; empty for the root and for wildcards. */
  readonly #word: string;
  /** The next of the parent's children whose words have this hash. */
  #sibling: TopicNode<D> | undefined = undefined;
  /** The hash of the only literal child's word; −1 if there is none, or a map of several. */
  #onlyHash = -1;
  #onlyChild: TopicNode<D> | undefined = undefined;
  #children: Map<number, TopicNode<D>> | undefined = undefined;

  constructor(word = "", rest?: string) {
    super();
    this.#word = word;
    this.rest = rest;
  }

  get hasLiterals(): boolean {
    return this.#onlyChild !== undefined || this.#children !== undefined;
  }

  /** Words lead on from here, literal ones or `*`. */
  get leadsOn(): boolean {
    return this.star !== undefined || this.hasLiterals;
  }

  /** Nothing ends here and nothing leads on. */
  get isBare(): boolean {
    return this.isEmpty && this.hash === undefined && !this.leadsOn;
  }

  /** The literal child for the word of `key` from `start` to `end`, which has this hash. */
  literal(wordHash: number, key: string, start: number, end: number): TopicNode<D> | undefined {
    let child = wordHash === this.#onlyHash ? this.#onlyChild : this.#children?.get(wordHash);
    while (child !== undefined && !isWord(child.#word, key, start, end)) child = child.#sibling;
    return child;
  }

  literals(): TopicNode<D>[] {
    const firsts = this.#children?.values() ?? (this.#onlyChild === undefined ? [] : [this.#onlyChild]);
    const all = [...firsts];
    for (const child of all) if (child.#sibling !== undefined) all.push(child.#sibling);
    return all;
  }

  /** Adds a literal child, for a word that has none yet; with a `rest` it is a leaf. */
  addLiteral(wordHash: number, word: string, rest: string | undefined): TopicNode<D> {
    const child = new TopicNode<D>(word, rest);
    if (!this.hasLiterals || wordHash === this.#onlyHash) {
      child.#sibling = this.#onlyChild;
      this.#onlyHash = wordHash;
      this.#onlyChild = child;
      return child;
    }
    if (this.#children === undefined) {
      this.#children = new Map([[this.#onlyHash, this.#onlyChild as TopicNode<D>]]);
      this.#onlyHash = -1;
      this.#onlyChild = undefined;
    }
    child.#sibling = this.#children.get(wordHash);
    this.#children.set(wordHash, child);
    return child;
  }

  /** Removes a literal child that is there. */
  removeLiteral(wordHash: number, child: TopicNode<D>): void {
    const first = this.#children === undefined ? this.#onlyChild : this.#children.get(wordHash);
    if (first !== child) {
      let before = first;
      while (before !== undefined && before.#sibling !== child) before = before.#sibling;
      if (before !== undefined) before.#sibling = child.#sibling;
    } else if (this.#children === undefined) {
      this.#onlyChild = child.#sibling;
      if (this.#onlyChild === undefined) this.#onlyHash = -1;
    } else if (child.#sibling !== undefined) this.#children.set(wordHash, child.#sibling);
    else {
      this.#children.delete(wordHash);
      if (this.#children.size === 0) this.#children = undefined;
    }
  }
}

function isWord(word: string, key: string, start: number, end: number): boolean {
  return word.length === end - start && key.startsWith(word, start);
}
