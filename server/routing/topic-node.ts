import { CountedSet } from "./counted-set.ts";

/**
 * One place in the topic trie. The way from the root spells a binding key, word by word. The wildcards have fields of
 * their own: a message may well carry `*` or `#` as an ordinary word, and a field is cheaper to follow than a map.
 */
export class TopicNode<D> {
  words: Map<string, TopicNode<D>> | undefined = undefined;
  star: TopicNode<D> | undefined = undefined;
  hash: TopicNode<D> | undefined = undefined;
  destinations: CountedSet<D> | undefined = undefined;
  /** The number of the last match that came by; kept for `#` nodes only. */
  reachedBy = 0;

  get isEmpty(): boolean {
    return (
      this.destinations === undefined &&
      this.words === undefined &&
      this.star === undefined &&
      this.hash === undefined
    );
  }

  child(word: string): TopicNode<D> | undefined {
    if (word === "*") return this.star;
    if (word === "#") return this.hash;
    return this.words?.get(word);
  }

  childOrNew(word: string): TopicNode<D> {
    const existing = this.child(word);
    if (existing !== undefined) return existing;
    const created = new TopicNode<D>();
    if (word === "*") this.star = created;
    else if (word === "#") this.hash = created;
    else {
      this.words ??= new Map();
      this.words.set(word, created);
    }
    return created;
  }

  removeChild(word: string): void {
    if (word === "*") this.star = undefined;
    else if (word === "#") this.hash = undefined;
    else if (this.words?.delete(word) && this.words.size === 0) this.words = undefined;
  }

  addDestination(destination: D): void {
    this.destinations ??= new CountedSet();
    this.destinations.add(destination);
  }

  removeDestination(destination: D): void {
    this.destinations?.remove(destination);
    if (this.destinations?.isEmpty) this.destinations = undefined;
  }
}
