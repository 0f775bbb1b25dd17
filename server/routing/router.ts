import type { ExchangeArguments } from "../../protocol/arguments.ts";
import type { Headers } from "../../protocol/header-value.ts";
import type { MessageFacts } from "./routed-message.ts";

/** What some types of exchanges need besides their bindings. */
export interface RouterOptions<D> {
  readonly arguments: ExchangeArguments;
  /** A name that no other destination has, and that is the same after a restart. */
  nameOf(destination: D): string;
  /** At least 0 and less than 1. */
  random(): number;
}

/**
 * The bindings of one exchange, and which of them a message matches.
 *
 * `D` is a destination: whatever messages are routed to. Destinations are told apart by identity.
 * One destination may have many bindings; it takes part until the last of them is removed.
 *
 * Nothing here throws or waits. Matching adds to a set that the caller brings, so that one message which reaches
 * a queue over several bindings or several exchanges arrives there once.
 */
export interface Router<D> {
  /**
   * Whether matching depends on the routing key alone. If so, results may be cached by key until the next `bind` or
   * `unbind`, and `match` never looks at the facts. If not, it takes no notice of the routing key at all: a message with
   * several keys is matched once.
   */
  readonly keyOnly: boolean;

  /**
   * Adds a binding. The caller guarantees that `checkBinding` accepted it and that the identical binding
   * (routing key, arguments as `bindingIdentity` sees them, destination) is not there yet, and leaves `args` unchanged from then on.
   */
  bind(routingKey: string, args: Headers, destination: D): void;

  /** Removes a binding. The caller guarantees that this very binding is there. */
  unbind(routingKey: string, args: Headers, destination: D): void;

  /**
   * Adds every destination with at least one matching binding to `into`.
   *
   * @param facts asked for no more than the exchange type needs, as decoding costs.
   */
  match(routingKey: string, facts: MessageFacts, into: Set<D>): void;
}
