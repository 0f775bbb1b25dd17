import type { Headers } from "../../protocol/header-value.ts";
import { argumentsIdentity } from "./binding-identity.ts";
import { CountedSet } from "./counted-set.ts";
import { HeaderCriteria } from "./header-criteria.ts";
import type { MessageFacts } from "./routed-message.ts";
import type { Router } from "./router.ts";

interface Group<D> {
  readonly criteria: HeaderCriteria;
  readonly destinations: CountedSet<D>;
}

/**
 * Matches the bindings whose arguments accept the message's headers. Routing keys only tell bindings apart.
 *
 * Bindings with equal arguments form a group, so a message is compared once with each set of arguments,
 * not once with each of a thousand queues that ask for the same.
 */
export class HeadersRouter<D> implements Router<D> {
  readonly keyOnly = false;
  readonly #groups = new Map<string, Group<D>>();

  bind(_routingKey: string, args: Headers, destination: D): void {
    const identity = argumentsIdentity(args);
    let group = this.#groups.get(identity);
    if (group === undefined) {
      group = { criteria: new HeaderCriteria(args), destinations: new CountedSet() };
      this.#groups.set(identity, group);
    }
    group.destinations.add(destination);
  }

  unbind(_routingKey: string, args: Headers, destination: D): void {
    const identity = argumentsIdentity(args);
    const group = this.#groups.get(identity);
    if (group === undefined) return;
    group.destinations.remove(destination);
    if (group.destinations.isEmpty) this.#groups.delete(identity);
  }

  match(_routingKey: string, { headers }: MessageFacts, into: Set<D>): void {
    if (this.#groups.size === 0) return;
    const found = headers();
    for (const group of this.#groups.values()) {
      if (group.criteria.accepts(found)) group.destinations.addTo(into);
    }
  }
}
