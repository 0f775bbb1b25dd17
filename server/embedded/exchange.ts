import type { ExchangeArguments } from "../../protocol/arguments.ts";
import type { Headers } from "../../protocol/header-value.ts";
import type { ExchangeDeclaration, ExchangeReport, Policy } from "../engine/engine.ts";
import { bindingIdentity } from "../routing/binding-identity.ts";
import { createRouter, type ExchangeType } from "../routing/exchange-types.ts";
import { RouteCache } from "../routing/route-cache.ts";
import type { RoutedMessage } from "../routing/routed-message.ts";
import type { Router } from "../routing/router.ts";
import { type ArgumentSources, combinedArguments, effectiveArguments } from "./effective-arguments.ts";
import type { Subject } from "./policies.ts";
import type { Queue } from "./queue.ts";

/** Where a binding leads. */
export type Destination = Queue | Exchange;

/** One binding to an exchange, the source of what comes over it. */
export interface Binding {
  readonly exchange: Exchange;
  readonly destination: Destination;
  readonly routingKey: string;
  readonly arguments: Headers;
  /** Its record in the store; `undefined` if it does not survive a restart. */
  readonly recordKey: string | undefined;
}

/** One exchange and what is bound to it. Which queues a message reaches in the end is for `Routes` to say. */
export class Exchange implements Subject {
  readonly name: string;
  readonly type: ExchangeType;
  readonly durable: boolean;
  autoDelete: boolean;
  internal: boolean;
  /** As declared. */
  arguments: Headers;
  policy: Policy | undefined;
  /** Name of the exchange for what matches no binding here; it need not be there. */
  alternate: string | undefined;
  /** Messages that needed the alternate when it was not there. */
  missedTargets = 0;
  /** Somebody has been told of that. */
  isMissingTold = false;
  /** The bindings that lead here, as a queue has them. */
  readonly bindings = new Set<Binding>();
  /** Kept by `Routes`. */
  readonly cache = new RouteCache<Queue>();
  readonly #random: () => number;
  #router: Router<Destination>;
  readonly #matched = new Set<Destination>();
  readonly #outgoing = new Map<Destination, Map<string, Binding>>();
  #outgoingCount = 0;
  #toExchanges = 0;

  /** @param random at least 0 and less than 1. */
  constructor(declaration: ExchangeDeclaration, type: ExchangeType, random: () => number) {
    const args = declaration.arguments as ExchangeArguments;
    this.name = declaration.name;
    this.type = type;
    this.durable = declaration.durable;
    this.autoDelete = declaration.autoDelete;
    this.internal = declaration.internal;
    this.arguments = declaration.arguments;
    this.alternate = args.alternateExchange;
    this.#random = random;
    this.#router = createRouter<Destination>(type, { arguments: args, nameOf, random });
  }

  /** Takes over what can be changed. Messages are routed by it from now on. */
  change({ autoDelete, internal, arguments: args }: ExchangeDeclaration): void {
    this.autoDelete = autoDelete;
    this.internal = internal;
    this.arguments = args;
    this.follow(this.policy);
  }

  follow(policy: Policy | undefined): void {
    this.policy = policy;
    const args: ExchangeArguments = combinedArguments(this.#sources);
    this.alternate = args.alternateExchange;
    this.isMissingTold = false;
    this.cache.clear();
    if (this.type !== "consistent-hash") return;
    this.#router = createRouter<Destination>(this.type, { arguments: args, nameOf, random: this.#random });
    for (const { routingKey, arguments: terms, destination } of this.outgoing())
      this.#router.bind(routingKey, terms, destination);
  }

  get report(): ExchangeReport {
    const { name, type, durable, autoDelete, internal, policy } = this;
    const defaults = type === "consistent-hash" ? { hashOn: { by: "routingKey" } } : {};
    const args = { ...defaults, ...combinedArguments(this.#sources) };
    return {
      name,
      type,
      durable,
      autoDelete,
      internal,
      bindings: this.#outgoingCount,
      missedTargets: this.missedTargets,
      policy: policy?.name,
      effectiveArguments: effectiveArguments("exchange", this.#sources, args),
    };
  }

  /** How many bindings lead from here. */
  get outgoingCount(): number {
    return this.#outgoingCount;
  }

  /** Where messages go depends on the routing key alone, as far as this exchange has a say. */
  get keyOnly(): boolean {
    return this.#router.keyOnly;
  }

  /** Messages may go on through another exchange: what becomes of them does not depend on this one alone. */
  get isLinked(): boolean {
    return this.alternate !== undefined || this.#toExchanges > 0;
  }

  /** The destinations of the bindings that match, each once. Valid until the next call. */
  match(message: RoutedMessage): ReadonlySet<Destination> {
    const [router, matched] = [this.#router, this.#matched];
    matched.clear();
    router.match(message.routingKey, message, matched);
    if (router.keyOnly) for (const key of message.copyKeys) router.match(key, message, matched);
    return matched;
  }

  find(destination: Destination, routingKey: string, args: Headers): Binding | undefined {
    return this.#outgoing.get(destination)?.get(bindingIdentity(routingKey, args));
  }

  /** Adds a binding that is not there yet. */
  add(binding: Binding): void {
    const { destination, routingKey, arguments: args } = binding;
    let bindings = this.#outgoing.get(destination);
    if (bindings === undefined) {
      bindings = new Map();
      this.#outgoing.set(destination, bindings);
    }
    bindings.set(bindingIdentity(routingKey, args), binding);
    destination.bindings.add(binding);
    this.#router.bind(routingKey, args, destination);
    this.#changed(destination, 1);
  }

  /** Removes a binding that is there. */
  remove(binding: Binding): void {
    const { destination, routingKey, arguments: args } = binding;
    const bindings = this.#outgoing.get(destination);
    bindings?.delete(bindingIdentity(routingKey, args));
    if (bindings?.size === 0) this.#outgoing.delete(destination);
    destination.bindings.delete(binding);
    this.#router.unbind(routingKey, args, destination);
    this.#changed(destination, -1);
  }

  get destinationCount(): number {
    return this.#outgoing.size;
  }

  destinations(): Iterable<Destination> {
    return this.#outgoing.keys();
  }

  bindingsTo(destination: Destination): Iterable<Binding> {
    return this.#outgoing.get(destination)?.values() ?? [];
  }

  /** The bindings that lead from here. */
  outgoing(): Binding[] {
    return [...this.#outgoing.values()].flatMap((bindings) => [...bindings.values()]);
  }

  /** What of a policy does not concern this type of exchange is as if it were not there. */
  get #sources(): ArgumentSources {
    const { type, arguments: declared, policy } = this;
    if (type === "consistent-hash" || policy === undefined) return { arguments: declared, policy };
    const { hashOn: _, ...args } = policy.arguments;
    return { arguments: declared, policy: { ...policy, arguments: args } };
  }

  #changed(destination: Destination, change: 1 | -1): void {
    this.#outgoingCount += change;
    if (destination instanceof Exchange) this.#toExchanges += change;
    this.cache.clear();
  }
}

/** Queues and exchanges have their names to themselves each. */
function nameOf(destination: Destination): string {
  return `${destination instanceof Exchange ? "exchange" : "queue"}:${destination.name}`;
}
