import { ConsistentHashRouter } from "../../../server/routing/consistent-hash-router.ts";
import { type ModelBinding, RoutesModel } from "../routes-model.ts";
import { headersOf } from "./message-text.ts";
import type { ModelMessage } from "./model-queue.ts";
import type { Topology } from "./topologies.ts";

/** Where messages go. */
export class ModelRoutes {
  readonly #topology: Topology;
  readonly #routes: RoutesModel;
  /** Which of the destinations of a random exchange has the luck, each in its turn. */
  #luck = 0;

  constructor(topology: Topology) {
    this.#topology = topology;
    this.#routes = new RoutesModel((type, bindings, keys) =>
      type === "random" ? this.#byLuck(bindings) : byHash(bindings, keys),
    );
    for (const { name, type, alternate } of topology.exchanges)
      this.#routes.exchanges.set(name, { type, alternate, autoDelete: false });
    for (const binding of topology.bindings) this.#routes.bind(binding);
  }

  /** Binds a queue anew. */
  declare(queue: string): void {
    for (const binding of this.#topology.bindings)
      if (binding.kind === "queue" && binding.destination === queue) this.#routes.bind(binding);
  }

  delete(queue: string): void {
    this.#routes.deleteQueue(queue);
  }

  has(exchange: string): boolean {
    return this.#routes.exchanges.has(exchange);
  }

  /** Names of the queues that a message may go to: with a random exchange there are several possibilities. */
  possibilities(exchange: string, keys: readonly string[], message: ModelMessage): string[][] {
    const isByChance = this.#routes.exchanges.get(exchange)?.type === "random";
    const { bindings } = this.#routes;
    const count = isByChance ? bindings.filter(({ source }) => source === exchange).length : 1;
    return Array.from({ length: Math.max(1, count) }, (_, luck) => {
      this.#luck = luck;
      return this.route(exchange, keys, message);
    });
  }

  route(exchange: string, keys: readonly string[], message: ModelMessage): string[] {
    const [key, ...copyKeys] = keys as [string, ...string[]];
    return [...this.#routes.route(exchange, key, headersOf(message), copyKeys).queues];
  }

  #byLuck(bindings: readonly ModelBinding[]): readonly ModelBinding[] {
    return bindings.slice(this.#luck, this.#luck + 1);
  }
}

/** Who gets which key is for the router's own tests. Here it is made anew each time: it has to stay the same whatever happens. */
function byHash(bindings: readonly ModelBinding[], keys: readonly string[]): readonly ModelBinding[] {
  const nameOf = ({ kind, destination }: ModelBinding) => `${kind}:${destination}`;
  const router = new ConsistentHashRouter<string>({ arguments: {}, nameOf: (name) => name, random: () => 0 });
  for (const binding of bindings) router.bind(binding.key, {}, nameOf(binding));
  const winners = new Set<string>();
  for (const key of keys) router.match(key, { headers: () => ({}), property: () => undefined }, winners);
  return bindings.filter((binding) => winners.has(nameOf(binding)));
}
