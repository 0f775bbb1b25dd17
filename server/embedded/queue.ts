import type { NackReason, SettleDetail } from "../../protocol/delivery-history.ts";
import type { Headers } from "../../protocol/header-value.ts";
import type { QueueSettings } from "../../protocol/queue-settings.ts";
import type {
  CircuitState,
  LeaseSink,
  Owner,
  Policy,
  QueueDeclaration,
  QueueReport,
  QueueStatus,
} from "../engine/engine.ts";
import { CircuitBreaker } from "./circuit-breaker.ts";
import { Comebacks, type ReturnOutcome } from "./comebacks.ts";
import { ConsumerRoster } from "./consumer-roster.ts";
import type { DeadLetters } from "./dead-letters.ts";
import { combinedArguments, effectiveArguments, effectiveSettings } from "./effective-arguments.ts";
import { type Entry, immediately } from "./entry.ts";
import type { Binding } from "./exchange.ts";
import type { Holder } from "./holder.ts";
import { Lane, type LaneHost } from "./lane.ts";
import { LengthLimits } from "./length-limits.ts";
import type { Message } from "./message.ts";
import { MessageGroups } from "./message-groups.ts";
import type { Subject } from "./policies.ts";
import { PriorityLanes } from "./priority-lanes.ts";
import type { PulledMessages } from "./pulled-messages.ts";
import type { QueueCounters, QueueId } from "./store/store.ts";

/** How many expired messages are passed over at once on the way to one that is not. */
const maxPassedOver = 1000;

/** What a queue needs of its surroundings. */
export interface QueueHost extends LaneHost {
  readonly deadLetters: Pick<DeadLetters, "move" | "tryMove">;
  /** At least 0 and less than 1. */
  random(): number;
  /** The circuit breaker has changed its state. `failed` and `deliveries`: what made it open. */
  circuitChanged(queue: Queue, state: CircuitState, failed: number, deliveries: number): void;
  /** The queue has been used, or its settings have changed. */
  used(queue: Queue): void;
  /** What is stored of the queue itself has changed. */
  recordChanged(queue: Queue): void;
  /** A number for one lane more. */
  newLaneId(): QueueId;
}

/** One queue: its messages in order, who gets them, and what it counts. */
export class Queue implements Subject {
  readonly id: QueueId;
  readonly name: string;
  /** Its persistent messages survive a restart. Never true for an exclusive queue. */
  readonly durable: boolean;
  autoDelete: boolean;
  /** As declared. */
  arguments: Headers;
  policy: Policy | undefined;
  /** Whom an exclusive queue belongs to. */
  readonly owner: Owner | undefined;
  readonly bindings = new Set<Binding>();
  readonly consumers: ConsumerRoster;
  deleted = false;
  /** Someone wants nothing delivered for now. */
  isPaused = false;
  /** Messages that needed the dead-letter target when that was not there. */
  missedTargets = 0;
  /** Somebody has been told of that. */
  isMissingTold = false;
  /** A row of this queue could not be read: nothing is delivered from it until someone has looked. */
  damage: unknown;
  /** In the dispatcher's list already. */
  isAwake = false;
  /** Something has to be done when those had their turn that could take a message: see {@link tidy}. */
  isUntidy = false;
  /** Some of what is stored can only be found by looking through all of it, which a start has to do. */
  isIrregular = false;
  /** Who takes messages one by one. Used where these have to be settled in time. */
  pullers: WeakMap<LeaseSink, PulledMessages> | undefined;
  /** With `messageGroups`: what is next is taken off the lane by these. */
  groups: MessageGroups | undefined;
  breaker: CircuitBreaker | undefined;
  /** How much may be ready. */
  limits: LengthLimits | undefined;

