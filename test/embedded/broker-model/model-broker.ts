import { isCircle, withDeath } from "./model-deaths.ts";
import {
  type Arrival,
  givesWay,
  inOrder,
  type ModelDeath,
  type ModelItem,
  type ModelMessage,
  type ModelQueue,
  newMoment,
  ready,
} from "./model-queue.ts";
import { ModelRoutes } from "./model-routes.ts";
import { recovered, type Snapshot, snapshotOf } from "./model-snapshot.ts";
import { isOffered, nextOf, ttlOf } from "./model-times.ts";
import type { DeadLetterArguments, Topology } from "./topologies.ts";

/** How a message comes back to its queue. */
export interface Return {
  readonly isAttempt: boolean;
  /** It may be why its receiver went away. */
  readonly isBlamed: boolean;
  readonly reason?: string;
  /** Milliseconds that it is to wait. */
  readonly delay?: number;
  /** If a delivery limit or its time ends it, which others it came with. */
  readonly origin?: string;
}

const never = Number.POSITIVE_INFINITY;

/** What a broker has to do, with arrays, and everything at once. */
export class ModelBroker {
  readonly queues = new Map<string, ModelQueue>();
  /** Of older messages nobody knows since the last crash whether they were handed out. */
  certainFrom = 0;
  /** For all queues. */
  policy: DeadLetterArguments | undefined;
  readonly #topology: Topology;
  readonly #routes: ModelRoutes;
  readonly #now: () => number;
  #lastPlace = 0;
  #lastArrival = 0;

  constructor(topology: Topology, now: () => number) {
    this.#topology = topology;
    this.#now = now;
    this.#routes = new ModelRoutes(topology);
    for (const { name } of topology.queues) this.declare(name);
  }

  declare(name: string): void {
    const declared = this.#topology.queues.find((queue) => queue.name === name)!;
    this.queues.set(name, { ...declared, items: [], isPaused: false, moment: newMoment() });
    this.#routes.declare(name);
  }

  delete(queue: ModelQueue): void {
    for (const item of queue.items) this.remove(queue, item);
    this.queues.delete(queue.name);
    this.#routes.delete(queue.name);
  }

