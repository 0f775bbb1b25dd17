import type { SettleDetail } from "../../protocol/delivery-history.ts";
import { PosthornError } from "../../protocol/errors.ts";
import type { RouteExplanation } from "../../protocol/route-explanation.ts";
import type {
  Blocked,
  BrowseOptions,
  BrowsePage,
  CircuitState,
  Delivery,
  DeliverySink,
  Engine,
  EngineCounts,
  EngineFeature,
  ExchangeBinding,
  ExchangeDeclaration,
  ExchangeReport,
  LeaseSink,
  OnMismatch,
  Owner,
  Policy,
  PolicyReport,
  Publication,
  PublishSink,
  Pulled,
  QueueBinding,
  QueueDeclaration,
  QueueReport,
  QueueStatus,
  RedriveOptions,
  RedriveResult,
  RoutingFacts,
  SettleOutcome,
  SubscribeOptions,
  Subscription,
} from "../engine/engine.ts";
import type { RoutedMessage } from "../routing/routed-message.ts";
import { browse } from "./browsing.ts";
import { ClockLag, type LaggingClock } from "./clock-lag.ts";
import { Committer } from "./committer.ts";
import { Consumer, type ConsumerHost } from "./consumer.ts";
import { DeadLetters } from "./dead-letters.ts";
import { Deadlines } from "./deadlines.ts";
import { Dispatcher } from "./dispatcher.ts";
import type { Entry } from "./entry.ts";
import type { Exchange } from "./exchange.ts";
import type { Holder } from "./holder.ts";
import { Leases } from "./leases.ts";
import { MaintenanceLoop } from "./maintenance-loop.ts";
import { Message } from "./message.ts";
import { Overload, type OverloadLimits } from "./overload.ts";
import { PulledMessages } from "./pulled-messages.ts";
import type { Queue, QueueHost } from "./queue.ts";
import { entryAt } from "./queue-positions.ts";
import type { MemoryBudget } from "./ready-list.ts";
import { redrive } from "./redriving.ts";
import { explainDefaultExchange, explainRoute } from "./route-explainer.ts";
import { Routes } from "./routes.ts";
import {
  type DroppedRange,
  type QueueId,
  type RecordChange,
  type Recovered,
  type Store,
  StoreError,
} from "./store/store.ts";
import { Topology, type TopologyChange, type TopologyLimits } from "./topology.ts";
import { queueRecord, recordKeys, restoreTopology } from "./topology-records.ts";
import { TurnEnd } from "./turn-end.ts";

export interface ConsumerLimits {
  /** Most bytes of a consumer's unsettled deliveries, if neither it nor its queue says anything. */
  readonly defaultPrefetchBytes: number;
  readonly maxPrefetchBytes: number;
}

import { UnusedQueues } from "./unused-queues.ts";

export interface EmbeddedEngineOptions {
  readonly store: Store;
  readonly limits: TopologyLimits & ConsumerLimits;
  /** All queues together keep about this much in memory; beyond, each pages earlier. */
  readonly memoryBudgetBytes: number;
  /** What one queue keeps in memory before it pages. */
  readonly queueMemoryBytes: number;
  /** Bytes of publishes not on disk yet, above which the engine is congested. */
  readonly maxUncommittedBytes: number;
  /** When publishing stops for want of disk or memory. Default: never. */
  readonly overload?: OverloadLimits;
  /** Calls back at the end of the present turn of the event loop, as `setImmediate`. */
  readonly defer: (callback: () => void) => void;
  /** Milliseconds since 1970: what is due in queues is due by this clock. */
  readonly now: () => number;
  /** The clock behind `now`, if it should go on over restarts where it was: see {@link ClockLag}. */
  readonly steadyClock?: LaggingClock;
  /** Calls back after some milliseconds; must not keep the process alive. */
  readonly delay: (delayMs: number, callback: () => void) => void;
  /** At least 0 and less than 1, all equally likely, as `Math.random`. */
  readonly random: () => number;
  readonly events: EmbeddedEngineEvents;
}

