import type { BodyPath } from "../../protocol/body-path.ts";
import type { DeathReason, SettleDetail } from "../../protocol/delivery-history.ts";
import type { TextProperty } from "../../protocol/envelope.ts";
import type { ErrorCode } from "../../protocol/errors.ts";
import type { GroupBy } from "../../protocol/group-key.ts";
import type { Headers, HeaderValue } from "../../protocol/header-value.ts";
import type { RouteExplanation } from "../../protocol/route-explanation.ts";

/**
 * The seam between the doors (WebSocket sessions, later AMQP and HTTP) and whatever holds the queues.
 *
 * The embedded engine is one implementation; another may sit in front of a cluster. So callers must not assume that
 * routing is synchronous, that a queue lives in this process, or that an operation cannot fail half-way. What an engine
 * lacks it leaves out of {@link Engine.features}, and the broker answers `not-implemented` for it.
 *
 * Control operations return promises; they reject with a `PosthornError` of scope `request`. Messages never cost a
 * promise: outcomes and deliveries come back through {@link PublishSink} and {@link DeliverySink}.
 *
 * Calls of one owner take effect in the order in which they are made, whenever their promises resolve.
 *
 * Every implementation passes the suite in `test/contract/engine-contract.ts`.
 */
export interface Engine {
  readonly features: ReadonlySet<EngineFeature>;

  /** Recovers what is durable. Nothing else may be called before this has resolved. */
  start(): Promise<void>;

  /** What `onMismatch` says holds for all or nothing of what differs. Default `fail`. */
  declareExchange(declaration: ExchangeDeclaration, onMismatch?: OnMismatch): Promise<void>;
  /** Rejects with `not-found` if there is no such exchange. */
  checkExchange(name: string): Promise<void>;
  inspectExchange(name: string): Promise<ExchangeReport>;
  deleteExchange(name: string, conditions: { ifUnused: boolean }): Promise<void>;

  declareQueue(declaration: QueueDeclaration, owner: Owner, onMismatch?: OnMismatch): Promise<QueueStatus>;
  /** Rejects with `not-found` if there is no such queue, with `resource-locked` if it is exclusive to another owner. */
  checkQueue(name: string, owner: Owner): Promise<QueueStatus>;
  deleteQueue(
    name: string,
    conditions: { ifUnused: boolean; ifEmpty: boolean },
    owner: Owner,
  ): Promise<number>;
  purgeQueue(name: string, owner: Owner): Promise<number>;
  /** From this call on nothing is delivered and {@link get} gives nothing, until `resumeQueue`. Survives a restart. */
  pauseQueue(name: string, owner: Owner): Promise<void>;
  resumeQueue(name: string, owner: Owner): Promise<void>;
  inspectQueue(name: string, owner: Owner): Promise<QueueReport>;
  /**
   * Shows messages without changing anything about them. A call does a bounded piece of work. Rejects with `invalid-argument` for a
   * cursor that is not one of this queue's.
   */
  browseQueue(name: string, options: BrowseOptions, owner: Owner): Promise<BrowsePage>;
  /**
   * Deletes one message; resolves when that is on disk. Rejects with `not-found` if it is no longer there, with
   * `precondition-failed` if it is handed out, with `invalid-argument` for what is not a position.
   */
  deleteMessage(queue: string, position: string, owner: Owner): Promise<void>;
  /**
   * Makes a parked or delayed message ready, in its place; resolves when that is on disk. Rejects as {@link deleteMessage}, with
   * `precondition-failed` if it is neither.
   */
  releaseMessage(queue: string, position: string, owner: Owner): Promise<void>;
  /** Makes parked or delayed messages ready, a bounded number in one call; resolves when that is on disk. */
  releaseMessages(name: string, options: ReleaseOptions, owner: Owner): Promise<ReleaseResult>;
  /**
   * Moves or copies messages to other queues, those that are ready or, if the filter asks for them, set aside: a bounded number in one call, and resolves when that is on disk. Each is at every
   * moment in one of the two queues, also after a crash. Rejects with `not-found` if the queue named is not there, and as publishes are refused.
   */
  redrive(name: string, options: RedriveOptions, owner: Owner): Promise<RedriveResult>;

