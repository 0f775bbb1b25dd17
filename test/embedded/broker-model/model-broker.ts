import { RoutesModel } from "../routes-model.ts";
import type { DeadLetterArguments, DeclaredQueue, ModelQueueArguments, Topology } from "./history.ts";

export interface ModelMessage {
  readonly id: number;
  readonly exchange: string;
  /** The routing key, and those of `CC`. */
  readonly keys: readonly string[];
  /** `""`: of no group. */
  readonly group: string;
  readonly persistent: boolean;
  readonly bytes: number;
  /** Milliseconds, -1: none. */
  readonly expiration: number;
}

export interface ModelDeath {
  readonly queue: string;
  readonly reason: "rejected" | "expired";
  readonly count: number;
}

/** Who was given a message. */
export interface ModelHolder {
  /** `undefined`: taken one by one. */
  readonly consumer: object | undefined;
}

/** A message in a queue. */
export interface ModelItem {
  readonly message: ModelMessage;
  readonly deaths: readonly ModelDeath[];
  /** `Infinity`: never. */
  readonly dueAt: number;
  /** Where it expired, if it came from there in this moment: those of one moment may come in any order. */
  cameFrom: { readonly queue: string; readonly dueAt: number } | undefined;
  /** Grows along the queue; 0 as long as the order is not known. */
  place: number;
  attempts: number;
  redelivered: boolean;
  /** `undefined`: ready. */
  holder: ModelHolder | undefined;
  /** When it comes back if it is not settled. */
  lateAt: number;
  /** It has left the queue. */
  isGone: boolean;
}

export interface ModelQueue extends DeclaredQueue {
  items: ModelItem[];
  isPaused: boolean;
}

/** What a restart finds. */
export interface Snapshot {
  readonly queues: ReadonlyMap<
    string,
    { readonly isPaused: boolean; readonly items: readonly { item: ModelItem; attempts: number }[] }
  >;
  readonly policy: DeadLetterArguments | undefined;
}

/** What a broker has to do, with arrays, and everything at once. */
export class ModelBroker {
  readonly queues = new Map<string, ModelQueue>();
  /** Of older messages nobody knows since the last crash whether they were handed out. */
  certainFrom = 0;
  /** For all queues. */
  policy: DeadLetterArguments | undefined;
  readonly #routes = new RoutesModel();
  readonly #now: () => number;

  constructor({ exchanges, queues, bindings }: Topology, now: () => number) {
    this.#now = now;
    for (const { name, type, alternate } of exchanges)
      this.#routes.exchanges.set(name, { type, alternate, autoDelete: false });
    for (const binding of bindings) this.#routes.bind(binding);
    for (const queue of queues) this.queues.set(queue.name, { ...queue, items: [], isPaused: false });
  }