  /** Where a message may go: there is more than one possibility if that is left to chance. */
  destinations(message: ModelMessage): ModelQueue[][] {
    const { exchange, keys } = message;
    if (exchange === "") return [this.#route(exchange, keys, message)];
    return this.#routes
      .possibilities(exchange, keys, message)
      .map((names) => names.map((name) => this.queues.get(name)!));
  }

  publish(message: ModelMessage, queue: ModelQueue): ModelItem {
    return this.#add(queue, message, ttlOf(queue, message.expiration));
  }

  reject(queue: ModelQueue, item: ModelItem, reason: string | undefined): void {
    if (item.isGone) return;
    this.remove(queue, item);
    this.#deadLetter(queue, item, { reason: "rejected", nackReason: reason });
  }

  handOut(queue: ModelQueue, item: ModelItem): void {
    item.state = "unsettled";
    item.lateAt = this.#now() + (queue.arguments.ackTimeout ?? never);
    queue.moment.taken.add(item);
  }

  giveBack(queue: ModelQueue, item: ModelItem, { isAttempt, isBlamed, reason, delay, origin }: Return): void {
    if (item.isGone) return;
    item.redelivered = true;
    if (isAttempt) item.attempts++;
    if (reason !== undefined) item.nackReason = reason;
    const arrival = origin === undefined ? undefined : { from: origin, order: 0 };
    if (isBlamed && item.attempts >= (queue.arguments.deliveryLimit ?? never)) {
      const death = { reason: "delivery-limit", nackReason: reason } as const;
      if (this.#deadLetter(queue, item, death, arrival)) this.remove(queue, item);
      else this.#setAside(item, "parked");
    } else if (item.dueAt <= this.#now()) this.#expire(queue, item, arrival);
    else if (delay !== undefined && delay > 0) {
      this.#setAside(item, "delayed");
      item.delayedUntil = Math.ceil(this.#now() + delay);
    } else this.#comeBack(queue, item);
  }

  /** A message that was set aside is ready again. Parked ones do not expire by that. */
  release(queue: ModelQueue, item: ModelItem): void {
    if (item.state === "parked" && item.dueAt <= this.#now()) item.dueAt = never;
    this.#comeBack(queue, item);
  }

  /** Returns how many there were. */
  releaseAll(queue: ModelQueue, state: "delayed" | "parked", limit: number): number {
    const released = inOrder(queue)
      .filter((item) => item.state === state)
      .slice(0, limit);
    for (const item of released) this.release(queue, item);
    return released.length;
  }

  purge(queue: ModelQueue): number {
    const gone = ready(queue);
    for (const item of gone) this.remove(queue, item);
    return gone.length;
  }

  remove(queue: ModelQueue, item: ModelItem): void {
    item.isGone = true;
    queue.items = queue.items.filter((other) => other !== item);
  }

  /** These were too much, in this order. */
  exceed(queue: ModelQueue, items: readonly ModelItem[]): void {
    const from = `${queue.name}, full`;
    const areOfOneLevel = items.every(({ level }) => level === items[0]!.level);
    for (const item of items) {
      this.remove(queue, item);
      queue.moment.dropped.push(item);
      queue.moment.leftBy.set(item, [...queue.items]);
      // Those that came in no certain order went in no certain order. Of several levels it is not known who came last.
      const isCertain = item.arrival === undefined && (areOfOneLevel || givesWay(queue) === "oldest");
      const own = isCertain ? "" : ++this.#lastArrival;
      this.#deadLetter(
        queue,
        item,
        { reason: "max-length" },
        { from: from + own, order: ++this.#lastArrival },
      );
    }
  }

  /** Nobody took it at once. */
  expireImmediate(queue: ModelQueue, item: ModelItem): void {
    this.#expire(queue, item, { from: `${queue.name}, at once`, order: 0 });
  }

  /** Returns how many went; `undefined` if there is no such target. */
  redrive(
    source: ModelQueue,
    to: string | undefined,
    { mode, state, limit }: { mode: "move" | "copy"; state: ModelItem["state"]; limit: number },
  ): number | undefined {
    if (to !== undefined && !this.queues.has(to)) return undefined;
    let redriven = 0;
    for (const item of inOrder(source).filter((one) => one.state === state)) {
      if (redriven === limit) break;
      const target = this.queues.get(to ?? item.deaths[0]?.queue ?? "");
      if (target === undefined || target === source) continue;
      if (mode === "move") this.remove(source, item);
      const { message, deaths, nackReason } = item;
      const ttl = ttlOf(target, deaths.length > 0 ? -1 : message.expiration);
      this.#add(target, message, ttl, { deaths, nackReason });
      redriven++;
    }
    return redriven;
  }

  /** When something happens by itself next, `Infinity`: nothing. */
  get nextAt(): number {
    const times = [...this.queues.values()].flatMap(({ items }) => items.map(nextOf));
    return Math.min(never, ...times);
  }

  /** Lets what is due by now happen; returns what was not settled in time. */
  tick(): ModelItem[] {
    const now = this.#now();
    const late: ModelItem[] = [];
    const due = [...this.queues.values()].flatMap((queue) =>
      queue.items
        .filter((item) => nextOf(item) <= now && !isOffered(queue, item))
        .map((item) => ({ queue, item })),
    );
    for (const { queue, item } of due) {
      const { state, level, dueAt } = item;
      if (state === "unsettled") {
        const origin = `${queue.name}, ${++this.#lastArrival}`;
        this.giveBack(queue, item, { isAttempt: true, isBlamed: true, reason: "delivery-expired", origin });
        late.push(item);
      } else if (dueAt > now) this.#comeBack(queue, item);
      else {
        const from =
          state === "delayed" ? `${queue.name}, ${++this.#lastArrival}` : `${queue.name}, level ${level}`;
        this.#expire(queue, item, { from, order: dueAt });
      }
    }
    return late;
  }

  /** What came in this turn has its place. */
  settle(): void {
    for (const { items, moment } of this.queues.values()) {
      const came = items.filter(({ isNew }) => isNew);
      const gone = moment.dropped.filter(({ isNew }) => isNew);
      const areMixed = [...came, ...gone].some(({ arrival }) => arrival !== undefined);
      for (const item of came) if (areMixed) item.place = ++this.#lastPlace;
      for (const item of gone) if (areMixed) item.place = Number.NaN;
      for (const item of [...came, ...gone]) {
        item.isNew = false;
        item.arrival = undefined;
      }
    }
  }

  snapshot(): Snapshot {
    return snapshotOf(this.queues.values(), this.policy);
  }

  /** Becomes what a restart finds, with all queues declared that are not there. */
  recover({ queues, policy }: Snapshot): void {
    this.policy = policy;
    for (const { name } of this.#topology.queues) {
      // To stand in the same order as at first.
      this.queues.delete(name);
      this.declare(name);
      const kept = queues.get(name);
      if (kept === undefined) continue;
      const queue = this.queues.get(name)!;
      queue.isPaused = kept.isPaused;
      queue.items = recovered(kept);
    }
  }

  #setAside(item: ModelItem, state: "delayed" | "parked"): void {
    item.state = state;
    item.lateAt = never;
  }

  #comeBack(queue: ModelQueue, item: ModelItem): void {
    item.state = "ready";
    item.delayedUntil = 0;
    item.lateAt = never;
    queue.moment.returned.add(item);
  }

  #expire(queue: ModelQueue, item: ModelItem, arrival: Arrival | undefined): void {
    this.remove(queue, item);
    this.#deadLetter(queue, item, { reason: "expired" }, arrival);
  }

  /** Returns whether a queue has taken it. */
  #deadLetter(
    from: ModelQueue,
    { message, deaths, nackReason }: ModelItem,
    death: Pick<ModelDeath, "reason"> & Partial<Pick<ModelDeath, "nackReason">>,
    arrival?: Arrival,
  ): boolean {
    const target = this.#target(from);
    if (target === undefined) return false;
    const history = withDeath(deaths, { nackReason: undefined, ...death, queue: from.name });
    let isTaken = false;
    for (const queue of this.#deadLetterQueues(target, message)) {
      if (isCircle(history, queue.name)) continue;
      const item = this.#add(queue, message, ttlOf(queue, -1), {
        deaths: history,
        nackReason: death.nackReason ?? nackReason,
      });
      item.arrival = arrival;
      isTaken = true;
    }
    return isTaken;
  }

  #target({ arguments: declared }: ModelQueue): DeadLetterArguments | undefined {
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
    if (!this.#routes.has(exchange)) return [];
    return this.#routes.route(exchange, keys, message).map((name) => this.queues.get(name)!);
  }

  #add(
    queue: ModelQueue,
    message: ModelMessage,
    ttl: number,
    { deaths, nackReason }: Pick<ModelItem, "deaths" | "nackReason"> = { deaths: [], nackReason: undefined },
  ): ModelItem {
    const item: ModelItem = {
      message,
      deaths,
      nackReason,
      level: Math.min(message.priority, queue.arguments.maxPriority ?? 0),
      dueAt: this.#now() + ttl,
      isImmediate: ttl === 0,
      arrival: undefined,
      place: ++this.#lastPlace,
      isNew: true,
      attempts: 0,
      redelivered: false,
      state: "ready",
      delayedUntil: 0,
      lateAt: never,
      isGone: false,
    };
    queue.items.push(item);
    queue.moment.added.add(item);
    return item;
  }
}
