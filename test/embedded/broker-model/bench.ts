import type { Headers } from "../../../protocol/header-value.ts";
import type { EmbeddedEngine } from "../../../server/embedded/embedded-engine.ts";
import type { BrowsedMessage, Delivery, Subscription } from "../../../server/engine/engine.ts";
import { exchangeNamed, ManualTurns, owner, queueNamed, steppedEngine } from "../../support/embedded.ts";
import { ManualTime } from "../../support/manual-time.ts";
import { named } from "./message-text.ts";
import { ModelBroker } from "./model-broker.ts";
import { inOrder, type ModelItem, type ModelQueue } from "./model-queue.ts";
import type { Snapshot } from "./model-snapshot.ts";
import { SnapshotStore } from "./snapshot-store.ts";
import type { Topology } from "./topologies.ts";

/** So little that a handful of messages pages. */
export const queueMemoryBytes = 1500;

export interface Held {
  readonly item: ModelItem;
  readonly delivery: Delivery;
  /** It came too often with others, and had to come alone. */
  readonly isSuspect: boolean;
}

/** A consumer, or what was taken one by one. */
export interface Holder {
  readonly queue: ModelQueue;
  readonly consumer: Consumer | undefined;
  held: Held[];
}

export interface Consumer {
  readonly prefetch: number;
  readonly priority: number;
  subscription: Subscription | undefined;
  /** Of a queue with a single active consumer: what the broker has said. */
  isActive: boolean;
  isCancelled: boolean;
  /** It was passed over for a message that has to go alone, and may get nothing more until it has settled something. */
  mayBeFull: boolean;
}

/** A broker's engine beside the model, and what the commands so far have left. */
export class Bench {
  readonly topology: Topology;
  readonly clock = new ManualTime();
  readonly model: ModelBroker;
  readonly store: SnapshotStore<Snapshot>;
  readonly me = owner();
  engine!: EmbeddedEngine;
  turns = new ManualTurns();
  holders: Holder[] = [];
  /** What was added for each message that is not confirmed. */
  unconfirmed = new Map<number, { queue: ModelQueue; item: ModelItem }[]>();
  /** Numbers of messages that were confirmed, and not looked at yet. */
  confirmed: number[] = [];
  lastNumber = 0;
  /** What the engine has for chance, until the next command. */
  chance = 0;
  /** What the engine handed out and nobody has looked at, in order. */
  delivered: { readonly holder: Holder; readonly delivery: Delivery }[] = [];
  /** What the engine took back since it was not settled in time. */
  late: Delivery[] = [];
  #starts = 0;
  readonly #problems: unknown[] = [];

  constructor(topology: Topology) {
    this.topology = topology;
    this.model = new ModelBroker(topology, this.clock.now);
    this.store = new SnapshotStore(() => this.model.snapshot());
  }