export interface EmbeddedEngineEvents {
  /** Nothing may be confirmed any more: the process has to stop. */
  onFailure(error: unknown): void;
  /** A queue's messages cannot be read; it delivers nothing from now on. */
  onDamage(queue: string, error: unknown): void;
  /**
   * A message should have gone on to what `argument` of the exchange or queue `of` names, and that is not there. Told once
   * for each `of`.
   */
  onMissingTarget(argument: MissingTarget, target: string, of: string): void;
  /** A queue's circuit breaker has changed its state. `failed` and `deliveries`: what made it open. */
  onCircuitChange(queue: string, state: CircuitState, failed: number, deliveries: number): void;
}

/** An argument that names where messages go on to. */
export type MissingTarget = "alternateExchange" | "deadLetterExchange" | "deadLetterQueue";

const unwatched: OverloadLimits = {
  minFreeDiskBytes: 0,
  maxMemoryBytes: 0,
  usedMemoryBytes: () => 0,
  collectGarbage: () => {},
};

/** Redriving at a rate is done in steps of no more than this: nobody waits longer to see how it goes, or to stop it. */
const longestStepSeconds = 0.25;

const nobody: LeaseSink = { expired: () => {} };

/** The engine inside the broker's own process: exchanges and queues in memory, messages in a {@link Store}. */
export class EmbeddedEngine implements Engine {
  readonly features: ReadonlySet<EngineFeature> = new Set([
    "headers-exchange",
    "exchange-bindings",
    "alternate-exchange",
    "internal-exchange",
    "policies",
    "consistent-hash-exchange",
    "random-exchange",
    "explain",
    "exclusive-consumer",
    "pull",
    "browse",
    "redrive",
  ]);
  readonly #options: EmbeddedEngineOptions;
  readonly #queueHost: QueueHost;
  readonly #turnEnd: TurnEnd;
  readonly #topology: Topology;
  readonly #routes: Routes;
  readonly #dispatcher: Dispatcher;
  readonly #maintenance: MaintenanceLoop;
  readonly #overload: Overload;
  readonly #deadlines: Deadlines;
  readonly #unusedQueues: UnusedQueues;
  readonly #clockLag: ClockLag | undefined;
  #committer: Committer;
  #consumerCount = 0;
  #missedTargets = 0;
  readonly #consumerHost: ConsumerHost = {
    wake: (queue) => this.#dispatcher.wake(queue),
    removeConsumer: (consumer) => this.#removeConsumer(consumer),
  };
  readonly #added = (message: Message, queue: Queue): void => {
    this.#write(message);
    this.#dispatcher.wake(queue);
  };
  /** Resolves when the topology as it is now is on disk. */
  #recorded: Promise<void> = Promise.resolve();

  constructor(options: EmbeddedEngineOptions) {
    this.#options = options;
    this.#turnEnd = new TurnEnd(options.defer);
    const memory: MemoryBudget = {
      usedBytes: 0,
      budgetBytes: options.memoryBudgetBytes,
      queueBytes: options.queueMemoryBytes,
    };
    this.#deadlines = new Deadlines(options);
    this.#queueHost = {
      store: options.store,
      memory,
      uncertainBelow: 0,
      changed: (lane) => this.#committer.changed(lane),
      wake: (queue) => this.#dispatcher.wake(queue),
      now: options.now,
      deadlines: this.#deadlines,
      circuitChanged: (queue, state, failed, deliveries) =>
        options.events.onCircuitChange(queue.name, state, failed, deliveries),
      used: (queue) => this.#unusedQueues.used(queue),
      random: options.random,
      recordChanged: (queue) => this.#recordQueue(queue),
      newLaneId: () => this.#newLaneId(),
      expired: (entry) => void this.#queueHost.deadLetters.move(entry, "expired"),
      damaged: (queue, error) => this.#damaged(queue, error),
      deadLetters: new DeadLetters({
        now: () => options.now() + (options.steadyClock?.lagMs ?? 0),
        findQueue: (name) => this.#topology.queues.get(name),
        route: (exchange, message) => this.#routeDeadLetter(exchange, message),
        added: this.#added,
        missing: (argument, target, queue) => this.#missedDeadLetterTarget(argument, target, queue),
      }),
    };
    this.#topology = new Topology(options.limits, this.#queueHost, options.random);
    this.#routes = new Routes(this.#topology, (exchange) => this.#missedAlternate(exchange));
    this.#dispatcher = new Dispatcher({
      defer: this.#turnEnd.deferDispatch,
      onDamage: (queue, error) => this.#damaged(queue, error),
    });
    this.#maintenance = new MaintenanceLoop({
      store: options.store,
      delay: options.delay,
      isBusy: () => !this.#committer.isIdle,
      onFailure: options.events.onFailure,
    });
    this.#overload = new Overload({
      ...(options.overload ?? unwatched),
      store: options.store,
      unflushedBytes: () => this.#committer.unflushedBytes,
      delay: options.delay,
    });
    this.#unusedQueues = new UnusedQueues({
      now: options.now,
      deadlines: this.#deadlines,
      remove: (queue) => void this.#apply(this.#topology.deleteQueue(queue)),
    });
    const { steadyClock: clock, delay } = options;
    this.#clockLag = clock && new ClockLag({ clock, delay, record: (lagMs) => this.#recordLag(lagMs) });
    this.#committer = this.#newCommitter(1);
  }

  async start(): Promise<void> {
    const recovered = await this.#options.store.open();
    this.#committer = this.#newCommitter(recovered.nextMessageId);
    this.#clockLag?.start(recovered.records.get(recordKeys.clockLag));
    await this.#recover(recovered);
    this.#maintenance.start();
    this.#overload.start();
  }

  async declareExchange(declaration: ExchangeDeclaration, onMismatch?: OnMismatch): Promise<void> {
    await this.#apply(this.#topology.declareExchange(declaration, onMismatch));
  }

  async checkExchange(name: string): Promise<void> {
    this.#topology.exchange(name);
  }

  async deleteExchange(name: string, { ifUnused }: { ifUnused: boolean }): Promise<void> {
    await this.#apply(this.#topology.deleteExchange(name, ifUnused));
  }

  async declareQueue(
    declaration: QueueDeclaration,
    owner: Owner,
    onMismatch?: OnMismatch,
  ): Promise<QueueStatus> {
    const change = this.#topology.declareQueue(declaration, owner, onMismatch);
    const { status } = this.#usedQueue(declaration.name, owner);
    await this.#apply(change);
    return status;
  }

  async checkQueue(name: string, owner: Owner): Promise<QueueStatus> {
    return this.#usedQueue(name, owner).status;
  }

  async deleteQueue(
    name: string,
    conditions: { ifUnused: boolean; ifEmpty: boolean },
    owner: Owner,
  ): Promise<number> {
    if (!this.#topology.queues.has(name)) {
      await this.#recorded;
      return 0;
    }
    const queue = this.#topology.queue(name, owner);
    const { messages, consumers } = queue.status;
    const kept = messages + queue.delayedCount + queue.parkedCount;
    if (conditions.ifEmpty && kept > 0) {
      throw new PosthornError("precondition-failed", `Queue ${JSON.stringify(name)} is not empty.`, {
        messages: kept,
      });
    }
    if (conditions.ifUnused && consumers > 0) {
      throw new PosthornError("precondition-failed", `Queue ${JSON.stringify(name)} has consumers.`, {
        consumers,
      });
    }
    await this.#apply(this.#topology.deleteQueue(queue));
    return messages;
  }

  async purgeQueue(name: string, owner: Owner): Promise<number> {
    const queue = this.#topology.queue(name, owner);
    const count = queue.purge();
    if (queue.durable && count > 0) await this.#committer.flushed();
    return count;
  }

  async pauseQueue(name: string, owner: Owner): Promise<void> {
    await this.#setPaused(this.#topology.queue(name, owner), true);
  }

  async resumeQueue(name: string, owner: Owner): Promise<void> {
    await this.#setPaused(this.#topology.queue(name, owner), false);
  }

  async inspectQueue(name: string, owner: Owner): Promise<QueueReport> {
    const queue = this.#topology.queue(name, owner);
    return queue.report(this.#prefetchBytes(queue, undefined));
  }

  async inspectExchange(name: string): Promise<ExchangeReport> {
    return this.#topology.exchange(name).report;
  }

  async setPolicy(policy: Policy): Promise<number> {
    const change = this.#topology.setPolicy(policy);
    const { inForce } = this.#topology.policies.report().find(({ name }) => name === policy.name)!;
    await this.#apply(change);
    return inForce;
  }

  async deletePolicy(name: string): Promise<void> {
    await this.#apply(this.#topology.deletePolicy(name));
  }

  async listPolicies(): Promise<readonly PolicyReport[]> {
    return this.#topology.policies.report();
  }

  async browseQueue(name: string, options: BrowseOptions, owner: Owner): Promise<BrowsePage> {
    const queue = this.#topology.queue(name, owner);
    return reading(queue, () => browse(queue, options));
  }

  async deleteMessage(name: string, position: string, owner: Owner): Promise<void> {
    const queue = this.#topology.queue(name, owner);
    const entry = reading(queue, () => entryAt(queue, position));
    if (entry.state === "unsettled") {
      const message = "A consumer has the message: it can be deleted when it has come back.";
      throw new PosthornError("precondition-failed", message, { queue: name, position, state: entry.state });
    }
    queue.deleteFound(entry);
    if (entry.durable) await this.#committer.flushed();
  }

  async releaseMessage(name: string, position: string, owner: Owner): Promise<void> {
    const queue = this.#topology.queue(name, owner);
    const entry = reading(queue, () => entryAt(queue, position));
    if (entry.state !== "parked" && entry.state !== "delayed") {
      const message = "The message is neither parked nor delayed.";
      throw new PosthornError("precondition-failed", message, { queue: name, position, state: entry.state });
    }
    queue.releaseAside(entry);
    if (entry.durable) await this.#committer.flushed();
  }

  async redrive(name: string, options: RedriveOptions, owner: Owner): Promise<RedriveResult> {
    const source = this.#topology.queue(name, owner);
    const { to, dryRun, ratePerSecond } = options;
    if (to === name) {
      throw new PosthornError("invalid-argument", "A queue cannot be redriven to itself.", {
        field: "to",
        queue: to,
      });
    }
    if (to !== undefined) this.#topology.queue(to, owner);
    const { blocked } = this.#overload;
    if (blocked !== undefined && !dryRun) throw new PosthornError(blocked.code, blocked.message);
    const limit = Math.min(
      options.limit,
      Math.max(1, Math.floor((ratePerSecond ?? Infinity) * longestStepSeconds)),
    );
    const begunAt = this.#options.now();
    const host = { findQueue: (queue: string) => this.#topology.queueFor(queue, owner), added: this.#added };
    const result = reading(source, () => redrive(source, { ...options, limit }, host));
    if (dryRun || result.redriven === 0) return result;
    await this.#committer.flushed();
    if (ratePerSecond !== undefined) await this.#until(begunAt + (1000 * result.redriven) / ratePerSecond);
    return result;
  }

  async bindQueue(binding: QueueBinding, owner: Owner): Promise<void> {
    await this.#apply(this.#topology.bindQueue(binding, owner));
  }

  async unbindQueue(binding: QueueBinding, owner: Owner): Promise<void> {
    await this.#apply(this.#topology.unbindQueue(binding, owner));
  }

  async explainRoute(message: RoutingFacts, limit: number): Promise<RouteExplanation> {
    if (message.exchange === "") return explainDefaultExchange(message, this.#topology.queues, limit);
    return explainRoute(this.#topology.exchange(message.exchange), message, this.#topology, limit);
  }

  async bindExchange(binding: ExchangeBinding): Promise<void> {
    await this.#apply(this.#topology.bindExchange(binding));
  }

  async unbindExchange(binding: ExchangeBinding): Promise<void> {
    await this.#apply(this.#topology.unbindExchange(binding));
  }

  publish(publication: Publication, sink: PublishSink): void {
    const { number } = publication;
    const queues = this.#route(publication, sink);
    if (queues === undefined) return;
    if (queues.length === 0) {
      if (publication.mandatory) sink.returned(number, publication.envelope);
      if (publication.confirm) sink.confirmed(number, number);
      return;
    }
    const bytes = publication.envelope.length;
    const { blocked, allowanceBytes } = this.#overload;
    const refusal = blocked ?? (bytes > allowanceBytes ? this.#overload.refusalOf(bytes) : undefined);
    if (refusal !== undefined && stops(refusal, queues, publication.persistent)) {
      sink.refused(number, refusal.code, refusal.message);
      return;
    }
    const { envelope, bodyBytes, persistent, priority, expiration } = publication;
    const message = new Message(envelope, bodyBytes, persistent, priority);
    let isDurable = false;
    let full = 0;
    for (let i = 0; i < queues.length; i++) {
      const queue = queues[i]!;
      if (queue.limits !== undefined && this.#isFull(queue, bodyBytes)) {
        full++;
        continue;
      }
      queue.enqueue(message, expiration);
      isDurable ||= queue.durable;
      this.#dispatcher.wake(queue);
    }
    this.#write(message);
    if (full > 0) {
      sink.refused(number, "queue-full", fullMessage(full, queues.length));
      return;
    }
    if (!publication.confirm) return;
    if (isDurable && message.persistent) this.#committer.confirm(sink, number);
    else sink.confirmed(number, number);
  }

  flushed(): Promise<void> {
    return this.#committer.flushed();
  }

  get congested(): boolean {
    return this.#committer.congested;
  }

  onRelief(listener: () => void): void {
    this.#committer.onRelief(listener);
  }

  get blocked(): Blocked | undefined {
    return this.#overload.blocked;
  }

  onBlockedChange(listener: (blocked: Blocked | undefined) => void): void {
    this.#overload.onChange(listener);
  }

  async subscribe(
    name: string,
    options: SubscribeOptions,
    owner: Owner,
    sink: DeliverySink,
  ): Promise<Subscription> {
    const queue = this.#topology.queue(name, owner);
    assertMayConsume(queue, options);
    const consumer = new Consumer({
      queue,
      options,
      prefetchBytes: this.#prefetchBytes(queue, options.prefetchBytes),
      leases: this.#leases(queue, options.ackTimeout, sink),
      sink,
      host: this.#consumerHost,
    });
    queue.consumers.add(consumer);
    this.#consumerCount++;
    return consumer;
  }

  async get(
    name: string,
    { noAck }: { noAck: boolean },
    owner: Owner,
    sink: LeaseSink = nobody,
  ): Promise<Pulled> {
    const queue = this.#usedQueue(name, owner);
    if (queue.settings.singleActiveConsumer) {
      // Whoever took messages beside the active consumer would break their order.
      const message = `Queue ${JSON.stringify(name)} gives its messages to a single active consumer only.`;
      throw new PosthornError("resource-locked", message, { queue: name });
    }
    const delivery = !queue.gives
      ? undefined
      : this.#take(queue, noAck ? undefined : this.#puller(queue, sink));
    if (delivery !== undefined && noAck) queue.finish(delivery);
    return { delivery, messages: queue.readyCount };
  }

  settle(deliveries: readonly Delivery[], outcome: SettleOutcome, detail?: SettleDetail): void {
    const suspects = outcome === "return" ? suspectsAmong(deliveries as readonly Entry[]) : undefined;
    for (const delivery of deliveries) {
      const entry = delivery as Entry;
      const { queue } = entry;
      if (outcome === "ack") queue.finish(entry);
      else if (outcome === "reject") queue.reject(entry, detail?.reason);
      else queue.putBack(entry, outcome, detail, suspects?.has(entry));
      this.#dispatcher.wake(queue);
    }
  }

  touch(deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) {
      const entry = delivery as Entry;
      entry.holder?.touch(entry);
    }
  }

  async release(owner: Owner): Promise<void> {
    await Promise.all(
      this.#topology.queuesOf(owner).map((queue) => this.#apply(this.#topology.deleteQueue(queue))),
    );
  }

  counts(): EngineCounts {
    return {
      exchanges: this.#topology.exchanges.size,
      queues: this.#topology.queues.size,
      consumers: this.#consumerCount,
      missedTargets: this.#missedTargets,
    };
  }

  async stop(): Promise<void> {
    this.#overload.stop();
    this.#deadlines.stop();
    this.#clockLag?.stop();
    await this.#maintenance.stop();
    await this.#committer.idle();
    await this.#options.store.close({ clean: true });
  }

  #recordLag(lagMs: number): void {
    void this.#committer.record([{ key: recordKeys.clockLag, value: lagMs }]);
  }

  async #setPaused(queue: Queue, isPaused: boolean): Promise<void> {
    const isChange = queue.isPaused !== isPaused;
    queue.isPaused = isPaused;
    this.#dispatcher.wake(queue);
    await this.#apply({
      records: isChange && queue.durable ? [queueRecord(queue)] : [],
      deletedQueues: [],
    });
  }

  /** What stands in the record goes into the same commit as what it is about. */
  #recordQueue(queue: Queue): void {
    this.#recorded = this.#committer.record([queueRecord(queue)]);
  }

  #newLaneId(): QueueId {
    const records: RecordChange[] = [];
    const id = this.#topology.takeQueueId(records);
    if (records.length > 0) this.#recorded = this.#committer.record(records);
    return id;
  }

  #leases(queue: Queue, asked: number | undefined, sink: LeaseSink): Leases | undefined {
    const timeoutMs = asked ?? queue.settings.ackTimeout;
    if (timeoutMs === Number.POSITIVE_INFINITY) return undefined;
    const time = { now: this.#options.now, deadlines: this.#deadlines };
    return new Leases(timeoutMs, time, (entries) => this.#expired(queue, entries, sink));
  }

  #puller(queue: Queue, sink: LeaseSink): PulledMessages | undefined {
    if (queue.settings.ackTimeout === Number.POSITIVE_INFINITY) return undefined;
    queue.pullers ??= new WeakMap();
    let puller = queue.pullers.get(sink);
    if (puller === undefined) {
      puller = new PulledMessages(this.#leases(queue, undefined, sink)!);
      queue.pullers.set(sink, puller);
    }
    return puller;
  }

  /** Only these come back; whoever had them keeps what else he has (SEMANTICS 71). */
  #expired(queue: Queue, entries: readonly Entry[], sink: LeaseSink): void {
    if (queue.deleted) return;
    sink.expired(entries);
    const reason = { code: "delivery-expired", message: "It was not settled in time." };
    for (const entry of entries) queue.putBack(entry, "late", { delay: 0, reason });
    this.#dispatcher.wake(queue);
  }

  /** Resolves when it is that late; never if the engine is stopped before. */
  #until(dueAt: number): Promise<void> {
    return new Promise((resolve) => this.#deadlines.create(resolve).set(dueAt));
  }

  /** A queue that somebody uses now. @throws PosthornError as {@link Topology.queue}. */
  #usedQueue(name: string, owner: Owner): Queue {
    const queue = this.#topology.queue(name, owner);
    this.#unusedQueues.used(queue);
    return queue;
  }

  /**
   * Whether a queue refuses a message of this size. One that a consumer can take at once is not refused, nor do those count that one
   * can take (SEMANTICS 46).
   */
  #isFull(queue: Queue, bytes: number): boolean {
    const limits = queue.limits!;
    let couldMore = true;
    while (limits.refuses(bytes)) {
      if (!couldMore) return queue.readyCount > 0 || !queue.gives || !queue.consumers.canTake;
      couldMore = this.#dispatcher.serve(queue);
    }
    return false;
  }

  /** Sees to it that a message is written that is to be. */
  #write(message: Message): void {
    if (message.unwritten === 0 || message.id !== 0 || message.isQueued) return;
    this.#committer.write(message);
    this.#overload.accepted(message.envelope.length);
  }

  #prefetchBytes({ settings }: Queue, asked: number | undefined): number {
    const { defaultPrefetchBytes, maxPrefetchBytes } = this.#options.limits;
    return Math.min(asked ?? settings.prefetchBytes ?? defaultPrefetchBytes, maxPrefetchBytes);
  }

  #newCommitter(nextMessageId: number): Committer {
    const { store, maxUncommittedBytes, events } = this.#options;
    const defer = this.#turnEnd.deferCommit;
    return new Committer({ store, defer, maxUncommittedBytes, nextMessageId, onFailure: events.onFailure });
  }

  async #recover({ records, queues: counters, nextMessageId, clean }: Recovered): Promise<void> {
    const queues = restoreTopology(records, this.#topology);
    const leftovers: DroppedRange[] = [];
    for (const [id, count] of counters) {
      const queue = queues.get(id);
      if (queue !== undefined) queue.recover(id, count);
      // A queue that was not to outlive the broker, but had paged.
      else leftovers.push({ queue: id, fromSeq: 0, toSeq: Number.POSITIVE_INFINITY });
    }
    const changes: RecordChange[] = [];
    for (const queue of new Set(queues.values())) {
      const wasIrregular = queue.isIrregular;
      queue.resume();
      this.#unusedQueues.used(queue);
      if (wasIrregular && !queue.isIrregular) changes.push(queueRecord(queue));
    }
    const known = (records.get(recordKeys.uncertainBelow) as number | undefined) ?? 1;
    this.#queueHost.uncertainBelow = clean ? known : nextMessageId;
    // An orderly stop later on does not tell what had been handed out before the crash.
    if (!clean && nextMessageId > known)
      changes.push({ key: recordKeys.uncertainBelow, value: nextMessageId });
    if (leftovers.length + changes.length > 0) {
      await this.#options.store.commit({ messages: [], queues: [], dropped: leftovers, records: changes });
    }
  }

  /** The queues that a message goes to; `undefined` if it is refused. */
  #route(publication: Publication, sink: PublishSink): readonly Queue[] | undefined {
    const { number, exchange: name } = publication;
    if (name === "") return this.#routes.findByName(publication);
    const exchange = this.#topology.exchanges.get(name);
    if (exchange === undefined) {
      sink.refused(number, "not-found", `There is no exchange ${JSON.stringify(name)}.`);
      return undefined;
    }
    if (exchange.internal) {
      sink.refused(number, "access-refused", `The exchange ${JSON.stringify(name)} is internal.`);
      return undefined;
    }
    return this.#routes.find(exchange, publication);
  }

  /** Where a dead letter goes: internal exchanges are open to it. `undefined` if there is no such exchange. */
  #routeDeadLetter(name: string, message: RoutedMessage): readonly Queue[] | undefined {
    if (name === "") return this.#routes.findByName(message);
    const exchange = this.#topology.exchanges.get(name);
    return exchange && this.#routes.find(exchange, message);
  }

  #missedAlternate(exchange: Exchange): void {
    const { name, alternate } = exchange;
    this.#missed("alternateExchange", alternate as string, `exchange ${JSON.stringify(name)}`, exchange);
  }

  #missedDeadLetterTarget(
    argument: "deadLetterExchange" | "deadLetterQueue",
    target: string,
    queue: Queue,
  ): void {
    this.#missed(argument, target, `queue ${JSON.stringify(queue.name)}`, queue);
  }

  #missed(argument: MissingTarget, target: string, of: string, owner: { hasMissedTarget: boolean }): void {
    this.#missedTargets++;
    if (owner.hasMissedTarget) return;
    owner.hasMissedTarget = true;
    this.#options.events.onMissingTarget(argument, target, of);
  }

  #take(queue: Queue, holder: Holder | undefined): Entry | undefined {
    if (queue.damage === undefined) {
      try {
        queue.groups?.fill();
        const entry = queue.take(holder);
        if (entry !== undefined) queue.breaker?.handedOut(entry);
        return entry;
      } catch (error) {
        this.#damaged(queue, error);
      }
    }
    throw new PosthornError("internal-error", `Queue ${JSON.stringify(queue.name)} is damaged.`, {
      queue: queue.name,
    });
  }

  #damaged(queue: Queue, error: unknown): void {
    queue.damage = error;
    this.#options.events.onDamage(queue.name, error);
  }

  async #apply({ records, deletedQueues }: TopologyChange): Promise<void> {
    for (const queue of deletedQueues) {
      queue.delete();
      this.#unusedQueues.forget(queue);
      for (const consumer of queue.consumers.clear()) {
        this.#consumerCount--;
        if (consumer.isCancelled) continue;
        consumer.stop();
        consumer.sink.cancelled("queue-deleted", `Queue ${JSON.stringify(queue.name)} was deleted.`);
      }
    }
    if (records.length > 0) this.#recorded = this.#committer.record(records);
    // Also by whoever finds that there is nothing left to do: what he relies on may be on its way to the disk still.
    await this.#recorded;
  }

  /** An auto-delete queue goes with its last consumer (SEMANTICS 40). */
  #removeConsumer(consumer: Consumer): void {
    const queue = consumer.attachedTo;
    if (!queue.consumers.remove(consumer)) return;
    this.#consumerCount--;
    if (queue.consumers.size > 0) return;
    if (queue.autoDelete) void this.#apply(this.#topology.deleteQueue(queue));
    else this.#unusedQueues.used(queue);
  }
}

