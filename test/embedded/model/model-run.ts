import { EmbeddedEngine } from "../../../server/embedded/embedded-engine.ts";
import type { Delivery, Owner, PublishSink, Subscription } from "../../../server/engine/engine.ts";
import {
  consumerLimits,
  ManualTurns,
  microtasks,
  owner,
  publication,
  queueNamed,
  subscribing,
  textOf,
} from "../../support/embedded.ts";
import { inOrder, type ModelItem, ModelQueue, type ModelSnapshot, snapshotOf } from "./queue-model.ts";
import type { ConsumerMode, Outcome, Step } from "./steps.ts";
import { WatchedStore } from "./watched-store.ts";

const queueKinds = [
  { name: "durable", durable: true, exclusive: false, autoDelete: false },
  { name: "durable too", durable: true, exclusive: false, autoDelete: false },
  { name: "transient", durable: false, exclusive: false, autoDelete: false },
  { name: "exclusive", durable: true, exclusive: true, autoDelete: false },
  { name: "auto-delete", durable: true, exclusive: false, autoDelete: true },
  {
    name: "priorities",
    durable: true,
    exclusive: false,
    autoDelete: false,
    arguments: { maxPriority: 3 },
  },
] as const;

/** So little that a handful of messages pages. */
const queueMemoryBytes = 2048;

interface Held {
  readonly queue: ModelQueue;
  readonly item: ModelItem;
  readonly delivery: Delivery;
}

/** A consumer, or what a session has pulled. */
interface Holder {
  readonly session: Owner;
  readonly consumer: ModelConsumer | undefined;
  held: Held[];
}

interface ModelConsumer {
  readonly queue: ModelQueue;
  readonly prefetch: number;
  readonly mode: ConsumerMode;
  subscription: Subscription | undefined;
  hasRoom: boolean;
  isCancelled: boolean;
}

/** Plays steps to an engine and to the model, and fails where the two differ. */
export class ModelRun {
  readonly #sessions = [owner("one"), owner("two")] as const;
  readonly #store = new WatchedStore(() => snapshotOf(this.#queues.values()));
  #engine!: EmbeddedEngine;
  #turns = new ManualTurns();
  #queues = new Map<string, ModelQueue>();
  #holders: Holder[] = [];
  /** Publishes without an outcome: where they went. */
  #unconfirmed = new Map<number, { queue: ModelQueue; item: ModelItem }[]>();
  /** What the present turn has delivered, queue by queue. */
  #delivered = new Map<ModelQueue, ModelItem[]>();
  #lastNumber = 0;
  /** What went wrong inside a callback. */
  readonly #problems: unknown[] = [];

  static async play(steps: readonly Step[]): Promise<void> {
    const run = new ModelRun();
    await run.#start(new Map(), "stop");
    await run.#take({ do: "declare" });
    for (const step of steps) await run.#take(step);
    await run.#take({ do: "stop" });
    await run.#take({ do: "rest" });
  }

  async #take(step: Step): Promise<void> {
    await this.#perform(step);
    await microtasks();
    if (this.#problems.length > 0) throw this.#problems[0];
    await this.#checkCounts();
  }

