import { CountedSet } from "./counted-set.ts";
import { HashTable } from "./hash-table.ts";
import { isSame } from "./topic-pattern.ts";

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
 * - Words are looked up by their hashes, and only a word with the right one is looked at. No text is cut out of binding keys: a
 *   text of its own would be one more place to go to.
 */
export class TopicNode<D> extends CountedSet<D> {
  star: TopicNode<D> | undefined = undefined;
  hash: TopicNode<D> | undefined = undefined;
  /** The number of the last match that came by; kept for `#` nodes only. */
  reachedBy = 0;
  /** A binding key that goes by here. If this is a leaf, it is the only one, and the destinations are its. */
  readonly key: string;
  /** Where what follows begins in the key, if this is a leaf; otherwise −1. */
  restAt = -1;
  /** Where the word that leads here begins and ends in the key. Of no use for the root and for wildcards. */
  readonly #wordAt: number;
  readonly #wordEnd: number;
  /** The next of the parent's children whose words have this hash. */
  #sibling: TopicNode<D> | undefined = undefined;
  /** The hash of the only literal child's word; −1 if there is none, or a map of several. */
  #onlyHash = -1;
  #onlyChild: TopicNode<D> | undefined = undefined;
  #children: HashTable<TopicNode<D>> | undefined = undefined;

  constructor(key = "", wordAt = 0, wordEnd = 0) {
    super();
    this.key = key;
    this.#wordAt = wordAt;
    this.#wordEnd = wordEnd;
  }

  /** This is the leaf of the binding key whose words up to `start` lead here. */
  isLeafOf(key: string, start: number): boolean {
    const { restAt } = this;
    return (
      restAt !== -1 &&
      this.key.length - restAt === key.length - start &&
      isSame(this.key, restAt, key, start, key.length)
    );
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
    while (child !== undefined && !child.#isWord(key, start, end)) child = child.#sibling;
    return child;
  }

  literals(): TopicNode<D>[] {
    const firsts = this.#children?.values() ?? (this.#onlyChild === undefined ? [] : [this.#onlyChild]);
    const all = [...firsts];
    for (const child of all) if (child.#sibling !== undefined) all.push(child.#sibling);
    return all;
  }

  /** Adds a literal child for the word of `key` from `start` to `end`, which has none yet. If words follow it is a leaf. */
  addLiteral(wordHash: number, key: string, start: number, end: number): TopicNode<D> {
    const child = new TopicNode<D>(key, start, end);
    if (end < key.length) child.restAt = end + 1;
    if (!this.hasLiterals || wordHash === this.#onlyHash) {
      child.#sibling = this.#onlyChild;
      this.#onlyHash = wordHash;
      this.#onlyChild = child;
      return child;
    }
    if (this.#children === undefined) {
      this.#children = new HashTable();
      this.#children.set(this.#onlyHash, this.#onlyChild as TopicNode<D>);
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

  #isWord(key: string, start: number, end: number): boolean {
    return this.#wordEnd - this.#wordAt === end - start && isSame(this.key, this.#wordAt, key, start, end);
  }
}