/** Reads from a queue for somebody to whom damage is an error like others. */
function reading<Result>(queue: Queue, read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    throw new PosthornError("internal-error", `Queue ${JSON.stringify(queue.name)} is damaged.`, {
      queue: queue.name,
    });
  }
}

/** Of how many queues that a message was for are full; the others have it (SEMANTICS 47). */
function fullMessage(full: number, queues: number): string {
  if (full === queues) return queues === 1 ? "The queue is full." : "The queues are full.";
  return `${full} of the ${queues} queues ${full === 1 ? "is" : "are"} full; the others have the message.`;
}

/**
 * Which messages may be why their receiver has gone: those that it had alone. Of several it is not known which one it was; each of
 * them that comes back too often goes out alone, to find out.
 */
function suspectsAmong(entries: readonly Entry[]): ReadonlySet<Entry> {
  return new Set(entries.filter(({ holder }) => holder?.hasOne ?? true));
}

/** Whether a message for these queues is among those that are refused: all of it or nothing. */
function stops({ code }: Blocked, queues: readonly Queue[], persistent: boolean): boolean {
  return code === "memory-high" || queues.some((queue) => queue.wouldWrite(persistent));
}

/** Each reason why a queue may not have one consumer more (SEMANTICS 59, 70). */
function assertMayConsume({ name, settings, consumers }: Queue, { exclusive }: SubscribeOptions): void {
  const quoted = JSON.stringify(name);
  if (exclusive && settings.singleActiveConsumer) {
    const message = `Queue ${quoted} has a single active consumer; an exclusive one would have no successor.`;
    throw new PosthornError("access-refused", message, { queue: name });
  }
  if (consumers.size === 0) return;
  if (exclusive) throw new PosthornError("in-use", `Queue ${quoted} has another consumer.`, { queue: name });
  if (consumers.hasExclusive)
    throw new PosthornError("in-use", `Queue ${quoted} has an exclusive consumer.`, { queue: name });
}