  /**
   * Adds a policy or replaces the one of that name, durably; it is in force from this call on. Resolves to for how many
   * queues or exchanges it is. Rejects with `limit-exceeded`.
   */
  setPolicy(policy: Policy): Promise<number>;
  /** One that is not there is no error. */
  deletePolicy(name: string): Promise<void>;
  /** By rank: of two that match a name, the one that is in force comes first. */
  listPolicies(): Promise<readonly PolicyReport[]>;

  bindQueue(binding: QueueBinding, owner: Owner): Promise<void>;
  unbindQueue(binding: QueueBinding, owner: Owner): Promise<void>;
  bindExchange(binding: ExchangeBinding): Promise<void>;
  unbindExchange(binding: ExchangeBinding): Promise<void>;
  /**
   * Says where a message would go and why, and does nothing. `message` is read during the call only. Rejects with `not-found` if there
   * is no such exchange; one that is internal is explained like any other.
   */
  explainRoute(message: RoutingFacts, limit: number): Promise<RouteExplanation>;

  /**
   * Routes a message. `publication` is read during the call only; its envelope's bytes are kept and must not change
   * afterwards. Exactly one of `confirmed` and `refused` is called for it, at any time after, also during this call.
   * Messages of one sink keep their order in each queue.
   */
  publish(publication: Publication, sink: PublishSink): void;

  /** Resolves when everything published and settled so far has its outcome and is on disk where it has to be. */
  flushed(): Promise<void>;

  /** Too much is waiting for the disk: doors should stop reading from publishers until {@link onRelief}'s call. */
  readonly congested: boolean;
  /** `listener` is called each time congestion ends. */
  onRelief(listener: () => void): void;

  /** Set while publishes may be refused for want of disk or memory; everything else goes on. */
  readonly blocked: Blocked | undefined;
  /** `listener` is called each time {@link blocked} changes. */
  onBlockedChange(listener: (blocked: Blocked | undefined) => void): void;

  /** The subscription is idle until its `resume` is called for the first time. */
  subscribe(
    queue: string,
    options: SubscribeOptions,
    owner: Owner,
    sink: DeliverySink,
  ): Promise<Subscription>;

  /**
   * One message, or `undefined` if none is ready. The caller settles it unless `noAck`; `sink` hears of it if that has to be
   * done within a time and is not.
   */
  get(queue: string, options: { noAck: boolean }, owner: Owner, sink?: LeaseSink): Promise<Pulled>;

  /** Settles deliveries of one owner; those whose queue has gone are passed over. Each is named once ever. */
  settle(deliveries: readonly Delivery[], outcome: SettleOutcome, detail?: SettleDetail): void;

  /** These are still being worked on: where deliveries have to be settled within a time, it begins anew. */
  touch(deliveries: readonly Delivery[]): void;

  /**
   * The owner has gone for good: its exclusive queues are deleted. Its subscriptions must have been cancelled and its
   * deliveries settled before.
   */
  release(owner: Owner): Promise<void>;

  /** For status pages: cheap, and not exact while work is going on. */
  counts(): EngineCounts;

  /** Finishes what is under way, makes it durable, and stops. */
  stop(): Promise<void>;
}

/** Why publishes are refused, and with which code. */
export interface Blocked {
  /** `disk-full`: only messages that would have to be written. `memory-high`: all that would be kept. */
  readonly code: "disk-full" | "memory-high";
  /** For people. */
  readonly message: string;
}

/** What an engine may or may not be able to do. Later issues add to it. */
export type EngineFeature =
  | "headers-exchange"
  | "exchange-bindings"
  | "alternate-exchange"
  | "internal-exchange"
  | "policies"
  | "consistent-hash-exchange"
  | "random-exchange"
  | "explain"
  | "exclusive-consumer"
  | "pull"
  | "browse"
  | "redrive";

