import { randomBytes } from "node:crypto";
import { readArguments } from "../../protocol/argument-check.ts";
import { publishFlags } from "../../protocol/binary-frames.ts";
import { ByteWriter } from "../../protocol/byte-writer.ts";
import { copyKeysOf, copyKeysProblem } from "../../protocol/copy-keys.ts";
import type { SettleDetail } from "../../protocol/delivery-history.ts";
import { type EnvelopeHead, envelopeFlags, type TextProperty } from "../../protocol/envelope.ts";
import { type ErrorCode, PosthornError } from "../../protocol/errors.ts";
import type { Reply, RequestFrame, RequestType } from "../../protocol/frames.ts";
import { headersFromJson, headersToJson } from "../../protocol/header-json.ts";
import type { Headers } from "../../protocol/header-value.ts";
import { writeTable } from "../../protocol/headers.ts";
import { queueSettings } from "../../protocol/queue-settings.ts";
import type {
  Blocked,
  Delivery,
  DeliverySink,
  EffectiveArguments,
  Engine,
  EngineCounts,
  ExchangeBinding,
  LeaseSink,
  Publication,
  PublishSink,
  Pulled,
  QueueStatus,
  SettleOutcome,
  Subscription,
} from "../engine/engine.ts";
import type { BrokerEventListener } from "./broker-event.ts";
import { browsedMessageToJson } from "./browsed-message.ts";
import { messageFilterFrom } from "./message-filter.ts";
import {
  assertName,
  assertNotDefaultExchange,
  assertRoutingKey,
  isReserved,
  reservedName,
} from "./name-rules.ts";
import { assertBuilt } from "./not-built.ts";
import type { Visitor } from "./visitor.ts";

export interface BrokerLimits {
  readonly maxMessageBytes: number;
  readonly maxHeaderBytes: number;
  readonly maxPrefetch: number;
  readonly defaultPrefetch: number;
}

export interface BrokerOptions {
  readonly engine: Engine;
  readonly limits: BrokerLimits;
  readonly onEvent: BrokerEventListener;
}

/** What a request asks for, without what is the session's own business. */
export type Asked<T extends RequestType> = Omit<RequestFrame<T>, "type" | "id">;

/**
 * The one door to an engine. Every door to the broker (WebSocket sessions, later HTTP and AMQP) comes through here: names
 * are checked, defaults filled in, rights asked for, the engine told, the event noted. Methods throw or reject with a
 * `PosthornError` of scope `request`.
 */
export class Broker {
  readonly #engine: Engine;
  readonly #limits: BrokerLimits;
  readonly #onEvent: BrokerEventListener;
  readonly #publication = new HeadPublication();

  constructor({ engine, limits, onEvent }: BrokerOptions) {
    this.#engine = engine;
    this.#limits = limits;
    this.#onEvent = onEvent;
    engine.onBlockedChange((blocked) =>
      onEvent(
        blocked === undefined ? { type: "publishers-unblocked" } : { type: "publishers-blocked", ...blocked },
      ),
    );
  }

  async declareExchange(
    visitor: Visitor,
    asked: Asked<"exchange.declare">,
  ): Promise<Reply<"exchange.declare">> {
    const {
      exchange,
      exchangeType,
      durable = true,
      autoDelete = false,
      internal = false,
      passive = false,
      onMismatch,
    } = asked;
    assertNotDefaultExchange(exchange);
    assertName("exchange", exchange);
    if (passive) {
      await this.#engine.checkExchange(exchange);
      return {};
    }
    if (exchangeType === undefined) {
      throw new PosthornError("invalid-argument", "exchangeType is needed unless passive is true.", {
        field: "exchangeType",
      });
    }
    const args = this.#argumentsFrom(asked.arguments);
    assertBuilt("exchange", args);
    readArguments("exchange", args);
    if (isReserved(exchange))
      await this.#expectReserved("exchange", exchange, this.#engine.checkExchange(exchange));
    const facts = { durable, autoDelete, internal, arguments: args };
    await this.#engine.declareExchange({ name: exchange, type: exchangeType, ...facts }, onMismatch);
    this.#onEvent({ type: "exchange-declared", exchange, by: visitor.name });
    return {};
  }

  async deleteExchange(visitor: Visitor, asked: Asked<"exchange.delete">): Promise<Reply<"exchange.delete">> {
    const { exchange, ifUnused = false } = asked;
    assertNotDefaultExchange(exchange);
    if (isReserved(exchange)) throw reservedName("exchange", exchange);
    await this.#engine.deleteExchange(exchange, { ifUnused });
    this.#onEvent({ type: "exchange-deleted", exchange, by: visitor.name });
    return {};
  }