  /** Starts an engine on what the store has, and declares everything as every program does that starts. */
  async start(): Promise<void> {
    this.holders = [];
    this.unconfirmed.clear();
    this.confirmed = [];
    this.delivered = [];
    this.late = [];
    const start = ++this.#starts;
    const stepped = await steppedEngine({
      store: this.store,
      now: this.clock.now,
      delay: (ms, callback) =>
        this.clock.delay(ms, () => {
          if (start === this.#starts) callback();
        }),
      random: () => this.chance,
      queueMemoryBytes,
      memoryBudgetBytes: 4 * queueMemoryBytes,
      events: {
        onFailure: (error) => this.#problems.push(error),
        onDamage: (_queue, error) => this.#problems.push(error),
        onCircuitChange: () => {},
        onMissingTarget: () => {},
      },
    });
    this.engine = stepped.engine;
    this.turns = stepped.turns;
    for (const { name, type, alternate } of this.topology.exchanges) {
      const args: Headers = alternate === undefined ? {} : { alternateExchange: alternate };
      this.note(this.engine.declareExchange(exchangeNamed(name, type, { arguments: args })));
    }
    for (const { name } of this.topology.queues) this.declareQueue(name);
    for (const binding of this.topology.bindings) if (binding.kind === "exchange") this.#bind(binding);
    await stepped.rest();
    this.throwProblems();
  }

  declareQueue(name: string): void {
    const { durable, arguments: args } = this.topology.queues.find((queue) => queue.name === name)!;
    this.note(this.engine.declareQueue(queueNamed(name, { durable, arguments: args as Headers }), this.me));
    for (const binding of this.topology.bindings)
      if (binding.kind === "queue" && binding.destination === name) this.#bind(binding);
  }

  /** Who gets deliveries. */
  get consumers(): (Holder & { readonly consumer: Consumer })[] {
    return this.holders.filter(
      (holder): holder is Holder & { consumer: Consumer } => holder.consumer?.isCancelled === false,
    );
  }

  consumersOf(queue: ModelQueue): (Holder & { readonly consumer: Consumer })[] {
    return this.consumers.filter((holder) => holder.queue === queue);
  }

  queue(at: number): ModelQueue {
    return picked([...this.model.queues.values()], at)!;
  }

  /** All that a queue has, as the broker says. */
  async browse({ name }: ModelQueue): Promise<readonly BrowsedMessage[]> {
    const all = { cursor: undefined, limit: 100_000, filter: {} };
    const { messages, cursor } = await this.engine.browseQueue(name, all, this.me);
    this.expect(cursor === undefined, `"${name}" is longer than one browse`);
    return messages;
  }

  /** What is known about a message besides its state. */
  facts({
    attempts,
    redelivered,
    ...message
  }: Pick<ModelItem, "attempts" | "redelivered"> & { name: string }) {
    const isKnown = Number.parseInt(message.name, 10) >= this.model.certainFrom;
    return `${message.name}, ${attempts} attempts, ${isKnown ? redelivered : "perhaps"} redelivered`;
  }

  factsOf(item: ModelItem): string {
    return this.facts({ ...item, name: named(item) });
  }

  note(promise: Promise<unknown>): void {
    promise.catch((error) => this.#problems.push(error));
  }

  noteResult<T>(promise: Promise<T>, due: T, what: string): void {
    this.note(promise.then((result) => this.expectEqual(what, `${result}`, `${due}`)));
  }

  /** Something that may be refused. `due`: with which code, `undefined`: not at all. */
  noteOutcome(promise: Promise<unknown>, due: string | undefined, what: string): void {
    const code = promise.then(
      () => undefined,
      (error: { code: string }) => error.code,
    );
    this.noteResult(code, due, what);
  }

  expectEqual(what: string, says: string, due: string): void {
    this.expect(says === due, `${what}\n  ${says}\nnot\n  ${due}`);
  }

  expect(holds: boolean, otherwise: string): void {
    if (!holds) this.#problems.push(new Error(otherwise));
  }

  throwProblems(): void {
    if (this.#problems.length > 0) throw this.#problems[0];
  }

  /** A message of a queue, and how the broker calls its place. */
  async place(queue: ModelQueue, of: (items: ModelItem[]) => ModelItem | undefined) {
    const items = inOrder(queue);
    const item = of(items);
    if (item === undefined) return undefined;
    const browsed = await this.browse(queue);
    return { item, position: browsed[items.indexOf(item)]!.position };
  }

  #bind({ source, kind, destination, key }: Topology["bindings"][number]): void {
    const { type } = this.topology.exchanges.find(({ name }) => name === source)!;
    const args: Headers = type === "headers" ? { key } : {};
    const binding = { routingKey: key, arguments: args };
    if (kind === "exchange") this.note(this.engine.bindExchange({ source, destination, ...binding }));
    else this.note(this.engine.bindQueue({ exchange: source, queue: destination, ...binding }, this.me));
  }
}

export function picked<T>(list: readonly T[], at: number): T | undefined {
  return list[at % Math.max(1, list.length)];
}
