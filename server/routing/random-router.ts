import type { Headers } from "../../protocol/header-value.ts";
import type { MessageFacts } from "./routed-message.ts";
import type { Router, RouterOptions } from "./router.ts";

interface Place {
  bindings: number;
  at: number;
}

/** Sends each message to one of its destinations by chance, all being equally likely. Keys and arguments tell bindings apart, nothing more. */
export class RandomRouter<D> implements Router<D> {
  readonly keyOnly = false;
  readonly #random: () => number;
  readonly #destinations: D[] = [];
  readonly #places = new Map<D, Place>();

  constructor({ random }: RouterOptions<D>) {
    this.#random = random;
  }

  bind(_routingKey: string, _args: Headers, destination: D): void {
    const place = this.#places.get(destination);
    if (place !== undefined) place.bindings++;
    else this.#places.set(destination, { bindings: 1, at: this.#destinations.push(destination) - 1 });
  }

  unbind(_routingKey: string, _args: Headers, destination: D): void {
    const place = this.#places.get(destination);
    if (place === undefined || --place.bindings > 0) return;
    this.#places.delete(destination);
    // The last one takes the place that has become free.
    const last = this.#destinations.pop() as D;
    if (last === destination) return;
    this.#destinations[place.at] = last;
    this.#places.get(last)!.at = place.at;
  }

  match(_routingKey: string, _facts: MessageFacts, into: Set<D>): void {
    const count = this.#destinations.length;
    if (count > 0) into.add(this.#destinations[Math.floor(this.#random() * count)]!);
  }
}