  async exchangeStatus({ exchange: name }: Asked<"exchange.status">): Promise<Reply<"exchange.status">> {
    assertNotDefaultExchange(name);
    const report = await this.#engine.inspectExchange(name);
    const { name: exchange, type: exchangeType, policy, effectiveArguments, ...facts } = report;
    return {
      exchange,
      exchangeType,
      ...facts,
      ...(policy !== undefined && { policy }),
      effectiveArguments: effectiveArgumentsToJson(effectiveArguments),
    };
  }

  /** @throws PosthornError `not-found`, `invalid-argument`, … */
  async explainRoute({
    exchange,
    routingKey,
    properties = {},
    limit = defaultExplained,
  }: Asked<"route.explain">): Promise<Reply<"route.explain">> {
    assertRoutingKey(routingKey);
    const headers = this.#tableFrom("headers", properties.headers);
    const problem = copyKeysProblem(headers);
    if (problem !== undefined) throw new PosthornError("invalid-argument", problem, { field: "properties" });
    const message = {
      exchange,
      routingKey,
      copyKeys: copyKeysOf(headers),
      headers: () => headers,
      property: (name: TextProperty) => properties[name],
    };
    return this.#engine.explainRoute(message, limit);
  }

  async bindExchange(visitor: Visitor, asked: Asked<"exchange.bind">): Promise<Reply<"exchange.bind">> {
    const binding = this.#exchangeBinding(asked);
    assertRoutingKey(binding.routingKey);
    await this.#engine.bindExchange(binding);
    const { arguments: _, ...facts } = binding;
    this.#onEvent({ type: "exchange-bound", ...facts, by: visitor.name });
    return {};
  }

  async unbindExchange(visitor: Visitor, asked: Asked<"exchange.unbind">): Promise<Reply<"exchange.unbind">> {
    const binding = this.#exchangeBinding(asked);
    await this.#engine.unbindExchange(binding);
    const { arguments: _, ...facts } = binding;
    this.#onEvent({ type: "exchange-unbound", ...facts, by: visitor.name });
    return {};
  }

  /** A name for a queue whose owner does not care. */
  newQueueName(): string {
    return `amq.gen-${randomBytes(16).toString("base64url")}`;
  }