  async #perform(step: Step): Promise<void> {
    switch (step.do) {
      case "publish":
        for (let i = 0; i < step.count; i++) this.#publish(step.to, step.bytes, step.persistent);
        return;
      case "turn":
        return this.#turn();
      case "flush":
        return this.#store.flush(step.commits);
      case "rest":
        return this.#rest();
      case "subscribe":
        return this.#subscribe(step.queue, step.session, step.prefetch, step.mode);
      case "settle":
        return this.#settle(step);
      case "get":
        for (let i = 0; i < step.count; i++) await this.#get(step.queue, step.session);
        return;
      case "room":
        return this.#setRoom(step.consumer, step.room);
      case "cancel":
        return this.#cancel(picked(this.#consumers(), step.consumer));
      case "close":
        return this.#close(picked(this.#sessions, step.session));
      case "purge":
        return this.#purge(step.queue);
      case "delete":
        return this.#delete(step.queue);
      case "declare":
        return this.#declareMissing();
      case "crash":
        return this.#crash();
      case "stop":
        return this.#stop();
    }
  }

  #publish(to: number, bytes: number, persistent: boolean): void {
    const number = ++this.#lastNumber;
    const text = `${number}:${"x".repeat(bytes)}`;
    const priority = number % 5;
    const toAll = to >= queueKinds.length;
    const name = toAll ? "" : queueKinds[to]!.name;
    const queues = toAll
      ? [...this.#queues.values()]
      : [this.#queues.get(name)].filter((queue) => queue !== undefined);
    this.#unconfirmed.set(
      number,
      queues.map((queue) => ({ queue, item: queue.add(number, text.length, persistent, priority) })),
    );
    const exchange = toAll ? "amq.fanout" : "";
    this.#engine.publish(
      publication(number, name, text, { exchange, persistent, priority }),
      this.#publisher(this.#engine),
    );
  }

  readonly #publisher = (engine: EmbeddedEngine): PublishSink => ({
    confirmed: (first, last) => {
      for (let number = first; number <= last; number++) this.#confirmed(engine, number);
    },
    refused: (number, code) => this.#problems.push(new Error(`Publish ${number} was refused: ${code}.`)),
    returned: (number) => this.#problems.push(new Error(`Publish ${number} was returned.`)),
  });

  #confirmed(engine: EmbeddedEngine, number: number): void {
    const targets = this.#unconfirmed.get(number);
    this.#expect(engine === this.#engine, `a dead engine confirmed ${number}`);
    this.#expect(targets !== undefined, `${number} was confirmed twice`);
    this.#unconfirmed.delete(number);
    for (const { queue, item } of targets ?? []) {
      if (!item.survives || item.isGone) continue;
      const isOnDisk = this.#store.durable.get(queue)?.has(item) ?? false;
      this.#expect(isOnDisk, `${number} was confirmed and is not on disk in "${queue.name}"`);
    }
  }

  #turn(): void {
    const readyBefore = new Map([...this.#queues.values()].map((queue) => [queue, queue.ready]));
    this.#delivered.clear();
    this.#turns.end();
    // Served in turn, consumers see every n-th message each; together they must have got the first ones.
    for (const [queue, items] of this.#delivered) {
      const got = inOrder(items).map(({ id }) => id);
      const due = (readyBefore.get(queue) ?? []).map(({ id }) => id).slice(0, got.length);
      this.#expect(`${got}` === `${due}`, `"${queue.name}" delivered ${got} when ${due} were due`);
    }
  }

  /** Until nothing is under way: then everything is confirmed, and nobody could be given anything more. */
  async #rest(): Promise<void> {
    while (this.#turns.pending > 0 || this.#store.pendingCommits > 0) {
      this.#turn();
      this.#store.flush();
      await microtasks();
    }
    this.#expect(this.#unconfirmed.size === 0, `${[...this.#unconfirmed.keys()]} were never confirmed`);
    for (const holder of this.#consumers()) {
      const { queue, prefetch, mode, hasRoom } = holder.consumer as ModelConsumer;
      const couldTake = hasRoom && (mode === "no-ack" || holder.held.length < prefetch);
      this.#expect(
        !couldTake || queue.ready.length === 0,
        `"${queue.name}" has messages that a consumer could take`,
      );
    }
  }

  async #subscribe(queueAt: number, sessionAt: number, prefetch: number, mode: ConsumerMode): Promise<void> {
    const queue = picked([...this.#queues.values()], queueAt);
    if (queue === undefined) return;
    const session = this.#userOf(queue, sessionAt);
    const consumer: ModelConsumer = {
      queue,
      prefetch,
      mode,
      subscription: undefined,
      hasRoom: true,
      isCancelled: false,
    };
    const holder: Holder = { session, consumer, held: [] };
    queue.consumers++;
    this.#holders.push(holder);
    const options = subscribing({ prefetch, noAck: mode === "no-ack" });
    consumer.subscription = await this.#engine.subscribe(queue.name, options, session, {
      hasRoom: () => consumer.hasRoom,
      deliver: (deliveries) => this.#deliver(holder, consumer, [...deliveries]),
      expired: () => this.#expect(false, "a delivery has expired"),
      activeChanged: () => this.#expect(false, "a queue without a single active consumer has one"),
      cancelled: () => {
        this.#expect(!consumer.isCancelled, "a consumer was cancelled twice");
        consumer.isCancelled = true;
      },
    });
    consumer.subscription.resume();
  }

  #deliver(holder: Holder, consumer: ModelConsumer, deliveries: readonly Delivery[]): void {
    const { queue, mode } = consumer;
    this.#expect(!consumer.isCancelled, `a delivery from "${queue.name}" after the end`);
    this.#expect(consumer.hasRoom, `a delivery from "${queue.name}" without room`);
    let previous: ModelItem | undefined;
    for (const delivery of deliveries) {
      const item = this.#received(queue, delivery);
      const isInOrder = previous === undefined || inOrder([previous, item])[0] === previous;
      this.#expect(isInOrder, `a consumer of "${queue.name}" got ${item.id} after ${previous?.id}`);
      previous = item;
      const delivered = this.#delivered.get(queue);
      if (delivered === undefined) this.#delivered.set(queue, [item]);
      else delivered.push(item);
      const held = { queue, item, delivery };
      if (mode === "no-ack") queue.remove(item);
      else if (mode === "acks-at-once") this.#settleHeld([held], "ack");
      else holder.held.push(held);
    }
    const isOverPrefetch = mode !== "no-ack" && holder.held.length > consumer.prefetch;
    this.#expect(
      !isOverPrefetch,
      `a consumer of "${queue.name}" has ${holder.held.length} unsettled deliveries`,
    );
    if (mode !== "requeues-once") return;
    const toRequeue = holder.held.filter(({ item }) => item.attempts === 0);
    holder.held = holder.held.filter((held) => !toRequeue.includes(held));
    this.#settleHeld(toRequeue, "requeue");
  }

  /** Holds a delivery against the model, and hands its item out there. */
  #received(queue: ModelQueue, delivery: Delivery): ModelItem {
    const text = textOf(delivery);
    const id = Number(text.split(":")[0]);
    const item = queue.items.find((candidate) => candidate.id === id);
    if (item === undefined) throw new Error(`"${queue.name}" delivered ${id}, which it does not have.`);
    const { isReady, redelivered, attempts, bytes } = item;
    this.#expect(isReady, `"${queue.name}" delivered ${id}, which is handed out already`);
    const says = `${delivery.redelivered} ${delivery.attempts} ${text.length}`;
    this.#expect(
      says === `${redelivered} ${attempts} ${bytes}`,
      `${id} says ${says}, not ${redelivered} ${attempts} ${bytes}`,
    );
    item.isReady = false;
    return item;
  }

  #settle(step: Extract<Step, { do: "settle" }>): void {
    const holder = picked(
      this.#holders.filter(({ held }) => held.length > 0),
      step.holder,
    );
    if (holder === undefined) return;
    const chosen = holder.held.slice(step.skip, step.skip + step.count);
    holder.held = holder.held.filter((held) => !chosen.includes(held));
    if (step.backwards) chosen.reverse();
    this.#settleHeld(chosen, step.outcome);
  }

  #settleHeld(held: readonly Held[], outcome: Outcome): void {
    for (const { queue, item } of held) {
      if (outcome === "requeue" || outcome === "return") queue.requeue(item);
      else queue.remove(item);
    }
    this.#engine.settle(
      held.map(({ delivery }) => delivery),
      outcome,
    );
  }

  async #get(queueAt: number, sessionAt: number): Promise<void> {
    const queue = picked([...this.#queues.values()], queueAt);
    if (queue === undefined) return;
    const session = this.#userOf(queue, sessionAt);
    const [due] = queue.ready;
    const { delivery, messages } = await this.#engine.get(queue.name, { noAck: false }, session);
    const item = delivery === undefined ? undefined : this.#received(queue, delivery);
    this.#expect(item === due, `"${queue.name}" gave ${item?.id} when ${due?.id} was due`);
    this.#expect(messages === queue.ready.length, `get says ${messages} are left`);
    if (item !== undefined) {
      this.#holders.push({
        session,
        consumer: undefined,
        held: [{ queue, item, delivery: delivery as Delivery }],
      });
    }
  }

  #setRoom(at: number, room: boolean): void {
    const consumer = picked(this.#consumers(), at)?.consumer;
    if (consumer === undefined) return;
    consumer.hasRoom = room;
    if (room) consumer.subscription?.resume();
  }

  #cancel(holder: Holder | undefined): void {
    const consumer = holder?.consumer;
    if (consumer === undefined || consumer.isCancelled) return;
    const { queue } = consumer;
    consumer.isCancelled = true;
    if (--queue.consumers === 0 && queue.autoDelete) this.#forget(queue);
    consumer.subscription?.cancel();
  }

  #close(session: Owner | undefined): void {
    const own = this.#holders.filter((holder) => holder.session === session);
    for (const holder of own) this.#cancel(holder);
    this.#settleHeld(
      own.flatMap(({ held }) => held),
      "return",
    );
    this.#holders = this.#holders.filter((holder) => holder.session !== session);
    if (session === undefined) return;
    const exclusive = this.#queues.get("exclusive");
    if (exclusive !== undefined && session === this.#sessions[0]) this.#forget(exclusive);
    this.#note(this.#engine.release(session));
  }

  #purge(at: number): void {
    const queue = picked([...this.#queues.values()], at);
    if (queue === undefined) return;
    const ready = queue.ready;
    const expected = queue.purge();
    this.#noteCount(this.#engine.purgeQueue(queue.name, this.#userOf(queue, 0)), expected, () => {
      const onDisk = this.#store.durable.get(queue);
      this.#expect(!ready.some((item) => onDisk?.has(item)), `"${queue.name}" is purged, but not on disk`);
    });
  }

  #delete(at: number): void {
    const queue = picked([...this.#queues.values()], at);
    if (queue === undefined) return;
    const expected = queue.ready.length;
    this.#forget(queue);
    const conditions = { ifUnused: false, ifEmpty: false };
    const deleted = this.#engine.deleteQueue(queue.name, conditions, this.#userOf(queue, 0));
    this.#noteCount(deleted, expected, () => {
      this.#expect(!this.#store.durable.has(queue), `"${queue.name}" is deleted, but not on disk`);
    });
  }

  #forget(queue: ModelQueue): void {
    queue.clear();
    this.#queues.delete(queue.name);
  }

  #declareMissing(): void {
    for (const { name, ...properties } of queueKinds) {
      if (this.#queues.has(name)) continue;
      const queue = new ModelQueue(name, {
        ...properties,
        durable: properties.durable && !properties.exclusive,
        maxPriority: "arguments" in properties ? properties.arguments.maxPriority : 0,
      });
      this.#queues.set(name, queue);
      const session = this.#userOf(queue, 0);
      const declared = this.#engine.declareQueue(queueNamed(name, properties), session).then(() => {
        const isThere = !queue.durable || this.#queues.get(name) !== queue || this.#store.durable.has(queue);
        this.#expect(isThere, `"${name}" is declared, but not on disk`);
      });
      this.#note(declared);
      const binding = { queue: name, exchange: "amq.fanout", routingKey: "", arguments: {} };
      this.#note(this.#engine.bindQueue(binding, session));
    }
  }

  async #crash(): Promise<void> {
    this.#store.crash();
    await this.#start(this.#store.durable, "crash");
  }

  async #stop(): Promise<void> {
    for (const session of this.#sessions) this.#close(session);
    let isStopping = true;
    const stopped = this.#engine.stop().finally(() => {
      isStopping = false;
    });
    while (isStopping) {
      this.#turn();
      this.#store.flush();
      await microtasks();
    }
    await stopped;
    this.#expect(this.#unconfirmed.size === 0, "stopped without having confirmed everything");
    await this.#start(snapshotOf(this.#queues.values()), "stop");
  }

  /** Starts an engine on the store, which must hold what `expected` says, no more and no less. */
  async #start(expected: ModelSnapshot, after: "stop" | "crash"): Promise<void> {
    const turns = new ManualTurns();
    const engine = new EmbeddedEngine({
      store: this.#store,
      limits: {
        maxExchanges: 100,
        maxQueues: 100,
        maxBindingsPerQueue: 100,
        maxPolicies: 100,
        ...consumerLimits,
      },
      memoryBudgetBytes: 4 * queueMemoryBytes,
      queueMemoryBytes,
      maxUncommittedBytes: 2000,
      defer: turns.defer,
      now: () => 0,
      delay: () => {},
      random: Math.random,
      events: {
        onFailure: (error) => this.#problems.push(error),
        onDamage: (_queue, error) => this.#problems.push(error),
        onCircuitChange: () => {},
        onMissingTarget: (...facts) => this.#problems.push(facts),
      },
    });
    this.#turns = turns;
    this.#engine = engine;
    this.#holders = [];
    this.#unconfirmed.clear();
    this.#queues = new Map([...expected.keys()].map((queue) => [queue.name, queue]));
    for (const [queue, items] of expected) this.#recover(queue, items, after);
    let isStarting = true;
    const started = engine.start().finally(() => {
      isStarting = false;
    });
    while (isStarting) {
      this.#store.flush();
      await microtasks();
    }
    await started;
    for (const queue of this.#queues.values()) this.#checkRecovered(queue, after);
  }

  #recover(
    queue: ModelQueue,
    items: ReadonlyMap<ModelItem, { attempts: number }>,
    after: "stop" | "crash",
  ): void {
    queue.consumers = 0;
    queue.items = [...items].map(([item, { attempts }]) => ({
      ...item,
      attempts,
      // Nobody knows after a crash; until then it is exact.
      redelivered: after === "crash" || item.redelivered,
      isReady: true,
      isGone: false,
    }));
  }

  /** What the store gives out is what the model has and what the store has counted. */
  #checkRecovered(queue: ModelQueue, after: "stop" | "crash"): void {
    const { records, queues } = this.#store.recovered!;
    const record = records.get(`queue/${queue.name}`) as
      | { id: number; lanes?: { [priority: string]: number } }
      | undefined;
    this.#expect(record !== undefined, `"${queue.name}" is not there after a ${after}`);
    const above = Object.entries(record!.lanes ?? {}).sort(([one], [other]) => Number(other) - Number(one));
    const laneIds = [...above.map(([, id]) => id), record!.id];
    const loaded = laneIds.flatMap((id) =>
      this.#store.load(id, 0, Number.MAX_SAFE_INTEGER, 10_000, 10_000_000),
    );
    const ids = loaded.map((entry) => Number(textOf(entry).split(":")[0]));
    queue.items = inOrder(queue.items);
    const due = queue.items.map((item) => item.id);
    this.#expect(`${ids}` === `${due}`, `"${queue.name}" holds ${ids} after a ${after}, not ${due}`);
    const bytes = loaded.reduce((sum, { envelope }) => sum + envelope.length, 0);
    const counters = laneIds.map((id) => queues.get(id) ?? { messages: 0, bytes: 0, nextSeq: 1 });
    const sum = (field: "messages" | "bytes") => counters.reduce((total, each) => total + each[field], 0);
    const counted = `${sum("messages")} with ${sum("bytes")}`;
    this.#expect(
      counted === `${loaded.length} with ${bytes}`,
      `"${queue.name}" counted ${counted} bytes, not ${loaded.length} with ${bytes}`,
    );
    for (const [i, { attempts }] of loaded.entries()) {
      const item = queue.items[i]!;
      // An entry that came back before it was written has its attempts written by the commit after.
      const isRight = after === "stop" ? attempts === item.attempts : attempts <= item.attempts;
      this.#expect(isRight, `${item.id} has ${attempts} attempts after a ${after}, not ${item.attempts}`);
      item.attempts = attempts;
    }
  }

  async #checkCounts(): Promise<void> {
    for (const queue of this.#queues.values()) {
      const { messages, consumers } = await this.#engine.checkQueue(queue.name, this.#userOf(queue, 0));
      const says = `${messages} ready and ${consumers} consumers`;
      const due = `${queue.ready.length} ready and ${queue.consumers} consumers`;
      this.#expect(says === due, `"${queue.name}" has ${says}, not ${due}`);
    }
    const { queues } = this.#engine.counts();
    this.#expect(queues === this.#queues.size, `there are ${queues} queues, not ${this.#queues.size}`);
    if (this.#problems.length > 0) throw this.#problems[0];
  }

  #consumers(): Holder[] {
    return this.#holders.filter(({ consumer }) => consumer !== undefined && !consumer.isCancelled);
  }

  /** Only one session may use the exclusive queue. */
  #userOf(queue: ModelQueue, at: number): Owner {
    return queue.name === "exclusive" ? this.#sessions[0] : (picked(this.#sessions, at) as Owner);
  }

  #note(promise: Promise<unknown>): void {
    promise.catch((error) => this.#problems.push(error));
  }

  #noteCount(promise: Promise<number>, expected: number, andThen: () => void): void {
    const checked = promise.then((count) => {
      this.#expect(count === expected, `it says ${count}, not ${expected}`);
      andThen();
    });
    this.#note(checked);
  }

  #expect(holds: boolean, otherwise: string): void {
    if (!holds) this.#problems.push(new Error(otherwise));
  }
}

function picked<T>(list: readonly T[], at: number): T | undefined {
  return list.length === 0 ? undefined : list[at % list.length];
}
