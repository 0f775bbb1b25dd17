import type { RoutedMessage } from "../routing/routed-message.ts";
import { Exchange } from "./exchange.ts";
import type { Queue } from "./queue.ts";

/** What routes depend on. */
export interface RoutedTopology {
  readonly exchanges: ReadonlyMap<string, Exchange>;
  readonly queues: ReadonlyMap<string, Queue>;
  /** Another number whenever an exchange or a binding comes or goes. */
  readonly generation: number;
}

/** Called with the exchange whose alternate a message would have needed. */
export type MissingAlternateListener = (exchange: Exchange) => void;

/** Where a walk from one exchange led. */
interface Walk {
  readonly queues: ReadonlySet<Queue>;
  /** The same key leads to the same queues as long as the topology stays as it is, and nobody has to be told. */
  readonly isRepeatable: boolean;
}

const noQueues: readonly Queue[] = Object.freeze([]);

/**
 * Which queues a message reaches: through bindings to queues, bindings to other exchanges and alternate exchanges
 * (SEMANTICS 19–22).
 *
 * Routes are remembered per exchange and routing key, so that nearly all messages cost one lookup. An exchange without
 * links to others forgets its routes when one of its own bindings changes, and only then. What leads on through other
 * exchanges depends on theirs too: such an exchange forgets all its routes whenever anything in the topology has changed
 * since. That is more than would have to be, but needs no books on who can reach whom.
 */
export class Routes {
  readonly #topology: RoutedTopology;
  readonly #onMissingAlternate: MissingAlternateListener;

  constructor(topology: RoutedTopology, onMissingAlternate: MissingAlternateListener) {
    this.#topology = topology;
    this.#onMissingAlternate = onMissingAlternate;
  }

  /** The queues that a message goes to from an exchange, each once. */
  find(from: Exchange, message: RoutedMessage): readonly Queue[] {
    const { cache, isLinked } = from;
    const isCacheable = from.keyOnly && message.copyKeys.length === 0;
    if (isCacheable) {
      if (isLinked) cache.holdFor(this.#topology.generation);
      const known = cache.get(message.routingKey);
      if (known !== undefined) return known;
    }
    const { queues, isRepeatable } = isLinked ? this.#walk(from, message) : directly(from, message);
    return isCacheable && isRepeatable ? cache.set(message.routingKey, queues) : [...queues];
  }

  /** The queues that a message goes to from the default exchange: those with its keys for names (SEMANTICS 16). */
  findByName({ routingKey, copyKeys }: RoutedMessage): readonly Queue[] {
    const { queues } = this.#topology;
    const first = queues.get(routingKey);
    if (copyKeys.length === 0) return first === undefined ? noQueues : [first];
    const all = new Set([routingKey, ...copyKeys].map((key) => queues.get(key)));
    all.delete(undefined);
    return [...all] as Queue[];
  }

  /** Comes by every exchange once at most, however they are bound to each other. */
  #walk(from: Exchange, message: RoutedMessage): Walk {
    const queues = new Set<Queue>();
    let isRepeatable = true;
    // What is added to a set while it is walked over is walked over too.
    const exchanges = new Set([from]);
    for (const exchange of exchanges) {
      isRepeatable &&= exchange.keyOnly;
      const destinations = exchange.match(message);
      for (const destination of destinations) {
        if (destination instanceof Exchange) exchanges.add(destination);
        else queues.add(destination);
      }
      if (destinations.size > 0 || exchange.alternate === undefined) continue;
      const alternate = this.#topology.exchanges.get(exchange.alternate);
      if (alternate !== undefined) exchanges.add(alternate);
      else {
        this.#onMissingAlternate(exchange);
        // Each message that is lost so is counted.
        isRepeatable = false;
      }
    }
    return { queues, isRepeatable };
  }
}

/** The way from an exchange to which nothing but queues is bound and that has no alternate. */
function directly(from: Exchange, message: RoutedMessage): Walk {
  return { queues: from.match(message) as ReadonlySet<Queue>, isRepeatable: true };
}
