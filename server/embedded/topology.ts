import { argumentConflict } from "../../protocol/argument-check.ts";
import type { ExchangeArguments } from "../../protocol/arguments.ts";
import { PosthornError } from "../../protocol/errors.ts";
import type { Headers } from "../../protocol/header-value.ts";
import type {
  ExchangeBinding,
  ExchangeDeclaration,
  OnMismatch,
  Owner,
  Policy,
  QueueBinding,
  QueueDeclaration,
} from "../engine/engine.ts";
import { checkArguments, checkBinding, exchangeTypes, isExchangeType } from "../routing/exchange-types.ts";
import { isToBeChanged } from "./equivalence.ts";
import { type Binding, type Destination, Exchange } from "./exchange.ts";
import { Policies } from "./policies.ts";
import { Queue, type QueueHost } from "./queue.ts";
import type { QueueId, RecordChange } from "./store/store.ts";
import { bindingRecord, exchangeRecord, policyRecord, queueRecord, recordKeys } from "./topology-records.ts";

export interface TopologyLimits {
  readonly maxExchanges: number;
  readonly maxQueues: number;
  /** Also of the bindings that lead to one exchange. */
  readonly maxBindingsPerQueue: number;
  readonly maxPolicies: number;
}

/** What a binding says besides what it connects. */
interface BindingTerms {
  readonly routingKey: string;
  readonly arguments: Headers;
}

/** What a change of the topology means for the store, and for whoever waits for it. */
export interface TopologyChange {
  /** Records to write; none if nothing durable has changed. */
  readonly records: RecordChange[];
  /** Queues that went with it; the caller empties them and ends their consumers. */
  readonly deletedQueues: Queue[];
}

function noChange(): TopologyChange {
  return { records: [], deletedQueues: [] };
}

/** Exchanges that are always there (SEMANTICS 17). The default exchange is not among them: it has no bindings of its own. */
const predeclared = [
  { name: "amq.direct", type: "direct" },
  { name: "amq.fanout", type: "fanout" },
  { name: "amq.topic", type: "topic" },
  { name: "amq.headers", type: "headers" },
  { name: "amq.match", type: "headers" },
] as const;

/** Queue ids are reserved in blocks, so that declaring a transient queue writes nothing. */
const queueIdBlock = 1000;

/** Exchanges, queues and bindings by name, and the rules for declaring and deleting them. Changes are made at once. */
export class Topology {
  readonly exchanges = new Map<string, Exchange>();
  readonly queues = new Map<string, Queue>();
  readonly policies: Policies;
  readonly #owned = new Map<Owner, Set<Queue>>();
  readonly #limits: TopologyLimits;
  readonly #host: QueueHost;
  readonly #random: () => number;
  #nextQueueId: QueueId = 1;
  #reservedQueueIds: QueueId = 0;
  #nextBindingRecord = 1;
  #generation = 0;

  /** @param random at least 0 and less than 1. */
  constructor(limits: TopologyLimits, host: QueueHost, random: () => number) {
    this.#random = random;
    this.#limits = limits;
    this.policies = new Policies(this, limits.maxPolicies);
    this.#host = host;
    for (const { name, type } of predeclared) {
      const declaration = { name, type, durable: true, autoDelete: false, internal: false, arguments: {} };
      this.exchanges.set(name, new Exchange(declaration, type, random));
    }
  }

  /** Another number whenever an exchange or a binding comes or goes. */
  get generation(): number {
    return this.#generation;
  }

  exchange(name: string): Exchange {
    const exchange = this.exchanges.get(name);
    if (exchange === undefined)
      throw new PosthornError("not-found", `There is no exchange ${quote(name)}.`, { exchange: name });
    return exchange;
  }

  /** @throws PosthornError `not-found`, or `resource-locked` for another owner's exclusive queue (SEMANTICS 36). */
  queue(name: string, owner: Owner): Queue {
    const queue = this.queues.get(name);
    if (queue === undefined)
      throw new PosthornError("not-found", `There is no queue ${quote(name)}.`, { queue: name });
    assertAccess(queue, owner);
    return queue;
  }

