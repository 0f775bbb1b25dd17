import { ByteWriter } from "../../../protocol/byte-writer.ts";
import { readEnvelope, writeEnvelope } from "../../../protocol/envelope.ts";
import type { Headers } from "../../../protocol/header-value.ts";
import { readHistory } from "../../../server/embedded/death-history.ts";
import type { EmbeddedEngine } from "../../../server/embedded/embedded-engine.ts";
import type { BrowsedMessage, Delivery, PublishSink, Subscription } from "../../../server/engine/engine.ts";
import {
  exchangeNamed,
  ManualTurns,
  microtasks,
  owner,
  publication,
  queueNamed,
  steppedEngine,
  subscribing,
} from "../../support/embedded.ts";
import { ManualTime } from "../../support/manual-time.ts";
import type { Command, History, Topology } from "./history.ts";
import {
  deliverable,
  headersOf,
  ModelBroker,
  type ModelDeath,
  type ModelItem,
  type ModelMessage,
  type ModelQueue,
  ready,
  type Snapshot,
} from "./model-broker.ts";
import { SnapshotStore } from "./snapshot-store.ts";

/** So little that a handful of messages pages. */
const queueMemoryBytes = 1500;

interface Held {
  readonly item: ModelItem;
  readonly delivery: Delivery;
}

/** A consumer, or what was taken one by one. */
interface Holder {
  readonly queue: ModelQueue;
  readonly consumer: Consumer | undefined;
  held: Held[];
}

interface Consumer {
  readonly prefetch: number;
  readonly priority: number;
  subscription: Subscription | undefined;
  /** Of a queue with a single active consumer: what the broker has said. */
  isActive: boolean;
  isCancelled: boolean;
}

/** Does to a broker's engine and to the model the same, and fails where the two differ. */
export class BrokerRun {
  readonly #topology: Topology;
  readonly #clock = new ManualTime();
  readonly #model: ModelBroker;
  readonly #store: SnapshotStore<Snapshot>;
  readonly #me = owner();
  #engine!: EmbeddedEngine;
  #turns = new ManualTurns();
  #starts = 0;
  #holders: Holder[] = [];
  #unconfirmed = new Map<number, { queue: ModelQueue; item: ModelItem }[]>();
  #lastNumber = 0;
  #lastPlace = 0;
  /** What the engine handed out in this moment, in order. */
  #delivered: { holder: Holder; delivery: Delivery }[] = [];
  /** What the engine took back in this moment since it was not settled in time. */
  #late: Delivery[] = [];
  readonly #problems: unknown[] = [];

  private constructor(topology: Topology) {
    this.#topology = topology;
    this.#model = new ModelBroker(topology, this.#clock.now);
    this.#store = new SnapshotStore(() => this.#model.snapshot());
  }

  static async play({ topology, commands }: History): Promise<void> {
    const run = new BrokerRun(topology);
    await run.#start();
    for (const command of [...commands, { do: "stop" } as const]) {
      await run.#perform(command);
      await run.#moment();
    }
  }

