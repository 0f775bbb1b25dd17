import type { Headers } from "../../protocol/header-value.ts";
import { CountedSet } from "./counted-set.ts";
import type { MessageFacts } from "./routed-message.ts";
import type { Router } from "./router.ts";

/** Matches the bindings whose routing key is the message's. Arguments are ignored. */
export class DirectRouter<D> implements Router<D> {
  readonly keyOnly = true;
  readonly #byKey = new Map<string, CountedSet<D>>();

  bind(routingKey: string, _args: Headers, destination: D): void {
    let destinations = this.#byKey.get(routingKey);
    if (destinations === undefined) {
      destinations = new CountedSet();
      this.#byKey.set(routingKey, destinations);
    }
    destinations.add(destination);
  }

  unbind(routingKey: string, _args: Headers, destination: D): void {
    const destinations = this.#byKey.get(routingKey);
    if (destinations === undefined) return;
    destinations.remove(destination);
    if (destinations.isEmpty) this.#byKey.delete(routingKey);
  }

  match(routingKey: string, _facts: MessageFacts, into: Set<D>): void {
    this.#byKey.get(routingKey)?.addTo(into);
  }
}