  /** `queue` is the name asked for, or one of {@link newQueueName}. */
  async declareQueue(
    visitor: Visitor,
    queue: string,
    isGenerated: boolean,
    asked: Asked<"queue.declare">,
  ): Promise<Reply<"queue.declare">> {
    const { durable = true, exclusive = false, autoDelete = false, passive = false, onMismatch } = asked;
    assertName("queue", queue);
    if (passive) return queueReply(await this.#engine.checkQueue(queue, visitor));
    const args = this.#argumentsFrom(asked.arguments);
    assertBuilt("queue", args);
    queueSettings(args);
    if (isReserved(queue) && !isGenerated) {
      await this.#expectReserved("queue", queue, this.#engine.checkQueue(queue, visitor));
    }
    const declaration = { name: queue, durable, exclusive, autoDelete, arguments: args };
    const status = await this.#engine.declareQueue(declaration, visitor, onMismatch);
    this.#onEvent({ type: "queue-declared", queue, by: visitor.name });
    return queueReply(status);
  }

  async deleteQueue(
    visitor: Visitor,
    queue: string,
    asked: Asked<"queue.delete">,
  ): Promise<Reply<"queue.delete">> {
    const { ifUnused = false, ifEmpty = false } = asked;
    const messageCount = await this.#engine.deleteQueue(queue, { ifUnused, ifEmpty }, visitor);
    this.#onEvent({ type: "queue-deleted", queue, by: visitor.name });
    return { messageCount };
  }

  async purgeQueue(visitor: Visitor, queue: string): Promise<Reply<"queue.purge">> {
    const messageCount = await this.#engine.purgeQueue(queue, visitor);
    this.#onEvent({ type: "queue-purged", queue, messages: messageCount, by: visitor.name });
    return { messageCount };
  }

  async pauseQueue(visitor: Visitor, queue: string): Promise<Reply<"queue.pause">> {
    await this.#engine.pauseQueue(queue, visitor);
    this.#onEvent({ type: "queue-paused", queue, by: visitor.name });
    return {};
  }

  async resumeQueue(visitor: Visitor, queue: string): Promise<Reply<"queue.resume">> {
    await this.#engine.resumeQueue(queue, visitor);
    this.#onEvent({ type: "queue-resumed", queue, by: visitor.name });
    return {};
  }

  async queueStatus(visitor: Visitor, name: string): Promise<Reply<"queue.status">> {
    const report = await this.#engine.inspectQueue(name, visitor);
    const { name: queue, activeConsumer, groups, circuit, policy, effectiveArguments, ...counts } = report;
    return {
      queue,
      ...counts,
      ...(activeConsumer !== undefined && { activeConsumer }),
      ...(groups !== undefined && { groups }),
      ...(circuit !== undefined && { circuit }),
      ...(policy !== undefined && { policy }),
      effectiveArguments: effectiveArgumentsToJson(effectiveArguments),
    };
  }

  async browseQueue(
    visitor: Visitor,
    queue: string,
    { cursor, limit = 100, maxBodyBytes = 4096, filter }: Asked<"queue.browse">,
  ): Promise<Reply<"queue.browse">> {
    const options = { cursor, limit, filter: messageFilterFrom(filter) };
    const page = await this.#engine.browseQueue(queue, options, visitor);
    return {
      messages: page.messages.map((message) => browsedMessageToJson(message, maxBodyBytes)),
      examined: page.examined,
      ...(page.cursor !== undefined && { cursor: page.cursor }),
    };
  }

  async deleteMessage(
    visitor: Visitor,
    queue: string,
    { position }: Asked<"queue.message.delete">,
  ): Promise<Reply<"queue.message.delete">> {
    await this.#engine.deleteMessage(queue, position, visitor);
    this.#onEvent({ type: "message-deleted", queue, position, by: visitor.name });
    return {};
  }

  async releaseMessage(
    visitor: Visitor,
    queue: string,
    { position }: Asked<"queue.message.release">,
  ): Promise<Reply<"queue.message.release">> {
    await this.#engine.releaseMessage(queue, position, visitor);
    this.#onEvent({ type: "message-released", queue, position, by: visitor.name });
    return {};
  }

  async releaseMessages(
    visitor: Visitor,
    queue: string,
    { filter, limit = 256, cursor }: Asked<"queue.release">,
  ): Promise<Reply<"queue.release">> {
    const asked = messageFilterFrom({ ...filter, state: filter?.state ?? "parked" });
    const options = { filter: asked, limit, cursor };
    const { cursor: next, ...done } = await this.#engine.releaseMessages(queue, options, visitor);
    if (done.released > 0)
      this.#onEvent({ type: "messages-released", queue, messages: done.released, by: visitor.name });
    return { ...done, ...(next !== undefined && { cursor: next }) };
  }

  async redrive(
    visitor: Visitor,
    queue: string,
    asked: Asked<"queue.redrive">,
  ): Promise<Reply<"queue.redrive">> {
    const { to, mode = "move", dryRun = false, limit = 256, ratePerSecond, cursor } = asked;
    const filter = messageFilterFrom(asked.filter);
    const options = { to, filter, mode, dryRun, limit, ratePerSecond, cursor };
    const { counts, cursor: next, ...done } = await this.#engine.redrive(queue, options, visitor);
    if (!dryRun && done.redriven > 0)
      this.#onEvent({ type: "queue-redriven", queue, mode, messages: done.redriven, by: visitor.name });
    return {
      ...done,
      counts: counts.map(({ target, reason, outcome, messages }) => ({
        ...(target !== undefined && { target }),
        ...(reason !== undefined && { reason }),
        outcome,
        messages,
      })),
      ...(next !== undefined && { cursor: next }),
    };
  }

  async bindQueue(
    visitor: Visitor,
    queue: string,
    routingKey: string,
    asked: Asked<"queue.bind">,
  ): Promise<Reply<"queue.bind">> {
    const { exchange } = asked;
    assertNotDefaultExchange(exchange);
    assertRoutingKey(routingKey);
    const args = this.#argumentsFrom(asked.arguments);
    await this.#engine.bindQueue({ queue, exchange, routingKey, arguments: args }, visitor);
    this.#onEvent({ type: "queue-bound", queue, exchange, routingKey, by: visitor.name });
    return {};
  }

  async unbindQueue(
    visitor: Visitor,
    queue: string,
    routingKey: string,
    asked: Asked<"queue.unbind">,
  ): Promise<Reply<"queue.unbind">> {
    const { exchange } = asked;
    assertNotDefaultExchange(exchange);
    const args = this.#argumentsFrom(asked.arguments);
    await this.#engine.unbindQueue({ queue, exchange, routingKey, arguments: args }, visitor);
    this.#onEvent({ type: "queue-unbound", queue, exchange, routingKey, by: visitor.name });
    return {};
  }

  async setPolicy(visitor: Visitor, asked: Asked<"policy.set">): Promise<Reply<"policy.set">> {
    const { policy, pattern, appliesTo, priority = 0 } = asked;
    assertName("policy", policy);
    assertName("pattern", pattern);
    const args = this.#argumentsFrom(asked.arguments);
    const kind = appliesTo === "queues" ? "queue" : "exchange";
    assertBuilt(kind, args);
    if (kind === "queue") queueSettings(args);
    else readArguments(kind, args);
    const inForce = await this.#engine.setPolicy({
      name: policy,
      pattern,
      appliesTo,
      priority,
      arguments: args,
    });
    this.#onEvent({ type: "policy-set", policy, by: visitor.name });
    return { inForce };
  }

  async deletePolicy(visitor: Visitor, { policy }: Asked<"policy.delete">): Promise<Reply<"policy.delete">> {
    await this.#engine.deletePolicy(policy);
    this.#onEvent({ type: "policy-deleted", policy, by: visitor.name });
    return {};
  }

  async listPolicies(): Promise<Reply<"policy.list">> {
    const policies = await this.#engine.listPolicies();
    return {
      policies: policies.map(({ name: policy, arguments: args, ...facts }) => ({
        policy,
        ...facts,
        arguments: headersToJson(args),
      })),
    };
  }

  /** The prefetch that holds for what a client asked for: cut to the largest, 0 standing for that. */
  prefetchFor(asked: number | undefined): number {
    const { maxPrefetch, defaultPrefetch } = this.#limits;
    if (asked === undefined) return Math.min(defaultPrefetch, maxPrefetch);
    return asked === 0 ? maxPrefetch : Math.min(asked, maxPrefetch);
  }

  async subscribe(
    visitor: Visitor,
    queue: string,
    consumerTag: string,
    asked: Asked<"queue.consume">,
    sink: DeliverySink,
  ): Promise<Subscription> {
    const { noAck = false, exclusive = false } = asked;
    assertName("consumer", consumerTag);
    const args = this.#argumentsFrom(asked.arguments);
    assertBuilt("consumer", args);
    const { priority = 0, prefetchBytes, ackTimeout } = readArguments("consumer", args);
    const prefetch = this.prefetchFor(asked.prefetch);
    const options = { consumerTag, prefetch, noAck, exclusive, priority, prefetchBytes, ackTimeout };
    const subscription = await this.#engine.subscribe(queue, options, visitor, sink);
    this.#onEvent({ type: "consumer-started", queue, consumerTag, by: visitor.name });
    return subscription;
  }

  get(
    visitor: Visitor,
    queue: string,
    { noAck = false }: Asked<"queue.get">,
    sink: LeaseSink,
  ): Promise<Pulled> {
    return this.#engine.get(queue, { noAck }, visitor, sink);
  }

  touch(deliveries: readonly Delivery[]): void {
    this.#engine.touch(deliveries);
  }

  /** `detail` as `checkedSettleDetail` has found it right. */
  settle(deliveries: readonly Delivery[], outcome: SettleOutcome, detail?: SettleDetail): void {
    this.#engine.settle(deliveries, outcome, detail);
  }

  /**
   * Publishes the message that `head` has read. `flags` are those of the publish frame. Whatever is wrong with the message
   * is told to `sink`; nothing is thrown.
   */
  publish(visitor: Visitor, head: EnvelopeHead, number: number, flags: number, sink: PublishSink): void {
    const refusal = this.#refusal(visitor, head);
    if (refusal !== undefined) {
      sink.refused(number, refusal.code, refusal.message);
      return;
    }
    const publication = this.#publication;
    publication.read(head);
    publication.number = number;
    publication.mandatory = (flags & publishFlags.mandatory) !== 0;
    publication.confirm = (flags & publishFlags.unconfirmed) === 0;
    this.#engine.publish(publication, sink);
  }

  /** Resolves when everything published so far has its outcome. */
  flushed(): Promise<void> {
    return this.#engine.flushed();
  }

  get congested(): boolean {
    return this.#engine.congested;
  }

  onRelief(listener: () => void): void {
    this.#engine.onRelief(listener);
  }

  get blocked(): Blocked | undefined {
    return this.#engine.blocked;
  }

  onBlockedChange(listener: (blocked: Blocked | undefined) => void): void {
    this.#engine.onBlockedChange(listener);
  }

  /** The visitor has left: what was exclusive to it goes. */
  release(visitor: Visitor): Promise<void> {
    return this.#engine.release(visitor);
  }

  counts(): EngineCounts {
    return this.#engine.counts();
  }

  /** Each reason not to accept a message, cheapest and likeliest first. */
  #refusal(visitor: Visitor, head: EnvelopeHead): { code: ErrorCode; message: string } | undefined {
    const { maxMessageBytes, maxHeaderBytes } = this.#limits;
    if (head.bodyBytes > maxMessageBytes) {
      return {
        code: "message-too-large",
        message: `The body has ${head.bodyBytes} bytes; the limit is ${maxMessageBytes}.`,
      };
    }
    if (head.bodyAt > maxHeaderBytes) {
      return {
        code: "message-too-large",
        message: `Properties and headers have ${head.bodyAt} bytes; the limit is ${maxHeaderBytes}.`,
      };
    }
    if ((head.flags & checkedProperties) === 0) return undefined;
    if (head.userId !== undefined && head.userId !== visitor.user) {
      return {
        code: "precondition-failed",
        message: `The userId property is ${JSON.stringify(head.userId)}, but the session's user is another.`,
      };
    }
    const problem = copyKeysProblem(head.headers());
    return problem === undefined ? undefined : { code: "invalid-argument", message: problem };
  }

  #exchangeBinding({
    source,
    destination,
    routingKey = "",
    ...asked
  }: Asked<"exchange.bind">): ExchangeBinding {
    assertNotDefaultExchange(source);
    assertNotDefaultExchange(destination);
    return { source, destination, routingKey, arguments: this.#argumentsFrom(asked.arguments) };
  }

  /** @throws PosthornError `invalid-frame`, `limit-exceeded` */
  #argumentsFrom(json: { readonly [name: string]: unknown } | undefined): Headers {
    // They are kept for as long as what they belong to.
    return this.#tableFrom("arguments", json);
  }

  #tableFrom(what: "arguments" | "headers", json: { readonly [name: string]: unknown } | undefined): Headers {
    if (json === undefined) return {};
    const fields = headersFromJson(json);
    const { maxHeaderBytes } = this.#limits;
    const table = new ByteWriter();
    writeTable(table, fields);
    if (table.length <= maxHeaderBytes) return fields;
    throw new PosthornError(
      "limit-exceeded",
      `The ${what} have ${table.length} bytes; the limit is ${maxHeaderBytes}.`,
      {
        limit: "maxHeaderBytes",
        maximum: maxHeaderBytes,
      },
    );
  }

  /** A reserved name may be declared if what it names is there. */
  async #expectReserved(what: string, name: string, check: Promise<unknown>): Promise<void> {
    try {
      await check;
    } catch (error) {
      throw error instanceof PosthornError && error.code === "not-found" ? reservedName(what, name) : error;
    }
  }
}

