import type { Headers } from "../../protocol/header-value.ts";
import type { ExchangeDeclaration } from "../engine/engine.ts";
import { bindingIdentity } from "../routing/binding-identity.ts";
import { createRouter, type ExchangeType } from "../routing/exchange-types.ts";
import { RouteCache } from "../routing/route-cache.ts";
import type { Router } from "../routing/router.ts";
import type { Queue } from "./queue.ts";

/** One binding of a queue to an exchange. */
export interface Binding {
  readonly exchange: Exchange;
  readonly queue: Queue;
  readonly routingKey: string;
  readonly arguments: Headers;
  /** Its record in the store; `undefined` if it does not survive a restart. */
  readonly recordKey: string | undefined;
}

/** One exchange and its bindings. */
export class Exchange {
  readonly name: string;
  readonly type: ExchangeType;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly internal: boolean;
  readonly arguments: Headers;
  readonly #router: Router<Queue>;
  readonly #cache = new RouteCache<Queue>();
  readonly #matched = new Set<Queue>();
  readonly #bindings = new Map<Queue, Map<string, Binding>>();
  #bindingCount = 0;

  constructor(declaration: ExchangeDeclaration, type: ExchangeType) {
    this.name = declaration.name;
    this.type = type;
    this.durable = declaration.durable;
    this.autoDelete = declaration.autoDelete;
    this.internal = declaration.internal;
    this.arguments = declaration.arguments;
    this.#router = createRouter<Queue>(type);
  }

  get bindingCount(): number {
    return this.#bindingCount;
  }

  /** The queues that a message goes to, each once. */
  route(routingKey: string, headers: () => Headers): readonly Queue[] {
    if (!this.#router.keyOnly) return this.#match(routingKey, headers);
    return this.#cache.get(routingKey) ?? this.#cache.set(routingKey, this.#match(routingKey, headers));
  }

  find(queue: Queue, routingKey: string, args: Headers): Binding | undefined {
    return this.#bindings.get(queue)?.get(bindingIdentity(routingKey, args));
  }

  /** Adds a binding that is not there yet. */
  add(binding: Binding): void {
    let bindings = this.#bindings.get(binding.queue);
    if (bindings === undefined) {
      bindings = new Map();
      this.#bindings.set(binding.queue, bindings);
    }
    bindings.set(bindingIdentity(binding.routingKey, binding.arguments), binding);
    binding.queue.bindings.add(binding);
    this.#bindingCount++;
    this.#router.bind(binding.routingKey, binding.arguments, binding.queue);
    this.#cache.clear();
  }

  /** Removes a binding that is there. */
  remove(binding: Binding): void {
    const bindings = this.#bindings.get(binding.queue);
    bindings?.delete(bindingIdentity(binding.routingKey, binding.arguments));
    if (bindings?.size === 0) this.#bindings.delete(binding.queue);
    binding.queue.bindings.delete(binding);
    this.#bindingCount--;
    this.#router.unbind(binding.routingKey, binding.arguments, binding.queue);
    this.#cache.clear();
  }

  bindings(): Binding[] {
    return [...this.#bindings.values()].flatMap((bindings) => [...bindings.values()]);
  }

  #match(routingKey: string, headers: () => Headers): readonly Queue[] {
    this.#matched.clear();
    this.#router.match(routingKey, headers, this.#matched);
    return [...this.#matched];
  }
}