export interface EngineCounts {
  readonly exchanges: number;
  readonly queues: number;
  readonly consumers: number;
  /** Messages since the start that were to go on to an exchange that is not there. */
  readonly missedTargets: number;
}

/** Who holds exclusive queues; compared by identity. `name` is for messages to people. */
export interface Owner {
  readonly name: string;
}

/**
 * What becomes of a declaration that differs from what exists: it is refused with `precondition-failed`, what exists is
 * taken as it is, or changed while it is in use. What cannot be changed is refused with `precondition-failed`.
 */
export type OnMismatch = "fail" | "keep" | "update";

export interface ExchangeDeclaration {
  readonly name: string;
  readonly type: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly internal: boolean;
  readonly arguments: Headers;
}

export interface QueueDeclaration {
  readonly name: string;
  readonly durable: boolean;
  readonly exclusive: boolean;
  readonly autoDelete: boolean;
  /** Those of `protocol/arguments.ts`, checked by `queueSettings`. */
  readonly arguments: Headers;
}

export interface QueueBinding {
  readonly queue: string;
  readonly exchange: string;
  readonly routingKey: string;
  readonly arguments: Headers;
}

export interface ExchangeBinding {
  readonly source: string;
  readonly destination: string;
  readonly routingKey: string;
  readonly arguments: Headers;
}

export interface QueueStatus {
  readonly name: string;
  /** Ready messages; those with consumers do not count. */
  readonly messages: number;
  readonly consumers: number;
}

/**
 * Arguments for all queues or exchanges whose names match: those that are there and those to come. One policy is in force
 * for each, the one with the highest priority, and of equals the one whose name comes first. What was declared goes before
 * what the policy says, but of limits the lower holds.
 */
export interface Policy {
  readonly name: string;
  /** `*` stands for any text, also none, and everything else for itself. */
  readonly pattern: string;
  readonly appliesTo: "queues" | "exchanges";
  readonly priority: number;
  /** Those of `protocol/arguments.ts`, checked as for a declaration. */
  readonly arguments: Headers;
}

export interface PolicyReport extends Policy {
  /** For how many queues or exchanges. */
  readonly inForce: number;
}

/** Every argument by its name, with the value that holds and where that comes from. */
export type EffectiveArguments = {
  readonly [name: string]: {
    /** `undefined`: none, or no limit. */
    readonly value: HeaderValue | undefined;
    readonly from: "declared" | `policy:${string}` | "default";
  };
};

/** An exchange in detail, for people and for those who watch it. */
export interface ExchangeReport {
  readonly name: string;
  readonly type: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly internal: boolean;
  /** How many lead from here. */
  readonly bindings: number;
  /** Messages since the start for which the alternate was not there. */
  readonly missedTargets: number;
  /** Name of the policy that is in force. */
  readonly policy: string | undefined;
  readonly effectiveArguments: EffectiveArguments;
}

/** `closed`: messages are delivered. `open`: none. `half-open`: one, to see whether that succeeds. */
export type CircuitState = "closed" | "open" | "half-open";

/** A queue in detail, for people and for those who watch it. */
export interface QueueReport {
  readonly name: string;
  readonly ready: number;
  /** Of the bodies of those that are ready. */
  readonly readyBytes: number;
  /** Handed out, by whatever means, and not settled. */
  readonly unsettled: number;
  /** To come back at a certain time. */
  readonly delayed: number;
  /** Tried as often as they may be: somebody has to release or delete them. */
  readonly parked: number;
  readonly consumers: number;
  /** Tag of the single active consumer; `undefined` if there is none. */
  readonly activeConsumer: string | undefined;
  readonly paused: boolean;
  /** Groups of which a message is unsettled or among the next ones. `undefined`: it has no groups. */
  readonly groups: number | undefined;
  /** `undefined`: it has no circuit breaker. */
  readonly circuit: CircuitState | undefined;
  /** Messages since the start for which the dead-letter target was not there. */
  readonly missedTargets: number;
  /** Name of the policy that is in force. */
  readonly policy: string | undefined;
  readonly effectiveArguments: EffectiveArguments;
}