  async #perform(command: Command): Promise<void> {
    switch (command.do) {
      case "publish":
        for (let i = 0; i < command.count; i++) this.#publish(command);
        return;
      case "get":
        for (let i = 0; i < command.count; i++) await this.#get(this.#queue(command.queue));
        return;
      case "subscribe":
        return this.#subscribe(this.#queue(command.queue), command.prefetch, command.priority);
      case "settle":
        return this.#settle(command);
      case "cancel":
        return this.#cancel(picked(this.#consumers, command.consumer));
      case "leave":
        return this.#leave(picked(this.#consumers, command.consumer));
      case "pass":
        return this.#pass(command.ms);
      case "flush":
        return this.#store.flush(command.commits);
      case "pause":
      case "resume":
        return this.#pause(this.#queue(command.queue), command.do === "pause");
      case "purge":
        return this.#purge(this.#queue(command.queue));
      case "delete-message":
        return this.#deleteMessage(this.#queue(command.queue), command.at);
      case "redrive":
        return this.#redrive(command);
      case "policy":
        return this.#setPolicy(command);
      case "crash":
        return this.#crash();
      case "stop":
        return this.#stop();
    }
  }

  /** Everything happens that can without time passing; then engine and model must agree on everything. */
  async #moment(): Promise<void> {
    do {
      this.#letTimersGoOff();
      this.#checkLate();
      this.#turns.end();
      await microtasks();
      this.#throwProblems();
    } while (this.#turns.pending > 0);
    const browsed = new Map<ModelQueue, readonly BrowsedMessage[]>();
    for (const queue of this.#model.queues.values()) {
      const messages = await this.#browse(queue);
      browsed.set(queue, messages);
      settleOrder(queue, messages.map(idAndDeaths));
      for (const item of queue.items) item.place ||= ++this.#lastPlace;
    }
    this.#checkDelivered();
    for (const [queue, messages] of browsed) await this.#check(queue, messages);
    this.#throwProblems();
  }

  #letTimersGoOff(): void {
    for (let begun = -1, left = -1; begun !== this.#clock.timersBegun || left !== this.#clock.timers; ) {
      begun = this.#clock.timersBegun;
      left = this.#clock.timers;
      this.#clock.turn();
    }
  }

  #checkLate(): void {
    const due = new Set(this.#model.tick());
    for (const holder of this.#holders) {
      const late = holder.held.filter(({ delivery }) => this.#late.includes(delivery));
      for (const { item } of late)
        this.#expect(due.delete(item), `${named(item)} came back from a consumer too early`);
      holder.held = holder.held.filter((held) => !late.includes(held));
    }
    this.#expect(due.size === 0, `${[...due].map(named)} were not settled in time and did not come back`);
    this.#late = [];
  }

  /** What was handed out were the first messages that could be, in order, and nobody was passed over. */
  #checkDelivered(): void {
    const byConsumer = new Map<Holder, ModelItem[]>();
    const byQueue = new Map<ModelQueue, { due: ModelItem[]; got: ModelItem[] }>();
    for (const { holder, delivery } of this.#delivered) {
      const { queue } = holder;
      const has = byQueue.get(queue) ?? { due: ready(queue), got: [] };
      byQueue.set(queue, has);
      const item = this.#match(queue, delivery);
      if (queue.arguments.messageGroups !== undefined)
        this.#expect(deliverable(queue).includes(item), `${named(item)} was not the turn of its group`);
      this.#model.handOut(queue, item, { consumer: holder.consumer });
      holder.held.push({ item, delivery });
      has.got.push(item);
      byConsumer.set(holder, [...(byConsumer.get(holder) ?? []), item]);
    }
    this.#delivered = [];
    for (const [queue, { due, got }] of byQueue) {
      if (queue.arguments.messageGroups !== undefined) continue;
      const first = due.slice(0, got.length);
      const isRight = got.every((item) => first.includes(item));
      this.#expect(isRight, `"${queue.name}" delivered ${got.map(named)}, not ${first.map(named)}`);
    }
    for (const [{ queue }, items] of byConsumer) {
      const places = items.map((item) => queue.items.indexOf(item));
      const isInOrder = places.every((place, i) => i === 0 || place > places[i - 1]!);
      this.#expect(
        isInOrder || queue.arguments.messageGroups !== undefined,
        `"${queue.name}" delivered ${items.map(named)} to one consumer`,
      );
    }
    for (const holder of this.#consumers) this.#checkConsumer(holder, byConsumer.has(holder));
    for (const queue of this.#model.queues.values()) this.#checkActive(queue);
  }

  #checkConsumer({ queue, consumer, held }: Holder, hasGot: boolean): void {
    const { prefetch, isActive, priority } = consumer!;
    const isSingle = queue.arguments.singleActiveConsumer === true;
    this.#expect(held.length <= prefetch, `a consumer of "${queue.name}" has ${held.length} messages`);
    if (isSingle && !isActive) {
      this.#expect(!hasGot, `a consumer of "${queue.name}" that is not active got messages`);
      return;
    }
    if (held.length < prefetch && !mayHide(queue)) {
      const left = deliverable(queue).map(named);
      this.#expect(left.length === 0, `"${queue.name}" did not deliver ${left} to a consumer with room`);
    }
    if (!hasGot || queue.arguments.messageGroups !== undefined) return;
    const passedOver = this.#consumersOf(queue).some(
      (other) =>
        other.consumer!.priority > priority && other.held.length < other.consumer!.prefetch && !isSingle,
    );
    this.#expect(!passedOver, `a consumer of "${queue.name}" of higher priority was passed over`);
  }

  #checkActive(queue: ModelQueue): void {
    if (queue.arguments.singleActiveConsumer !== true) return;
    const consumers = this.#consumersOf(queue);
    const active = consumers.filter(({ consumer }) => consumer!.isActive);
    const isWaiting = consumers.some(({ consumer, held }) => !consumer!.isActive && held.length > 0);
    const isRight = active.length === 1 || (active.length === 0 && (isWaiting || consumers.length === 0));
    this.#expect(isRight, `"${queue.name}" has ${active.length} active consumers`);
  }

  /** Each message is in exactly one state, with everything that is known about it; and the counters say the same. */
  async #check(queue: ModelQueue, messages: readonly BrowsedMessage[]): Promise<void> {
    const says = messages.map(
      ({ state, attempts, redelivered, expiresAt, ...message }) =>
        `${this.#facts(idAndDeaths(message), attempts, redelivered)} ${state} ${expiresAt}`,
    );
    const due = queue.items.map((item) => {
      const { holder, attempts, redelivered, dueAt } = item;
      const state = holder === undefined ? "ready" : "unsettled";
      const expiresAt = dueAt === Number.POSITIVE_INFINITY ? 0 : dueAt;
      return `${this.#facts(named(item), attempts, redelivered)} ${state} ${expiresAt}`;
    });
    this.#expectEqual(`"${queue.name}" holds`, says.join("\n  "), due.join("\n  "));
    const report = await this.#engine.inspectQueue(queue.name, this.#me);
    const readyCount = ready(queue).length;
    this.#expectEqual(
      `"${queue.name}" counts`,
      `${report.ready} ready, ${report.unsettled} unsettled, ${report.consumers} consumers, paused ${report.paused}`,
      `${readyCount} ready, ${queue.items.length - readyCount} unsettled, ${this.#consumersOf(queue).length} consumers, paused ${queue.isPaused}`,
    );
  }

  async #browse(queue: ModelQueue): Promise<readonly BrowsedMessage[]> {
    const all = { cursor: undefined, limit: 100_000, filter: {} };
    const { messages, cursor } = await this.#engine.browseQueue(queue.name, all, this.#me);
    this.#expect(cursor === undefined, `"${queue.name}" is longer than one browse`);
    return messages;
  }

  #facts(name: string, attempts: number, redelivered: boolean): string {
    const isKnown = Number.parseInt(name, 10) >= this.#model.certainFrom;
    return `${name}, ${attempts} attempts, ${isKnown ? redelivered : "perhaps"} redelivered`;
  }

  /** The ready item that a delivery is; of several alike the first. */
  #match(queue: ModelQueue, delivery: Delivery): ModelItem {
    const { attempts, redelivered } = delivery;
    const says = this.#facts(idAndDeaths(delivery), attempts, redelivered);
    const found = ready(queue).find(
      (item) => this.#facts(named(item), item.attempts, item.redelivered) === says,
    );
    if (found === undefined) throw new Error(`"${queue.name}" delivered ${says}, which is not ready there.`);
    return found;
  }

  #publish({ to, keys, group, persistent, bytes, expiration }: Extract<Command, { do: "publish" }>): void {
    const exchange = picked(["", ...this.#topology.exchanges.map(({ name }) => name)], to)!;
    const id = ++this.#lastNumber;
    const message: ModelMessage = { id, exchange, keys, group, persistent, bytes, expiration };
    this.#unconfirmed.set(id, this.#model.publish(message));
    const [routingKey, ...copyKeys] = keys as [string, ...string[]];
    const headers = headersOf(message);
    this.#engine.publish(
      publication(id, routingKey, "", {
        exchange,
        copyKeys,
        persistent,
        expiration,
        envelope: envelopeOf(message),
        bodyBytes: bytes,
        headers: () => headers,
      }),
      this.#publisher(this.#engine),
    );
  }

  readonly #publisher = (engine: EmbeddedEngine): PublishSink => ({
    confirmed: (first, last) => {
      for (let id = first; id <= last; id++) this.#confirmed(engine, id);
    },
    refused: (id, code) => this.#expect(false, `${id} was refused: ${code}`),
    returned: (id) => this.#expect(false, `${id} was returned`),
  });

  #confirmed(engine: EmbeddedEngine, id: number): void {
    const added = this.#unconfirmed.get(id);
    this.#expect(engine === this.#engine, `an engine that has crashed confirmed ${id}`);
    this.#expect(added !== undefined, `${id} was confirmed twice`);
    this.#unconfirmed.delete(id);
    for (const { queue, item } of added ?? []) {
      if (item.isGone || !item.message.persistent || !queue.durable) continue;
      const isOnDisk = this.#store.durable.queues.get(queue.name)?.items.some((kept) => kept.item === item);
      this.#expect(isOnDisk === true, `${id} was confirmed and is not on disk in "${queue.name}"`);
    }
  }

  async #get(queue: ModelQueue): Promise<void> {
    if (queue.arguments.singleActiveConsumer) return;
    const [due] = deliverable(queue);
    const sink = { expired: (deliveries: readonly Delivery[]) => this.#late.push(...deliveries) };
    const { delivery } = await this.#engine.get(queue.name, { noAck: false }, this.#me, sink);
    if (delivery === undefined)
      return this.#expect(due === undefined || mayHide(queue), `"${queue.name}" gave nothing`);
    const item = this.#match(queue, delivery);
    const isDue =
      queue.arguments.messageGroups === undefined ? item === due : deliverable(queue).includes(item);
    this.#expect(isDue, `"${queue.name}" gave ${named(item)} instead of ${due && named(due)}`);
    this.#model.handOut(queue, item, { consumer: undefined });
    this.#holders.push({ queue, consumer: undefined, held: [{ item, delivery }] });
  }

  async #subscribe(queue: ModelQueue, prefetch: number, priority: number): Promise<void> {
    const consumer: Consumer = {
      prefetch,
      priority,
      subscription: undefined,
      isActive: false,
      isCancelled: false,
    };
    const holder: Holder = { queue, consumer, held: [] };
    this.#holders.push(holder);
    consumer.subscription = await this.#engine.subscribe(
      queue.name,
      subscribing({ prefetch, priority }),
      this.#me,
      {
        hasRoom: () => true,
        deliver: (deliveries) => {
          this.#expect(!consumer.isCancelled, `a delivery from "${queue.name}" behind the end`);
          this.#expect(!queue.isPaused, `a delivery from "${queue.name}", which is paused`);
          for (const delivery of deliveries) this.#delivered.push({ holder, delivery });
        },
        expired: (deliveries) => this.#late.push(...deliveries),
        activeChanged: (isActive) => {
          consumer.isActive = isActive;
        },
        cancelled: () => this.#expect(false, `a consumer of "${queue.name}" was cancelled`),
      },
    );
    consumer.subscription.resume();
  }

  #settle({ holder: at, skip, count, outcome }: Extract<Command, { do: "settle" }>): void {
    const holder = picked(
      this.#holders.filter(({ held }) => held.length > 0),
      at,
    );
    if (holder === undefined) return;
    this.#settleHeld(holder, holder.held.slice(skip, skip + count), outcome);
  }

  #settleHeld(
    holder: Holder,
    chosen: readonly Held[],
    outcome: "ack" | "requeue" | "reject" | "release" | "return",
  ): void {
    const { queue } = holder;
    holder.held = holder.held.filter((held) => !chosen.includes(held));
    for (const { item } of chosen) {
      if (outcome === "ack") this.#model.ack(queue, item);
      else if (outcome === "reject") this.#model.reject(queue, item);
      else this.#model.giveBack(item, { isAttempt: outcome !== "release" });
    }
    this.#engine.settle(
      chosen.map(({ delivery }) => delivery),
      outcome,
    );
  }

  #cancel(holder: Holder | undefined): void {
    if (holder === undefined) return;
    const consumer = holder.consumer!;
    consumer.isCancelled = true;
    consumer.subscription!.cancel();
  }

  /** As when a connection is lost. */
  #leave(holder: Holder | undefined): void {
    if (holder === undefined) return;
    if (holder.consumer !== undefined && !holder.consumer.isCancelled) this.#cancel(holder);
    this.#settleHeld(holder, holder.held, "return");
  }

  /** Time stops at each moment at which something is due. */
  async #pass(ms: number): Promise<void> {
    const endAt = this.#clock.now() + ms;
    while (this.#clock.now() < endAt) {
      this.#clock.advance(Math.min(this.#model.nextAt, endAt) - this.#clock.now());
      await this.#moment();
    }
  }

  #pause(queue: ModelQueue, isPaused: boolean): void {
    const { name } = queue;
    queue.isPaused = isPaused;
    this.#note(isPaused ? this.#engine.pauseQueue(name, this.#me) : this.#engine.resumeQueue(name, this.#me));
  }

  #purge(queue: ModelQueue): void {
    const due = this.#model.purge(queue);
    this.#noteResult(this.#engine.purgeQueue(queue.name, this.#me), due, "purging");
  }

  async #deleteMessage(queue: ModelQueue, at: number): Promise<void> {
    const { position } = picked(await this.#browse(queue), at) ?? {};
    if (position === undefined) return;
    const item = picked(queue.items, at)!;
    const deleting = this.#engine.deleteMessage(queue.name, position, this.#me);
    if (item.holder !== undefined) {
      const said = deleting.then(
        () => "deleted",
        (error: { code: string }) => error.code,
      );
      return this.#noteResult(said, "precondition-failed", "deleting an unsettled message");
    }
    this.#model.remove(queue, item);
    this.#note(deleting);
  }

  #redrive({ queue: at, to: toAt, mode, limit }: Extract<Command, { do: "redrive" }>): void {
    const source = this.#queue(at);
    const names = this.#topology.queues.map(({ name }) => name).filter((name) => name !== source.name);
    const to = picked([undefined, ...names], toAt);
    const due = this.#model.redrive(source, to, mode, limit);
    const options = {
      to,
      filter: {},
      mode,
      dryRun: false,
      limit,
      ratePerSecond: undefined,
      cursor: undefined,
    };
    const redriven = this.#engine.redrive(source.name, options, this.#me).then(({ redriven }) => redriven);
    this.#noteResult(redriven, due, "redriving");
  }

  #setPolicy({ arguments: args }: Extract<Command, { do: "policy" }>): void {
    this.#model.policy = args;
    if (args === undefined) {
      this.#note(this.#engine.deletePolicy("p"));
      return;
    }
    const policy = {
      name: "p",
      pattern: "q*",
      appliesTo: "queues",
      priority: 0,
      arguments: { ...args },
    } as const;
    this.#note(this.#engine.setPolicy(policy));
  }

  async #crash(): Promise<void> {
    const { durable } = this.#store;
    this.#store.crash();
    this.#model.certainFrom = this.#lastNumber + 1;
    this.#model.recover(durable);
    await this.#start();
    for (const queue of this.#model.queues.values()) await this.#adoptAttempts(queue);
  }

  /** A message that came back in the same commit that wrote it has its attempts written by the next one. */
  async #adoptAttempts(queue: ModelQueue): Promise<void> {
    const messages = await this.#browse(queue);
    for (const [i, item] of queue.items.entries()) {
      const attempts = messages[i]?.attempts ?? 0;
      const isRight = attempts <= item.attempts;
      this.#expect(isRight, `${named(item)} has ${attempts} attempts after a crash, not ${item.attempts}`);
      item.attempts = attempts;
    }
  }

  async #stop(): Promise<void> {
    for (const holder of this.#holders) this.#leave(holder);
    await this.#moment();
    let isStopping = true;
    const stopped = this.#engine.stop().finally(() => {
      isStopping = false;
    });
    while (isStopping) {
      this.#turns.end();
      this.#store.flush();
      await microtasks();
    }
    await stopped;
    this.#expect(this.#unconfirmed.size === 0, "it stopped without having confirmed everything");
    this.#model.recover(this.#model.snapshot());
    await this.#start();
  }

  /** Starts an engine on what the store has, and declares everything as every program does that starts. */
  async #start(): Promise<void> {
    this.#holders = [];
    this.#unconfirmed.clear();
    this.#delivered = [];
    this.#late = [];
    const start = ++this.#starts;
    const stepped = await steppedEngine({
      store: this.#store,
      now: this.#clock.now,
      delay: (ms, callback) =>
        this.#clock.delay(ms, () => {
          if (start === this.#starts) callback();
        }),
      queueMemoryBytes,
      memoryBudgetBytes: 4 * queueMemoryBytes,
      events: {
        onFailure: (error) => this.#problems.push(error),
        onDamage: (_queue, error) => this.#problems.push(error),
        onCircuitChange: () => {},
        onMissingTarget: () => {},
      },
    });
    const { engine, rest } = stepped;
    this.#engine = engine;
    this.#turns = stepped.turns;
    for (const { name, type, alternate } of this.#topology.exchanges) {
      const args: Headers = alternate === undefined ? {} : { alternateExchange: alternate };
      this.#note(engine.declareExchange(exchangeNamed(name, type, { arguments: args })));
    }
    for (const { name, durable, arguments: args } of this.#topology.queues)
      this.#note(engine.declareQueue(queueNamed(name, { durable, arguments: args as Headers }), this.#me));
    for (const { source, kind, destination, key } of this.#topology.bindings) {
      const type = this.#topology.exchanges.find(({ name }) => name === source)!.type;
      const args: Headers = type === "headers" ? { key } : {};
      const binding = { routingKey: key, arguments: args };
      if (kind === "exchange") this.#note(engine.bindExchange({ source, destination, ...binding }));
      else this.#note(engine.bindQueue({ exchange: source, queue: destination, ...binding }, this.#me));
    }
    await rest();
    this.#throwProblems();
  }

  get #consumers(): Holder[] {
    return this.#holders.filter(({ consumer }) => consumer !== undefined && !consumer.isCancelled);
  }

  #consumersOf(queue: ModelQueue): Holder[] {
    return this.#consumers.filter((holder) => holder.queue === queue);
  }

  #queue(at: number): ModelQueue {
    return picked([...this.#model.queues.values()], at)!;
  }

  #note(promise: Promise<unknown>): void {
    promise.catch((error) => this.#problems.push(error));
  }

  #noteResult<T>(promise: Promise<T>, due: T, what: string): void {
    this.#note(promise.then((result) => this.#expectEqual(what, `${result}`, `${due}`)));
  }

  #expectEqual(what: string, says: string, due: string): void {
    this.#expect(says === due, `${what}\n  ${says}\nnot\n  ${due}`);
  }

  #expect(holds: boolean, otherwise: string): void {
    if (!holds) this.#problems.push(new Error(otherwise));
  }

  #throwProblems(): void {
    if (this.#problems.length > 0) throw this.#problems[0];
  }
}

