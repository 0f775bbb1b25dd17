import type { Headers } from "../../protocol/header-value.ts";
import type { MessageFacts } from "./routed-message.ts";
import type { Router, RouterOptions } from "./router.ts";
import { TopicNode } from "./topic-node.ts";
import { isWildcard, patternMatches, wordEnd } from "./topic-pattern.ts";
import { hashWord } from "./word-hash.ts";

/**
 * Matches binding keys of words between dots, where `*` stands for one word and `#` for any number, none included.
 * A wildcard is a whole word; `a*` is a literal. Arguments are ignored.
 *
 * The binding keys form a trie. A message walks it one word at a time, at every word in all the nodes at once that its
 * words so far can lead to. Nothing backtracks, so the work per word is at most the number of nodes, however many
 * `#` a binding key holds. Two observations keep the bookkeeping small:
 *
 * - A `#` node once reached stays reached, as `#` also stands for every word to come. So it goes on a list that only
 *   grows during the match, and its own destinations match there and then.
 * - Any other node can be entered from its parent alone. So only `#` nodes need a mark against being reached twice.
 */
export class TopicRouter<D> implements Router<D> {
  readonly keyOnly = true;
  readonly #root = new TopicNode<D>();
  readonly #seed: number;
  #matchNumber = 0;

  constructor({ random }: Pick<RouterOptions<D>, "random">) {
    this.#seed = Math.floor(random() * 2 ** 32) | 0;
  }

  /** How many nodes the trie holds besides its root. Walks the whole trie: for inspection, not for the hot path. */
  get nodeCount(): number {
    let count = -1;
    const pending = [this.#root];
    for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
      count += 1;
      if (node.star !== undefined) pending.push(node.star);
      if (node.hash !== undefined) pending.push(node.hash);
      for (const child of node.literals()) pending.push(child);
    }
    return count;
  }

  bind(routingKey: string, _args: Headers, destination: D): void {
    let node = this.#root;
    let start = firstWord(routingKey);
    while (!node.isLeafOf(routingKey, start)) {
      if (node.restAt !== -1) this.#unfold(node);
      if (start > routingKey.length) break;
      const end = wordEnd(routingKey, start);
      const child = this.#child(node, routingKey, start, end);
      if (child === undefined) {
        node = this.#grow(node, routingKey, start);
        break;
      }
      node = child;
      start = end + 1;
    }
    node.add(destination);
  }

  unbind(routingKey: string, _args: Headers, destination: D): void {
    const path = [this.#root];
    const starts: number[] = [];
    let node = this.#root;
    let start = firstWord(routingKey);
    while (start <= routingKey.length && node.restAt === -1) {
      const end = wordEnd(routingKey, start);
      const child = this.#child(node, routingKey, start, end);
      if (child === undefined) return;
      path.push(child);
      starts.push(start);
      node = child;
      start = end + 1;
    }
    if (node.restAt !== -1 && !node.isLeafOf(routingKey, start)) return;
    node.remove(destination);
    for (let depth = starts.length; depth > 0 && path[depth]!.isBare; depth--) {
      this.#removeChild(path[depth - 1]!, routingKey, starts[depth - 1]!, path[depth]!);
    }
  }

  match(routingKey: string, _facts: MessageFacts, into: Set<D>): void {
    this.#matchNumber += 1;
    const hashes: TopicNode<D>[] = [];
    let active = [this.#root];
    if (this.#root.hash !== undefined) this.#reachHash(this.#root.hash, hashes, into);

    // Words are not cut out of the key: that would cost more than looking them up. Keeping the node lists from one match to
    // the next would gain 5–10 %: not worth state that outlives the match.
    let start = routingKey === "" ? -1 : 0;
    while (start !== -1) {
      // A `#` node that is reached by this word takes part from the next word on.
      const stepping = active.length + hashes.length;
      if (stepping === 0) break;
      const dot = routingKey.indexOf(".", start);
      const end = dot === -1 ? routingKey.length : dot;
      let wordHash = -1;

      const next: TopicNode<D>[] = [];
      for (let i = 0; i < stepping; i++) {
        const node = i < active.length ? active[i]! : hashes[i - active.length]!;
        if (node.hasLiterals) {
          if (wordHash === -1) wordHash = hashWord(routingKey, start, end, this.#seed);
          const literal = node.literal(wordHash, routingKey, start, end);
          if (literal === undefined) {
            // None of the bindings that lead here goes on with this word.
          } else if (literal.restAt !== -1) {
            const { key, restAt } = literal;
            if (patternMatches(key, restAt, routingKey, end + 1)) literal.addTo(into);
          } else {
            next.push(literal);
            if (literal.hash !== undefined) this.#reachHash(literal.hash, hashes, into);
          }
        }
        const star = node.star;
        if (star !== undefined) {
          next.push(star);
          if (star.hash !== undefined) this.#reachHash(star.hash, hashes, into);
        }
      }
      active = next;
      start = dot === -1 ? -1 : dot + 1;
    }

    for (const node of active) node.addTo(into);
  }

  /** Enters a `#` node, and the ones that follow it directly: `#` may stand for no word. */
  #reachHash(first: TopicNode<D>, hashes: TopicNode<D>[], into: Set<D>): void {
    let node: TopicNode<D> | undefined = first;
    while (node !== undefined && node.reachedBy !== this.#matchNumber) {
      node.reachedBy = this.#matchNumber;
      node.addTo(into);
      if (node.leadsOn) hashes.push(node);
      node = node.hash;
    }
  }

  #child(node: TopicNode<D>, key: string, start: number, end: number): TopicNode<D> | undefined {
    if (isWildcard(key, start, end, "*")) return node.star;
    if (isWildcard(key, start, end, "#")) return node.hash;
    return node.literal(hashWord(key, start, end, this.#seed), key, start, end);
  }

  /** Adds the nodes for a binding key from `start` on, where there are none yet. Returns the one for its destinations. */
  #grow(from: TopicNode<D>, key: string, start: number): TopicNode<D> {
    let node = from;
    let at = start;
    while (at <= key.length) {
      const end = wordEnd(key, at);
      // Only a literal word has a leaf behind it: wildcards are reached in ways of their own.
      if (isWildcard(key, at, end, "*")) node = node.star = new TopicNode();
      else if (isWildcard(key, at, end, "#")) node = node.hash = new TopicNode();
      else return node.addLiteral(hashWord(key, at, end, this.#seed), key, at, end);
      at = end + 1;
    }
    return node;
  }

  /** Makes an ordinary node of a leaf: its binding key goes on further down. */
  #unfold(node: TopicNode<D>): void {
    const { key, restAt } = node;
    node.restAt = -1;
    node.moveTo(this.#grow(node, key, restAt));
  }

  #removeChild(node: TopicNode<D>, key: string, start: number, child: TopicNode<D>): void {
    const end = wordEnd(key, start);
    if (isWildcard(key, start, end, "*")) node.star = undefined;
    else if (isWildcard(key, start, end, "#")) node.hash = undefined;
    else node.removeLiteral(hashWord(key, start, end, this.#seed), child);
  }
}

/** Where the words of a binding key begin: the empty key has none. */
function firstWord(routingKey: string): number {
  return routingKey === "" ? 1 : 0;
}