  /** Returns what was added. */
  publish(message: ModelMessage): { queue: ModelQueue; item: ModelItem }[] {
    const { exchange, keys, expiration } = message;
    return this.#route(exchange, keys, message).map((queue) => {
      const ttl = Math.min(expiration < 0 ? Number.POSITIVE_INFINITY : expiration, ttlOf(queue));
      return { queue, item: this.#add(queue, message, [], ttl) };
    });
  }

  ack(queue: ModelQueue, item: ModelItem): void {
    this.#remove(queue, item);
  }

  reject(queue: ModelQueue, item: ModelItem): void {
    this.#remove(queue, item);
    this.#deadLetter(queue, item, "rejected");
  }

  giveBack(item: ModelItem, { isAttempt }: { isAttempt: boolean }): void {
    item.holder = undefined;
    item.lateAt = Number.POSITIVE_INFINITY;
    item.redelivered = true;
    if (isAttempt) item.attempts++;
  }

  handOut(queue: ModelQueue, item: ModelItem, holder: ModelHolder): void {
    item.holder = holder;
    item.lateAt = this.#now() + (queue.arguments.ackTimeout ?? Number.POSITIVE_INFINITY);
  }

  purge(queue: ModelQueue): number {
    const gone = ready(queue);
    for (const item of gone) this.#remove(queue, item);
    return gone.length;
  }

  remove(queue: ModelQueue, item: ModelItem): void {
    this.#remove(queue, item);
  }

  /** Returns how many went. */
  redrive(source: ModelQueue, to: string | undefined, mode: "move" | "copy", limit: number): number {
    let redriven = 0;
    for (const item of ready(source)) {
      if (redriven === limit) break;
      const target = this.queues.get(to ?? item.deaths[0]?.queue ?? "");
      if (target === undefined || target === source) continue;
      if (mode === "move") this.#remove(source, item);
      const { message, deaths } = item;
      const own = deaths.length > 0 || message.expiration < 0 ? Number.POSITIVE_INFINITY : message.expiration;
      this.#add(target, message, deaths, Math.min(own, ttlOf(target)));
      redriven++;
    }
    return redriven;
  }

  /** When something happens by itself next, `Infinity`: nothing. */
  get nextAt(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { items } of this.queues.values())
      for (const item of items) next = Math.min(next, item.holder === undefined ? item.dueAt : item.lateAt);
    return next;
  }

  /** Lets what is due by now happen; returns what was not settled in time. */
  tick(): ModelItem[] {
    const now = this.#now();
    const late: ModelItem[] = [];
    for (const { items } of this.queues.values()) {
      for (const item of items) {
        if (item.holder === undefined || item.lateAt > now) continue;
        this.giveBack(item, { isAttempt: true });
        late.push(item);
      }
    }
    for (const queue of this.queues.values()) {
      for (const item of ready(queue).filter(({ dueAt }) => dueAt <= now)) {
        this.#remove(queue, item);
        this.#deadLetter(queue, item, "expired");
      }
    }
    return late;
  }

  snapshot(): Snapshot {
    const queues = new Map<string, { isPaused: boolean; items: { item: ModelItem; attempts: number }[] }>();
    for (const { name, durable, isPaused, items } of this.queues.values()) {
      if (!durable) continue;
      const kept = items.filter(({ message }) => message.persistent);
      queues.set(name, { isPaused, items: kept.map((item) => ({ item, attempts: item.attempts })) });
    }
    return { queues, policy: this.policy };
  }

  /** Becomes what a restart finds, with queues that do not survive declared anew. */
  recover({ queues, policy }: Snapshot): void {
    this.policy = policy;
    for (const queue of this.queues.values()) {
      const kept = queues.get(queue.name);
      queue.isPaused = kept?.isPaused ?? false;
      // A snapshot made while messages expired did not know their order yet.
      const items = [...(kept?.items ?? [])].sort((a, b) => a.item.place - b.item.place);
      queue.items = items.map(({ item, attempts }) => ({
        ...item,
        attempts,
        // That a message was released, without an attempt, is forgotten.
        redelivered: attempts > 0,
        cameFrom: undefined,
        holder: undefined,
        lateAt: Number.POSITIVE_INFINITY,
        isGone: false,
      }));
    }
  }

  #deadLetter(from: ModelQueue, dead: ModelItem, reason: ModelDeath["reason"]): void {
    const { message, deaths, dueAt } = dead;
    const target = this.#target(from.arguments);
    if (target === undefined) return;
    const isSame = (death: ModelDeath) => death.queue === from.name && death.reason === reason;
    const count = (deaths.find(isSame)?.count ?? 0) + 1;
    const history = [{ queue: from.name, reason, count }, ...deaths.filter((death) => !isSame(death))];
    for (const queue of this.#deadLetterQueues(target, message)) {
      const since = history.findIndex((death) => death.queue === queue.name);
      const isCircle = since >= 0 && history.slice(0, since + 1).every((death) => death.reason === "expired");
      if (isCircle && reason === "expired") continue;
      const item = this.#add(queue, message, history, ttlOf(queue));
      if (reason === "expired") item.cameFrom = { queue: from.name, dueAt };
    }
  }

  #target(declared: ModelQueueArguments): DeadLetterArguments | undefined {
    const has = "deadLetterExchange" in declared || declared.deadLetterQueue !== undefined;
    return has ? (declared as DeadLetterArguments) : this.policy;
  }

  #deadLetterQueues(target: DeadLetterArguments, message: ModelMessage): ModelQueue[] {
    if ("deadLetterQueue" in target) {
      const queue = this.queues.get(target.deadLetterQueue);
      return queue === undefined ? [] : [queue];
    }
    const { deadLetterExchange, deadLetterRoutingKey } = target;
    const keys = deadLetterRoutingKey === undefined ? message.keys : [deadLetterRoutingKey];
    return this.#route(deadLetterExchange, keys, message);
  }

  #route(exchange: string, keys: readonly string[], message: ModelMessage): ModelQueue[] {
    if (exchange === "") return [...this.queues.values()].filter(({ name }) => keys.includes(name));
    if (!this.#routes.exchanges.has(exchange)) return [];
    const [key, ...copyKeys] = keys as [string, ...string[]];
    const { queues } = this.#routes.route(exchange, key, headersOf(message), copyKeys);
    return [...queues].map((name) => this.queues.get(name)!);
  }

  #add(queue: ModelQueue, message: ModelMessage, deaths: readonly ModelDeath[], ttl: number): ModelItem {
    const item: ModelItem = {
      message,
      deaths,
      dueAt: this.#now() + ttl,
      cameFrom: undefined,
      place: 0,
      attempts: 0,
      redelivered: false,
      holder: undefined,
      lateAt: Number.POSITIVE_INFINITY,
      isGone: false,
    };
    queue.items.push(item);
    return item;
  }

  #remove(queue: ModelQueue, item: ModelItem): void {
    item.isGone = true;
    item.holder = undefined;
    queue.items = queue.items.filter((other) => other !== item);
  }
}

export function headersOf({ keys, group }: ModelMessage) {
  return {
    key: keys[0]!,
    ...(group !== "" && { group }),
    ...(keys.length > 1 && { CC: keys.slice(1) }),
  };
}

export function ready({ items }: ModelQueue): ModelItem[] {
  return items.filter(({ holder }) => holder === undefined);
}

/** The messages that can be handed out at this moment to whoever holds nothing, in order. */
export function deliverable(queue: ModelQueue): ModelItem[] {
  if (queue.isPaused) return [];
  if (queue.arguments.messageGroups === undefined) return ready(queue);
  const seen = new Set<string>();
  for (const { message, holder } of queue.items) if (holder !== undefined) seen.add(message.group);
  return ready(queue).filter(({ message: { group } }) => {
    if (group === "") return true;
    if (seen.has(group)) return false;
    seen.add(group);
    return true;
  });
}

function ttlOf(queue: ModelQueue): number {
  return queue.arguments.messageTtl ?? Number.POSITIVE_INFINITY;
}