/** Messages that expired in the same moment come to a queue in an order that the broker chooses, but each queue's as they were due. */
function settleOrder(queue: ModelQueue, found: readonly string[]): void {
  const from = queue.items.findIndex(({ cameFrom }) => cameFrom !== undefined);
  if (from < 0) return;
  const arrived = queue.items.splice(from);
  const settled: ModelItem[] = [];
  for (const name of found.slice(from)) {
    const next = arrived.find((item) => named(item) === name && mayBeNext(item, arrived));
    // Whatever is wrong is found out by the comparison.
    if (next === undefined) break;
    arrived.splice(arrived.indexOf(next), 1);
    settled.push(next);
  }
  queue.items.push(...settled, ...arrived);
  for (const item of queue.items) item.cameFrom = undefined;
}

/** Beyond what fits into memory, the messages of one group hide those behind them. */
function mayHide(queue: ModelQueue): boolean {
  if (queue.arguments.messageGroups === undefined) return false;
  const bytes = ready(queue).reduce((sum, { message }) => sum + message.bytes + 700, 0);
  return bytes >= queueMemoryBytes;
}

function mayBeNext(item: ModelItem, arrived: readonly ModelItem[]): boolean {
  const { cameFrom } = item;
  if (cameFrom === undefined) return arrived.find((other) => other.cameFrom === undefined) === item;
  return arrived.every(
    (other) => other.cameFrom?.queue !== cameFrom.queue || other.cameFrom.dueAt >= cameFrom.dueAt,
  );
}

function named({ message, deaths }: { message: ModelMessage; deaths: readonly ModelDeath[] }): string {
  return [message.id, ...deaths.map(({ queue, reason, count }) => `${queue}:${reason}:${count}`)].join("/");
}

function idAndDeaths({ envelope, history }: Pick<Delivery, "envelope" | "history">): string {
  const id = Number(new TextDecoder().decode(readEnvelope(envelope).body).trim());
  const { deaths = [] } = readHistory(history);
  return named({ message: { id } as ModelMessage, deaths: deaths as readonly ModelDeath[] });
}

function envelopeOf(message: ModelMessage): Uint8Array {
  const { id, exchange, keys, persistent, bytes, expiration } = message;
  const writer = new ByteWriter();
  writeEnvelope(writer, {
    exchange,
    routingKey: keys[0]!,
    properties: { persistent, headers: headersOf(message), ...(expiration >= 0 && { expiration }) },
    body: new TextEncoder().encode(`${id}`.padEnd(bytes)),
  });
  return writer.written().slice();
}

function picked<T>(list: readonly T[], at: number): T | undefined {
  return list[at % Math.max(1, list.length)];
}