  readonly #host: QueueHost;
  readonly #comebacks: Comebacks;
  /** Where messages without a priority are. */
  readonly #lane: Lane;
  /** All lanes, from when a message had a priority. */
  #priorities: PriorityLanes | undefined;
  /** What all lanes together keep in memory. */
  readonly #memory = { usedBytes: 0 };
  #settings: QueueSettings;
  /** Messages without an expiration are just added at the end. */
  #isPlain = true;
  #unsettled = 0;
  /** Messages that expire unless they are taken in this turn. */
  #immediate: Entry[] = [];

  constructor(
    id: QueueId,
    declaration: QueueDeclaration,
    owner: Owner | undefined,
    host: QueueHost,
    policy?: Policy,
  ) {
    this.id = id;
    this.name = declaration.name;
    this.durable = declaration.durable && owner === undefined;
    this.autoDelete = declaration.autoDelete;
    this.arguments = declaration.arguments;
    this.policy = policy;
    this.#settings = effectiveSettings(this);
    this.consumers = new ConsumerRoster(this.#settings.singleActiveConsumer, () => host.wake(this));
    this.owner = owner;
    this.#host = host;
    this.#comebacks = new Comebacks(this, host);
    this.#lane = new Lane(id, this, host, this.#memory);
    this.#group();
    this.#breakCircuit();
    this.#limit(false);
  }

  /** Ids of the lanes for priorities above 0, by priority. */
  get laneIds(): { readonly [priority: string]: QueueId } | undefined {
    return this.#priorities?.ids;
  }

  /** An earlier run of the broker has used these lanes. */
  restoreLanes(ids: { readonly [priority: string]: QueueId }): void {
    for (const [priority, id] of Object.entries(ids)) this.#addLane(Number(priority), id);
  }

  /** Takes over what an earlier run of the broker has written in a lane. */
  recover(laneId: QueueId, counters: QueueCounters): void {
    this.lanes.find(({ id }) => id === laneId)!.recover(counters);
  }

  /** Looks through what an earlier run has written, where that is needed. Everything is recovered. */
  resume(): void {
    if (this.isIrregular) {
      const found = this.lanes.map((lane) => lane.lookThrough());
      this.isIrregular = found.includes(true);
    } else if (this.#settings.messageTtl < Number.POSITIVE_INFINITY)
      for (const lane of this.lanes) lane.resumeExpiry();
    if (this.groups === undefined) return;
    for (const lane of this.lanes) for (const entry of lane.delayed()) this.groups.adoptDelayed(entry);
  }

  /** A start has to look through all that is stored. */
  noteIrregular(): void {
    if (this.isIrregular || !this.durable) return;
    this.isIrregular = true;
    this.#host.recordChanged(this);
  }

  /** What the queue goes by now. They can change: ask each time, or do what is to be done in {@link applySettings}. */
  get settings(): QueueSettings {
    return this.#settings;
  }

  /** Takes over what can be changed. */
  change({ autoDelete, arguments: args }: QueueDeclaration): void {
    this.autoDelete = autoDelete;
    this.arguments = args;
    this.follow(this.policy);
  }

  follow(policy: Policy | undefined): void {
    this.policy = policy;
    this.applySettings(effectiveSettings(this));
  }

  /** From now on the queue goes by these, also with what is in it already. */
  applySettings(settings: QueueSettings): void {
    // What was due in its turn may no longer be.
    if (settings.messageTtl !== this.#settings.messageTtl) this.noteIrregular();
    // What is taken from now on has the time that holds now.
    if (settings.ackTimeout !== this.#settings.ackTimeout) this.pullers = undefined;
    this.#settings = settings;
    this.isMissingTold = false;
    this.consumers.setSingle(settings.singleActiveConsumer);
    this.#group();
    this.#breakCircuit();
    this.#limit(true);
    this.#host.used(this);
    this.#host.wake(this);
  }

  /** Nothing holds back all of its messages. */
  get gives(): boolean {
    return !this.isPaused && this.breaker?.allowance(1) !== 0;
  }

  /** What its messages lie in, the first to be served first. */
  get lanes(): readonly Lane[] {
    return this.#priorities?.all ?? [this.#lane];
  }

  get readyCount(): number {
    return (this.#priorities?.readyCount ?? this.#lane.ready.length) + (this.groups?.waiting ?? 0);
  }

  /** Bytes of the bodies of ready messages. */
  get readyBytes(): number {
    return (this.#priorities?.readyBytes ?? this.#lane.ready.bytes) + (this.groups?.waitingBytes ?? 0);
  }

  /** Messages that come back by themselves at a certain time. */
  get delayedCount(): number {
    return this.lanes.reduce((count, lane) => count + lane.delayedCount, 0);
  }

  /** Messages that are delivered only when someone has released them. */
  get parkedCount(): number {
    return this.lanes.reduce((count, lane) => count + lane.parkedCount, 0);
  }

  get unsettledCount(): number {
    return this.#unsettled;
  }

  get status(): QueueStatus {
    return { name: this.name, messages: this.readyCount, consumers: this.consumers.size };
  }

  /** @param prefetchBytes That of consumers that name none. */
  report(prefetchBytes: number): QueueReport {
    return {
      name: this.name,
      ready: this.readyCount,
      readyBytes: this.readyBytes,
      unsettled: this.#unsettled,
      delayed: this.delayedCount,
      parked: this.parkedCount,
      consumers: this.consumers.size,
      activeConsumer: this.consumers.active?.options.consumerTag,
      paused: this.isPaused,
      groups: this.groups?.size,
      circuit: this.breaker?.state,
      missedTargets: this.missedTargets,
      policy: this.policy?.name,
      effectiveArguments: effectiveArguments("queue", this, {
        ...combinedArguments(this),
        ...this.#settings,
        prefetchBytes,
      }),
    };
  }

  /** Whether a message that is added now has to be written. */
  wouldWrite(persistent: boolean): boolean {
    return this.lanes.some((lane) => lane.wouldWrite(persistent));
  }

  /** Adds a message at the end. `expiration`: milliseconds, -1 if it has none of its own. */
  enqueue(message: Message, expiration: number, history?: Uint8Array): void {
    if (expiration < 0 && this.#isPlain) {
      this.#lane.append(message, 0, history);
      return;
    }
    const { messageTtl } = this.#settings;
    this.#add(message, expiration < 0 ? messageTtl : Math.min(expiration, messageTtl), history);
  }

  /** Adds a message at the end that died elsewhere, or here. Its own expiration no longer counts (SEMANTICS 45). */
  addDeadLetter(message: Message, history: Uint8Array): void {
    this.#add(message, this.#settings.messageTtl, history);
  }

  /**
   * Hands out the first ready message. The entry is the caller's to settle.
   * @throws StoreError if it cannot be read back from disk.
   */
  take(holder: Holder | undefined): Entry | undefined {
    const entry = this.#takeUnexpired(holder);
    if (entry === undefined) return undefined;
    entry.state = "unsettled";
    this.#unsettled++;
    entry.lane.unsettled.add(entry);
    entry.holder = holder;
    holder?.took(entry);
    return entry;
  }

  /** The caller has not passed the entry on: it is as if it had never been taken. */
  undoTake(entry: Entry): void {
    if (!this.#leaveHolder(entry)) return;
    entry.state = "ready";
    if (this.groups === undefined) entry.lane.putBack(entry);
    else {
      this.groups.undoTake(entry);
      entry.lane.expireInTime(entry);
    }
    this.breaker?.settled(entry, "release");
  }

  /** A message that was handed out is done with. */
  finish(entry: Entry): void {
    if (!this.#leaveHolder(entry)) return;
    this.breaker?.settled(entry, "ack");
    entry.lane.end(entry);
    this.groups?.finish(entry);
  }

  /** A message that was handed out is not wanted: it goes to the dead-letter target, if there is one. */
  reject(entry: Entry, reason?: NackReason): void {
    if (!this.#leaveHolder(entry)) return;
    this.breaker?.settled(entry, "reject");
    this.#host.deadLetters.move(entry, "rejected", reason);
    this.groups?.finish(entry);
  }

  /** A message that was handed out goes back to its place. Released, it was not looked at, and that is no attempt. */
  putBack(
    entry: Entry,
    outcome: ReturnOutcome,
    detail?: SettleDetail,
    isBlamed = outcome !== "release",
  ): void {
    if (!this.#leaveHolder(entry)) return;
    this.#comebacks.putBack(entry, outcome, detail, isBlamed);
  }

  /** The delay of a message is over, or the message has expired meanwhile. */
  delayEnded(entry: Entry): void {
    this.#comebacks.delayEnded(entry);
  }

  /** A message that was set aside comes back to its place at once. */
  releaseAside(entry: Entry): void {
    this.#comebacks.releaseAside(entry);
  }

  /** The entry that is set aside in the place of one that was shown, which may be a copy from disk. @throws StoreError */
  asideAt({ lane, seq }: Entry): Entry | undefined {
    const entry = lane.find(seq);
    return entry?.state === "parked" || entry?.state === "delayed" ? entry : undefined;
  }

  /** Whether an entry that was found before is still ready. */
  hasReady(entry: Entry): boolean {
    return entry.state === "ready" && (this.groups?.holds(entry) || entry.lane.ready.holds(entry));
  }

  /** Deletes a message that was found in this turn of the event loop, ready or set aside. */
  deleteFound(entry: Entry): void {
    if (entry.state === "ready") entry.lane.withdrawThis(entry);
    else {
      entry.lane.endFromAside(entry);
      if (this.groups?.holds(entry)) this.groups.finish(entry);
    }
    entry.lane.end(entry);
    this.#host.wake(this);
  }

  /** Those that could take a message had their turn. Does what is left to be done then. */
  tidy(): void {
    this.isUntidy = false;
    for (const entry of this.#immediate.splice(0)) {
      if (entry.state === "ready") this.expired(entry.lane.withdrawThis(entry));
    }
    if (this.limits === undefined || this.damage !== undefined) return;
    this.limits.tidy();
    if (this.limits.areUntidy) this.isUntidy = true;
  }

  /** Takes away the oldest ready message of the lowest priority. @throws StoreError if it cannot be read back from disk. */
  takeLeastWanted(): Entry | undefined {
    const looked = this.groups?.oldest;
    if (looked !== undefined) return looked.lane.withdrawThis(looked);
    return (this.#priorities?.last ?? this.#lane).take();
  }

  /** A message that is no longer ready, nor with a consumer, was too much. */
  exceeded(entry: Entry): void {
    this.#host.deadLetters.move(entry, "max-length");
  }

  /** Deletes every ready message, readable or not, and says how many there were. */
  purge(): number {
    this.damage = undefined;
    const waiting = this.groups?.clear() ?? [];
    for (const entry of waiting) entry.lane.end(entry);
    return this.lanes.reduce((count, lane) => count + lane.purge(), waiting.length);
  }

  /** The queue has gone, and all its messages with it. Those handed out can still be settled, to no effect. */
  delete(): void {
    this.deleted = true;
    this.#immediate = [];
    this.groups?.clear();
    this.breaker?.stop();
    for (const lane of this.lanes) lane.delete();
  }

  #group(): void {
    const { messageGroups } = this.#settings;
    if (messageGroups !== undefined && this.groups?.change(messageGroups)) return;
    for (const entry of this.groups?.clear() ?? []) entry.lane.putBack(entry);
    const first = () => this.#first;
    const source = {
      get hasReturned() {
        return first().ready.hasReturned;
      },
      takeReady: () => first().takeReady(),
      putBack: (entry: Entry) => entry.lane.putBack(entry),
    };
    this.groups =
      messageGroups && new MessageGroups(messageGroups, source, this.#host.memory, this.#unsettled);
  }

  #add(message: Message, ttlMs: number, history: Uint8Array | undefined): void {
    const entry = this.#laneFor(message.priority).append(message, this.#expiresAt(ttlMs), history);
    if (entry.expiresAt === immediately) {
      this.#immediate.push(entry);
      this.isUntidy = true;
    }
    if (this.limits?.areExceeded) {
      this.limits.noteSurplus(entry);
      this.isUntidy = true;
    }
  }

  /** The lane of which the next message comes. */
  get #first(): Lane {
    return this.#priorities?.first ?? this.#lane;
  }

  #laneFor(priority: number): Lane {
    const level = Math.min(priority, this.#settings.maxPriority);
    if (level === 0) return this.#lane;
    const lane = this.#priorities?.get(level);
    if (lane !== undefined) return lane;
    const added = this.#addLane(level, this.#host.newLaneId());
    if (this.durable) this.#host.recordChanged(this);
    return added;
  }

  #addLane(level: number, id: QueueId): Lane {
    this.#priorities ??= new PriorityLanes(this.#lane);
    const lane = new Lane(id, this, this.#host, this.#memory);
    this.#priorities.add(level, lane);
    return lane;
  }

  #limit(isChange: boolean): void {
    const { maxLength, maxBytes, messageTtl, maxPriority } = this.#settings;
    const isLimited = Math.min(maxLength, maxBytes) < Number.POSITIVE_INFINITY;
    this.#isPlain = !isLimited && messageTtl === Number.POSITIVE_INFINITY && maxPriority === 0;
    if (isLimited && this.limits?.goesBy(this.#settings)) return;
    this.limits = isLimited ? new LengthLimits(this, this.#settings, isChange) : undefined;
    if (this.limits?.areExceeded) this.isUntidy = true;
  }

  #expiresAt(ttlMs: number): number {
    if (ttlMs === Number.POSITIVE_INFINITY) return 0;
    if (ttlMs === 0) return immediately;
    return Math.min(Math.ceil(this.#host.now() + ttlMs), Number.MAX_SAFE_INTEGER);
  }

  #takeUnexpired(holder: Holder | undefined): Entry | undefined {
    for (let passedOver = 0; passedOver < maxPassedOver; passedOver++) {
      const entry =
        this.groups === undefined ? this.#first.take() : this.#takeFromGroups(this.groups, holder);
      if (entry === undefined || entry.expiresAt <= immediately || entry.expiresAt > this.#host.now())
        return entry;
      this.groups?.finish(entry);
      this.expired(entry);
    }
    // The others expire in later turns, and the queue is awakened then.
    return undefined;
  }

  #takeFromGroups(groups: MessageGroups, holder: Holder | undefined): Entry | undefined {
    const entry = groups.take(holder);
    if (entry !== undefined && entry.expiresAt !== 0) entry.lane.doNotExpire(entry);
    return entry;
  }

  /** A message that is no longer ready, nor with a consumer, has expired. */
  expired(entry: Entry): void {
    this.#host.deadLetters.move(entry, "expired");
  }

  #breakCircuit(): void {
    const { circuitBreaker } = this.#settings;
    if (circuitBreaker !== undefined && this.breaker?.goesBy(circuitBreaker)) return;
    this.breaker?.stop();
    const { now, deadlines } = this.#host;
    const onChange = (state: CircuitState, failed: number, deliveries: number) => {
      this.#host.circuitChanged(this, state, failed, deliveries);
      this.#host.wake(this);
    };
    this.breaker = circuitBreaker && new CircuitBreaker(circuitBreaker, { now, deadlines, onChange });
  }

  #leaveHolder(entry: Entry): boolean {
    if (entry.state !== "unsettled") return false;
    this.#unsettled--;
    entry.lane.unsettled.remove(entry);
    const { holder } = entry;
    entry.holder = undefined;
    holder?.released(entry);
    return !this.deleted;
  }
}
