import type { SettleDetail } from "../../protocol/delivery-history.ts";
import { PosthornError } from "../../protocol/errors.ts";
import type { RouteExplanation } from "../../protocol/route-explanation.ts";
import type {
  Blocked,
  BrowseOptions,
  BrowsePage,
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
  ReleaseOptions,
  ReleaseResult,
  RoutingFacts,
  SettleOutcome,
  SubscribeOptions,
  Subscription,
} from "../engine/engine.ts";
import { ClockLag } from "./clock-lag.ts";
import { Committer } from "./committer.ts";
import { Consuming } from "./consuming.ts";
import { DeadLetters } from "./dead-letters.ts";
import { Deadlines } from "./deadlines.ts";
import { Dispatcher } from "./dispatcher.ts";
import type { EmbeddedEngineOptions } from "./engine-options.ts";
import { Intake } from "./intake.ts";
import { MaintenanceLoop } from "./maintenance-loop.ts";
import type { Message } from "./message.ts";
import { MissedTargets } from "./missed-targets.ts";
import { Overload, type OverloadLimits } from "./overload.ts";
import type { Queue, QueueHost } from "./queue.ts";
import { QueueContents } from "./queue-contents.ts";
import type { MemoryBudget } from "./ready-list.ts";
import { explainDefaultExchange, explainRoute } from "./route-explainer.ts";
import { Routes } from "./routes.ts";
import type { DroppedRange, QueueId, RecordChange, Recovered } from "./store/store.ts";
import { Topology, type TopologyChange } from "./topology.ts";
import { queueRecord, recordKeys, restoreTopology } from "./topology-records.ts";
import { TurnEnd } from "./turn-end.ts";
import { UnusedQueues } from "./unused-queues.ts";

const unwatched: OverloadLimits = {
  minFreeDiskBytes: 0,
  maxMemoryBytes: 0,
  usedMemoryBytes: () => 0,
  collectGarbage: () => {},
};

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
  readonly #committer: Committer;
  readonly #missedTargets: MissedTargets;
  readonly #intake: Intake;
  readonly #consuming: Consuming;
  readonly #contents: QueueContents;
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
    this.#missedTargets = new MissedTargets(options.events.onMissingTarget);
    const added = (message: Message, queue: Queue) => this.#intake.added(message, queue);
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
        route: (exchange, message) => this.#intake.routeDeadLetter(exchange, message),
        added,
        missing: (argument, target, queue) => this.#missedTargets.deadLetter(argument, target, queue),
      }),
    };
    this.#topology = new Topology(options.limits, this.#queueHost, options.random);
    this.#routes = new Routes(this.#topology, (exchange) => this.#missedTargets.alternate(exchange));
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
    this.#committer = new Committer({
      store: options.store,
      defer: this.#turnEnd.deferCommit,
      maxUncommittedBytes: options.maxUncommittedBytes,
      onFailure: options.events.onFailure,
    });
    const parts = {
      now: options.now,
      limits: options.limits,
      deadlines: this.#deadlines,
      topology: this.#topology,
      routes: this.#routes,
      dispatcher: this.#dispatcher,
      committer: this.#committer,
      overload: this.#overload,
    };
    this.#intake = new Intake(parts);
    this.#contents = new QueueContents({ ...parts, added });
    this.#consuming = new Consuming({
      ...parts,
      damaged: (queue, error) => this.#damaged(queue, error),
      abandoned: (queue) => this.#abandoned(queue),
    });
  }

  async start(): Promise<void> {
    const recovered = await this.#options.store.open();
    this.#committer.continueFrom(recovered.nextMessageId);
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
    return queue.report(this.#consuming.prefetchBytes(queue, undefined));
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
    return this.#contents.browse(this.#topology.queue(name, owner), options);
  }

  async deleteMessage(name: string, position: string, owner: Owner): Promise<void> {
    await this.#contents.deleteMessage(this.#topology.queue(name, owner), position);
  }

  async releaseMessage(name: string, position: string, owner: Owner): Promise<void> {
    await this.#contents.releaseMessage(this.#topology.queue(name, owner), position);
  }

  async releaseMessages(name: string, options: ReleaseOptions, owner: Owner): Promise<ReleaseResult> {
    return this.#contents.releaseMessages(this.#topology.queue(name, owner), options);
  }

  async redrive(name: string, options: RedriveOptions, owner: Owner): Promise<RedriveResult> {
    return this.#contents.redrive(this.#topology.queue(name, owner), options, owner);
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
    this.#intake.publish(publication, sink);
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
    return this.#consuming.subscribe(this.#topology.queue(name, owner), options, sink);
  }

  async get(
    name: string,
    { noAck }: { noAck: boolean },
    owner: Owner,
    sink: LeaseSink = nobody,
  ): Promise<Pulled> {
    return this.#consuming.get(this.#usedQueue(name, owner), noAck, sink);
  }

  settle(deliveries: readonly Delivery[], outcome: SettleOutcome, detail?: SettleDetail): void {
    this.#consuming.settle(deliveries, outcome, detail);
  }

  touch(deliveries: readonly Delivery[]): void {
    this.#consuming.touch(deliveries);
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
      consumers: this.#consuming.count,
      missedTargets: this.#missedTargets.count,
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

  /** A queue that somebody uses now. @throws PosthornError as {@link Topology.queue}. */
  #usedQueue(name: string, owner: Owner): Queue {
    const queue = this.#topology.queue(name, owner);
    this.#unusedQueues.used(queue);
    return queue;
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

  #damaged(queue: Queue, error: unknown): void {
    queue.damage = error;
    this.#options.events.onDamage(queue.name, error);
  }

  async #apply({ records, deletedQueues }: TopologyChange): Promise<void> {
    for (const queue of deletedQueues) {
      queue.delete();
      this.#unusedQueues.forget(queue);
      this.#consuming.endAll(queue);
    }
    if (records.length > 0) this.#recorded = this.#committer.record(records);
    // Also by whoever finds that there is nothing left to do: what he relies on may be on its way to the disk still.
    await this.#recorded;
  }

  /** An auto-delete queue goes with its last consumer (SEMANTICS 40). */
  #abandoned(queue: Queue): void {
    if (queue.autoDelete) void this.#apply(this.#topology.deleteQueue(queue));
    else this.#unusedQueues.used(queue);
  }
}
