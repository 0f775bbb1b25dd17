import type { Headers } from "../../protocol/header-value.ts";
import type { MessageFacts } from "./routed-message.ts";
import type { Router } from "./router.ts";
import { TopicNode } from "./topic-node.ts";
import { topicWords } from "./topic-words.ts";

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
  #matchNumber = 0;

  /** How many nodes the trie holds besides its root. Walks the whole trie: for inspection, not for the hot path. */
  get nodeCount(): number {
    let count = -1;
    const pending = [this.#root];
    for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
      count += 1;
      if (node.star !== undefined) pending.push(node.star);
      if (node.hash !== undefined) pending.push(node.hash);
      if (node.words !== undefined) for (const child of node.words.values()) pending.push(child);
    }
    return count;
  }

  bind(routingKey: string, _args: Headers, destination: D): void {
    let node = this.#root;
    for (const word of topicWords(routingKey)) node = node.childOrNew(word);
    node.addDestination(destination);
  }

  unbind(routingKey: string, _args: Headers, destination: D): void {
    const words = topicWords(routingKey);
    const path = [this.#root];
    for (const word of words) {
      const child = path.at(-1)!.child(word);
      if (child === undefined) return;
      path.push(child);
    }
    path.at(-1)!.removeDestination(destination);
    for (let depth = words.length; depth > 0 && path[depth]!.isEmpty; depth--) {
      path[depth - 1]!.removeChild(words[depth - 1]!);
    }
  }

  match(routingKey: string, _facts: MessageFacts, into: Set<D>): void {
    this.#matchNumber += 1;
    const hashes: TopicNode<D>[] = [];
    let active = [this.#root];
    if (this.#root.hash !== undefined) this.#reachHash(this.#root.hash, hashes, into);

    // The words are cut out one by one, and only as far as the trie goes: a third faster than `split` while the trie
    // is small. Keeping the node lists from one match to the next would gain another 5–10 %, on this uncached path
    // only: not worth state that outlives the match.
    let start = routingKey === "" ? -1 : 0;
    while (start !== -1) {
      // A `#` node that is reached by this word takes part from the next word on.
      const stepping = active.length + hashes.length;
      if (stepping === 0) break;
      const dot = routingKey.indexOf(".", start);
      const word = dot === -1 ? routingKey.slice(start) : routingKey.slice(start, dot);
      start = dot === -1 ? -1 : dot + 1;

      const next: TopicNode<D>[] = [];
      for (let i = 0; i < stepping; i++) {
        const node = i < active.length ? active[i]! : hashes[i - active.length]!;
        const literal = node.words?.get(word);
        if (literal !== undefined) {
          next.push(literal);
          if (literal.hash !== undefined) this.#reachHash(literal.hash, hashes, into);
        }
        const star = node.star;
        if (star !== undefined) {
          next.push(star);
          if (star.hash !== undefined) this.#reachHash(star.hash, hashes, into);
        }
      }
      active = next;
    }

    for (const node of active) node.destinations?.addTo(into);
  }

  /** Enters a `#` node, and the ones that follow it directly: `#` may stand for no word. */
  #reachHash(first: TopicNode<D>, hashes: TopicNode<D>[], into: Set<D>): void {
    let node: TopicNode<D> | undefined = first;
    while (node !== undefined && node.reachedBy !== this.#matchNumber) {
      node.reachedBy = this.#matchNumber;
      node.destinations?.addTo(into);
      if (node.words !== undefined || node.star !== undefined) hashes.push(node);
      node = node.hash;
    }
  }
}