export type MessageState = "ready" | "unsettled" | "delayed" | "parked";

/** Which messages are meant: those that meet every condition given. */
export interface MessageFilter {
  readonly state?: MessageState | undefined;
  /** A pattern as of a topic exchange. */
  readonly routingKey?: string | undefined;
  readonly headers?: Headers | undefined;
  readonly headerNames?: readonly string[] | undefined;
  /** Of a body that is JSON, whatever its content type. One of more than 256 KiB meets none. */
  readonly body?: readonly BodyCondition[] | undefined;
  /** Of the latest death. */
  readonly reason?: DeathReason | undefined;
  readonly diedIn?: string | undefined;
}

export interface BodyCondition {
  readonly path: BodyPath;
  /** What has to be there, as JSON; `undefined`: anything. */
  readonly value: unknown;
}

export interface BrowseOptions {
  /** Of the page before; `undefined`: from the front. */
  readonly cursor: string | undefined;
  readonly limit: number;
  readonly filter: MessageFilter;
}

export interface BrowsePage {
  readonly messages: readonly BrowsedMessage[];
  /** How many were looked at. */
  readonly examined: number;
  /** Where to go on; `undefined`: that was all that was there at the first call. */
  readonly cursor: string | undefined;
}

export interface BrowsedMessage {
  /** Names the message's place in its queue. */
  readonly position: string;
  readonly state: MessageState;
  readonly envelope: Uint8Array;
  readonly redelivered: boolean;
  readonly attempts: number;
  /** See `encodeHistory`. */
  readonly history: Uint8Array | undefined;
  /** Milliseconds since 1970; 0: never. */
  readonly expiresAt: number;
  /** Milliseconds since 1970; 0: it is not delayed. */
  readonly delayedUntil: number;
}

export interface ReleaseOptions {
  /** Its `state` is `parked` or `delayed`. */
  readonly filter: MessageFilter;
  /** Most messages released in this call. */
  readonly limit: number;
  readonly cursor: string | undefined;
}

export interface ReleaseResult {
  readonly released: number;
  /** How many were looked at. */
  readonly examined: number;
  /** Where to go on; `undefined`: that was all that was there at the first call. */
  readonly cursor: string | undefined;
}

export interface RedriveOptions {
  /** The queue that they go to; `undefined`: for each the one of its latest death. */
  readonly to: string | undefined;
  readonly filter: MessageFilter;
  readonly mode: "move" | "copy";
  /** Only count. */
  readonly dryRun: boolean;
  /** Most messages redriven in this call. */
  readonly limit: number;
  /** The call takes no less time than this allows. */
  readonly ratePerSecond: number | undefined;
  readonly cursor: string | undefined;
}

export interface RedriveResult {
  readonly redriven: number;
  readonly examined: number;
  readonly counts: readonly RedriveCount[];
  readonly cursor: string | undefined;
}

export interface RedriveCount {
  readonly target: string | undefined;
  readonly reason: DeathReason | undefined;
  readonly outcome: "redriven" | "missing";
  readonly messages: number;
}

/** What messages are routed by. */
export interface RoutingFacts {
  readonly exchange: string;
  readonly routingKey: string;
  /** Further routing keys, by which the message is routed as by the first. Mostly none. */
  readonly copyKeys: readonly string[];
  /** Decodes the headers; a function of its own, not a method. */
  readonly headers: () => Headers;
  /** A property that is a text; `undefined` if the message has none. */
  property(name: TextProperty): string | undefined;
}