const checkedProperties = envelopeFlags.userId | envelopeFlags.headers;

/** How many bindings and queues an explanation shows if nobody says. */
const defaultExplained = 100;
const noKeys: readonly string[] = [];

/** Shows an envelope's head as the engine wants it. One object, used for every message. */
class HeadPublication implements Publication {
  head!: EnvelopeHead;
  envelope: Uint8Array = new Uint8Array(0);
  copyKeys = noKeys;
  number = 0;
  mandatory = false;
  confirm = true;
  readonly headers = (): Headers => this.head.headers();

  read(head: EnvelopeHead): void {
    this.head = head;
    this.envelope = head.bytes;
    this.copyKeys = noKeys;
    if ((head.flags & envelopeFlags.headers) === 0) return;
    const headers = head.headers();
    this.copyKeys = copyKeysOf(headers);
    // The one thing in an envelope that is not passed on as it came.
    if (Object.hasOwn(headers, "BCC")) this.envelope = head.withoutHeader("BCC");
  }

  property(name: TextProperty): string | undefined {
    return this.head.property(name);
  }

  get exchange(): string {
    return this.head.exchange;
  }

  get routingKey(): string {
    return this.head.routingKey;
  }

  get persistent(): boolean {
    return this.head.persistent;
  }

  get priority(): number {
    return this.head.priority;
  }

  get expiration(): number {
    return this.head.expiration;
  }

  get bodyBytes(): number {
    return this.head.bodyBytes;
  }
}

function queueReply({ name, messages, consumers }: QueueStatus): Reply<"queue.declare"> {
  return { queue: name, messageCount: messages, consumerCount: consumers };
}

function effectiveArgumentsToJson(
  effective: EffectiveArguments,
): Reply<"exchange.status">["effectiveArguments"] {
  const entries = Object.entries(effective).map(([name, { value = null, from }]) => [
    name,
    { value: headersToJson({ value }).value, from },
  ]);
  return Object.fromEntries(entries);
}
