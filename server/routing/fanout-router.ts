import type { Headers } from "../../protocol/header-value.ts";
import { CountedSet } from "./counted-set.ts";
import type { MessageFacts } from "./routed-message.ts";
import type { Router } from "./router.ts";

/** Matches every binding. Key and arguments tell bindings apart, nothing more. */
export class FanoutRouter<D> implements Router<D> {
  readonly keyOnly = true;
  readonly #destinations = new CountedSet<D>();

  bind(_routingKey: string, _args: Headers, destination: D): void {
    this.#destinations.add(destination);
  }

  unbind(_routingKey: string, _args: Headers, destination: D): void {
    this.#destinations.remove(destination);
  }

  match(_routingKey: string, _facts: MessageFacts, into: Set<D>): void {
    this.#destinations.addTo(into);
  }
}