/** A message on its way in. The object may be used again for the next one: read it during the call only. */
export interface Publication extends RoutingFacts {
  readonly number: number;
  readonly mandatory: boolean;
  /** `false`: `confirmed` need not be called. */
  readonly confirm: boolean;
  readonly persistent: boolean;
  readonly priority: number;
  /** Milliseconds that the message may wait; -1: any time. */
  readonly expiration: number;
  readonly envelope: Uint8Array;
  /** How much of the envelope is the body. */
  readonly bodyBytes: number;
}

/** Where the outcomes of one publisher's messages go. */
export interface PublishSink {
  /**
   * Every message from `first` to `last` is on disk in every durable queue it was routed to if it is persistent, or
   * settled there already. Ranges may come in any order.
   */
  confirmed(first: number, last: number): void;
  /** Nothing of it is kept; with `queue-full`, by those queues that are full. */
  refused(number: number, code: ErrorCode, message: string): void;
  /** A mandatory message without a route. Its `confirmed` follows. */
  returned(number: number, envelope: Uint8Array): void;
}

export interface SubscribeOptions {
  readonly consumerTag: string;
  /** Most unsettled deliveries; at least 1. Without effect with `noAck`. */
  readonly prefetch: number;
  readonly noAck: boolean;
  readonly exclusive: boolean;
  /** Higher ones are served first. */
  readonly priority: number;
  /** Most bytes of unsettled deliveries; a larger one goes alone. `undefined`: as the queue or the engine has it. */
  readonly prefetchBytes: number | undefined;
  /** Milliseconds that a delivery may stay unsettled; `undefined`: as the queue has it. Without effect with `noAck`. */
  readonly ackTimeout: number | undefined;
}

/** A message handed out, and the reference by which it is settled. Opaque otherwise. */
export interface Delivery {
  readonly envelope: Uint8Array;
  readonly redelivered: boolean;
  /** How often it was handed out before; 0 if never or unknown. */
  readonly attempts: number;
  /** What happened to it before, as `encodeHistory` writes it. */
  readonly history: Uint8Array | undefined;
}

/** Hears what becomes of deliveries that are not settled in time. */
export interface LeaseSink {
  /** They have gone back to their queue. Settling them has no effect any more. Read the array during the call only. */
  expired(deliveries: readonly Delivery[]): void;
}

/** Where the deliveries of one subscription go. */
export interface DeliverySink extends LeaseSink {
  /** Whether the receiver can take more now. After `false`, nothing comes until `resume`. */
  hasRoom(): boolean;
  /** The array is reused: read it during the call only. */
  deliver(deliveries: readonly Delivery[]): void;
  /**
   * Whether this subscription is the one that gets messages: for queues with a single active consumer only, once during
   * `subscribe` and then with each change.
   */
  activeChanged(isActive: boolean): void;
  /** The engine has ended the subscription; what was delivered can still be settled. */
  cancelled(code: ErrorCode, message: string): void;
}

export interface Subscription {
  readonly queue: string;
  /** Most bytes of unsettled deliveries: what holds of what was asked for. Without effect with `noAck`. */
  readonly prefetchBytes: number;
  /** Milliseconds that a delivery may stay unsettled: what holds. `Infinity`: for ever. */
  readonly ackTimeout: number;
  /** Where the group key of the queue's messages is, if it has groups. */
  readonly messageGroups: GroupBy | undefined;
  /** What is requeued comes back after a delay. */
  readonly retries: boolean;
  /** Deliveries may (again) be made. */
  resume(): void;
  /** No delivery follows this call. Deliveries made stay unsettled. */
  cancel(): void;
}

export interface Pulled {
  readonly delivery: Delivery | undefined;
  /** Messages still ready. */
  readonly messages: number;
}

/**
 * `ack`: done. `requeue`: back to its place. `reject`: not wanted. `release`: back to its place, and not looked at, so that
 * it does not count as an attempt. `return`: as `requeue`, but the receiver went away rather than refuse it.
 */
export type SettleOutcome = "ack" | "requeue" | "reject" | "release" | "return";