  /** `undefined` also for another owner's exclusive queue. */
  queueFor(name: string, owner: Owner): Queue | undefined {
    const queue = this.queues.get(name);
    return queue === undefined || queue.owner === undefined || queue.owner === owner ? queue : undefined;
  }

  declareExchange(declaration: ExchangeDeclaration, onMismatch: OnMismatch = "fail"): TopologyChange {
    const { name, type } = declaration;
    if (!isExchangeType(type)) {
      const known = Object.keys(exchangeTypes).join(", ");
      throw new PosthornError(
        "invalid-argument",
        `There is no exchange type ${quote(type)}. There are: ${known}.`,
        { exchangeType: type },
      );
    }
    const conflict = checkArguments(type, declaration.arguments as ExchangeArguments);
    if (conflict !== undefined) throw argumentConflict("exchange", conflict.argument, conflict.problem);
    const existing = this.exchanges.get(name);
    if (existing !== undefined) {
      const [asked, there] = [exchangeProperties(declaration), exchangeProperties(existing)];
      return isToBeChanged(`Exchange ${quote(name)}`, asked, there, onMismatch)
        ? this.#changeExchange(existing, declaration)
        : noChange();
    }
    assertBelow(this.exchanges.size - predeclared.length, this.#limits.maxExchanges, "maxExchanges");
    const exchange = new Exchange(declaration, type, this.#random);
    this.#addExchange(exchange);
    return exchange.durable ? { records: [exchangeRecord(exchange)], deletedQueues: [] } : noChange();
  }

  deleteExchange(name: string, ifUnused: boolean): TopologyChange {
    const exchange = this.exchanges.get(name);
    if (exchange === undefined) return noChange();
    if (ifUnused && exchange.outgoingCount > 0) {
      throw new PosthornError("precondition-failed", `Exchange ${quote(name)} has bindings.`, {
        bindings: exchange.outgoingCount,
      });
    }
    const records: RecordChange[] = [];
    this.#removeExchange(exchange, records);
    this.#removeBindings([...exchange.outgoing(), ...exchange.bindings], records);
    return { records, deletedQueues: [] };
  }

  declareQueue(declaration: QueueDeclaration, owner: Owner, onMismatch: OnMismatch = "fail"): TopologyChange {
    const existing = this.queues.get(declaration.name);
    if (existing !== undefined) {
      assertAccess(existing, owner);
      const declared = { ...declaration, durable: declaration.durable && !declaration.exclusive };
      const { durable, autoDelete, arguments: args } = existing;
      const there = { exclusive: existing.owner !== undefined, durable, autoDelete, arguments: args };
      const [asked, present] = [queueProperties(declared), queueProperties(there)];
      return isToBeChanged(`Queue ${quote(existing.name)}`, asked, present, onMismatch)
        ? this.#changeQueue(existing, declaration)
        : noChange();
    }
    assertBelow(this.queues.size, this.#limits.maxQueues, "maxQueues");
    const records: RecordChange[] = [];
    const queueOwner = declaration.exclusive ? owner : undefined;
    const queue = this.#addQueue(this.takeQueueId(records), declaration, queueOwner);
    if (queue.durable) records.push(queueRecord(queue));
    return { records, deletedQueues: [] };
  }

  deleteQueue(queue: Queue): TopologyChange {
    const records: RecordChange[] = [];
    this.#removeBindings(queue.bindings, records);
    this.queues.delete(queue.name);
    if (queue.owner !== undefined) {
      const owned = this.#owned.get(queue.owner);
      owned?.delete(queue);
      if (owned?.size === 0) this.#owned.delete(queue.owner);
    }
    if (queue.durable) records.push({ key: recordKeys.queue(queue.name), value: null });
    return { records, deletedQueues: [queue] };
  }

  bindQueue({ exchange, queue, ...how }: QueueBinding, owner: Owner): TopologyChange {
    const destination = this.queue(queue, owner);
    return this.#bind(this.exchange(exchange), destination, how, { exchange, queue });
  }

  unbindQueue({ exchange, queue, ...how }: QueueBinding, owner: Owner): TopologyChange {
    const destination = this.queues.get(queue);
    if (destination !== undefined) assertAccess(destination, owner);
    return this.#unbind(exchange, destination, how);
  }

  bindExchange({ source, destination, ...how }: ExchangeBinding): TopologyChange {
    const [to, from] = [this.exchange(destination), this.exchange(source)];
    return this.#bind(from, to, how, { source, destination });
  }

  unbindExchange({ source, destination, ...how }: ExchangeBinding): TopologyChange {
    return this.#unbind(source, this.exchanges.get(destination), how);
  }

  queuesOf(owner: Owner): Queue[] {
    return [...(this.#owned.get(owner) ?? [])];
  }

  setPolicy(policy: Policy): TopologyChange {
    const conflict = policy.appliesTo === "exchanges" && checkArguments("consistent-hash", policy.arguments);
    if (conflict) throw argumentConflict("exchange", conflict.argument, conflict.problem);
    this.policies.set(policy);
    this.#generation++;
    return { records: [policyRecord(policy)], deletedQueues: [] };
  }

  deletePolicy(name: string): TopologyChange {
    if (!this.policies.delete(name)) return noChange();
    this.#generation++;
    return { records: [{ key: recordKeys.policy(name), value: null }], deletedQueues: [] };
  }

  restoreExchange(declaration: ExchangeDeclaration): void {
    if (isExchangeType(declaration.type))
      this.#addExchange(new Exchange(declaration, declaration.type, this.#random));
  }

  restoreQueue(id: QueueId, declaration: QueueDeclaration): Queue {
    return this.#addQueue(id, declaration, undefined);
  }

  restoreBinding(
    recordNumber: number,
    source: string,
    destination: { readonly queue: string } | { readonly exchange: string },
    how: BindingTerms,
  ): void {
    this.#nextBindingRecord = Math.max(this.#nextBindingRecord, recordNumber + 1);
    const exchange = this.exchanges.get(source);
    const target =
      "queue" in destination ? this.queues.get(destination.queue) : this.exchanges.get(destination.exchange);
    if (exchange === undefined || target === undefined) return;
    exchange.add({ exchange, destination: target, ...how, recordKey: recordKeys.binding(recordNumber) });
  }

  /** No id below was left unused for certain. */
  restoreQueueIds(reserved: QueueId): void {
    this.#nextQueueId = reserved;
    this.#reservedQueueIds = reserved;
  }

  /** An id that was never given out. `records` get what has to be written with its first use. */
  takeQueueId(records: RecordChange[]): QueueId {
    if (this.#nextQueueId >= this.#reservedQueueIds) {
      this.#reservedQueueIds = this.#nextQueueId + queueIdBlock;
      records.push({ key: recordKeys.reservedQueueIds, value: this.#reservedQueueIds });
    }
    return this.#nextQueueId++;
  }

  #changeExchange(exchange: Exchange, declaration: ExchangeDeclaration): TopologyChange {
    if (predeclared.some(({ name }) => name === exchange.name)) {
      throw new PosthornError("access-refused", `Exchange ${quote(exchange.name)} belongs to the broker.`, {
        exchange: exchange.name,
      });
    }
    exchange.change(declaration);
    this.#generation++;
    return { records: exchange.durable ? [exchangeRecord(exchange)] : [], deletedQueues: [] };
  }

  #changeQueue(queue: Queue, declaration: QueueDeclaration): TopologyChange {
    queue.change(declaration);
    return { records: queue.durable ? [queueRecord(queue)] : [], deletedQueues: [] };
  }

  #addExchange(exchange: Exchange): void {
    this.exchanges.set(exchange.name, exchange);
    const policy = this.policies.find("exchanges", exchange.name);
    if (policy !== undefined) exchange.follow(policy);
    this.#generation++;
  }

  #addQueue(id: QueueId, declaration: QueueDeclaration, owner: Owner | undefined): Queue {
    const policy = this.policies.find("queues", declaration.name);
    const queue = new Queue(id, declaration, owner, this.#host, policy);
    this.queues.set(queue.name, queue);
    if (owner === undefined) return queue;
    const owned = this.#owned.get(owner);
    if (owned === undefined) this.#owned.set(owner, new Set([queue]));
    else owned.add(queue);
    return queue;
  }

  #bind(
    exchange: Exchange,
    destination: Destination,
    { routingKey, arguments: args }: BindingTerms,
    names: { readonly [what: string]: string },
  ): TopologyChange {
    if (exchange.find(destination, routingKey, args) !== undefined) return noChange();
    const problem = checkBinding(exchange.type, routingKey, args);
    if (problem !== undefined) throw new PosthornError("invalid-argument", problem, names);
    assertBelow(destination.bindings.size, this.#limits.maxBindingsPerQueue, "maxBindingsPerQueue");
    const isDurable = exchange.durable && destination.durable;
    const recordKey = isDurable ? recordKeys.binding(this.#nextBindingRecord++) : undefined;
    const binding: Binding = { exchange, destination, routingKey, arguments: args, recordKey };
    exchange.add(binding);
    this.#generation++;
    return isDurable ? { records: [bindingRecord(binding)], deletedQueues: [] } : noChange();
  }

  #unbind(
    source: string,
    destination: Destination | undefined,
    { routingKey, arguments: args }: BindingTerms,
  ): TopologyChange {
    if (destination === undefined) return noChange();
    const binding = this.exchanges.get(source)?.find(destination, routingKey, args);
    const records: RecordChange[] = [];
    if (binding !== undefined) this.#removeBindings([binding], records);
    return { records, deletedQueues: [] };
  }

  /**
   * Also deletes auto-delete exchanges that lose their last binding, with the bindings that lead to them, and so on
   * (SEMANTICS 19).
   */
  #removeBindings(bindings: Iterable<Binding>, records: RecordChange[]): void {
    // A set, as one binding can go for two reasons. What is added to it meanwhile is walked over too: no recursion.
    const leaving = new Set(bindings);
    for (const binding of leaving) {
      const { exchange, recordKey } = binding;
      exchange.remove(binding);
      if (recordKey !== undefined) records.push({ key: recordKey, value: null });
      if (!exchange.autoDelete || exchange.outgoingCount > 0) continue;
      this.#removeExchange(exchange, records);
      for (const leadingHere of exchange.bindings) leaving.add(leadingHere);
    }
    this.#generation++;
  }

  #removeExchange(exchange: Exchange, records: RecordChange[]): void {
    if (this.exchanges.get(exchange.name) !== exchange) return;
    this.exchanges.delete(exchange.name);
    this.#generation++;
    if (exchange.durable) records.push({ key: recordKeys.exchange(exchange.name), value: null });
  }
}

function quote(name: string): string {
  return JSON.stringify(name);
}

function assertAccess(queue: Queue, owner: Owner): void {
  if (queue.owner === undefined || queue.owner === owner) return;
  throw new PosthornError("resource-locked", `Queue ${quote(queue.name)} is exclusive to another session.`, {
    queue: queue.name,
  });
}

function assertBelow(count: number, limit: number, name: keyof TopologyLimits): void {
  if (count < limit) return;
  throw new PosthornError("limit-exceeded", `The broker allows no more than ${limit} (${name}).`, {
    limit: name,
    maximum: limit,
  });
}

function exchangeProperties({ type, durable, autoDelete, internal, arguments: args }: ExchangeDeclaration) {
  return { properties: { exchangeType: type, durable, autoDelete, internal }, arguments: args };
}

function queueProperties({
  durable,
  exclusive,
  autoDelete,
  arguments: args,
}: Omit<QueueDeclaration, "name">) {
  return { properties: { exclusive, durable, autoDelete }, arguments: args };
}
