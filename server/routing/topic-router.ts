import type { Headers } from "../../protocol/header-value.ts";
import type { MessageFacts } from "./routed-message.ts";
import type { Router, RouterOptions } from "./router.ts";
import { TopicNode } from "./topic-node.ts";
import { patternMatches, wordEnd } from "./topic-pattern.ts";
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
    for (;;) {
      if (node.rest !== undefined) {
        if (node.rest === restFrom(routingKey, start)) break;
        this.#unfold(node, node.rest);
      }
      if (start > routingKey.length) break;
      const end = wordEnd(routingKey, start);
      const child = this.#child(node, routingKey.slice(start, end));
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
    const words: string[] = [];
    let start = firstWord(routingKey);
    let node = this.#root;
    while (start <= routingKey.length && node.rest === undefined) {
      const end = wordEnd(routingKey, start);
      const word = routingKey.slice(start, end);
      const child = this.#child(node, word);
      if (child === undefined) return;
      path.push(child);
      words.push(word);
      node = child;
      start = end + 1;
    }
    if (node.rest !== restFrom(routingKey, start)) return;
    node.remove(destination);
    for (let depth = words.length; depth > 0 && path[depth]!.isBare; depth--) {
      this.#removeChild(path[depth - 1]!, words[depth - 1]!, path[depth]!);
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
          } else if (literal.rest !== undefined) {
            if (patternMatches(literal.rest, routingKey, end + 1)) literal.addTo(into);
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

  #child(node: TopicNode<D>, word: string): TopicNode<D> | undefined {
    if (word === "*") return node.star;
    if (word === "#") return node.hash;
    return node.literal(this.#hashOf(word), word, 0, word.length);
  }

  /** Adds the nodes for a binding key from `start` on, where there are none yet. Returns the one for its destinations. */
  #grow(from: TopicNode<D>, routingKey: string, start: number): TopicNode<D> {
    let node = from;
    while (start <= routingKey.length) {
      const end = wordEnd(routingKey, start);
      const word = routingKey.slice(start, end);
      start = end + 1;
      // Only a literal word has a leaf behind it: wildcards are reached in ways of their own.
      if (word === "*") node = node.star = new TopicNode();
      else if (word === "#") node = node.hash = new TopicNode();
      else return node.addLiteral(this.#hashOf(word), word, restFrom(routingKey, start));
    }
    return node;
  }

  /** Makes an ordinary node of a leaf: its binding key goes on further down. */
  #unfold(node: TopicNode<D>, rest: string): void {
    node.rest = undefined;
    node.moveTo(this.#grow(node, rest, 0));
  }

  #removeChild(node: TopicNode<D>, word: string, child: TopicNode<D>): void {
    if (word === "*") node.star = undefined;
    else if (word === "#") node.hash = undefined;
    else node.removeLiteral(this.#hashOf(word), child);
  }

  #hashOf(word: string): number {
    return hashWord(word, 0, word.length, this.#seed);
  }
}

/** Where the words of a binding key begin: the empty key has none. */
function firstWord(routingKey: string): number {
  return routingKey === "" ? 1 : 0;
}

/** The words from `start` on; `undefined` if there are none. */
function restFrom(routingKey: string, start: number): string | undefined {
  return start > routingKey.length ? undefined : routingKey.slice(start);
}
