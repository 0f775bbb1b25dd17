import type { Headers } from "../protocol/header-value.ts";
import { argumentsContent } from "./arguments-content.ts";
import { type BindOptions, bindingTerms } from "./binding.ts";
import type { Body } from "./body.ts";
import { type BrowseOptions, type BrowsePage, type BrowsePageOptions, browse, browsePage } from "./browse.ts";
import type { BrowsedMessage } from "./browsed-message.ts";
import type { Connection } from "./connection.ts";
import { type ConsumeOptions, Consumer, type MessageHandler } from "./consumer.ts";
import { type EffectiveArguments, effectiveArgumentsFrom } from "./effective-arguments.ts";
import { type Exchange, nameOf } from "./exchange.ts";
import type { ReceivedMessage } from "./message.ts";
import { MessageStream, type StreamOptions } from "./message-stream.ts";
import type { OnMismatch } from "./on-mismatch.ts";
import type { PublishReceipt } from "./publish.ts";
import type { PublishOptions } from "./publish-encoder.ts";
import type { QueueArguments } from "./queue-arguments.ts";
import type { QueueName } from "./queue-name.ts";
import { type RedriveOptions, type RedriveReport, redrive } from "./redrive.ts";
import { type ReleaseMessagesOptions, releaseMessages } from "./release.ts";

export interface QueueDeclaration extends QueueArguments {
  /** Survives a restart of the broker, with its persistent messages. Default true; exclusive queues never do. */
  readonly durable?: boolean;
  /** Only for this connection, and deleted when it ends. Default false. */
  readonly exclusive?: boolean;
  /** Deleted when its last consumer goes, if it ever had one. Default false. */
  readonly autoDelete?: boolean;
  /** What happens if the queue is there and differs. Default `fail`. */
  readonly onMismatch?: OnMismatch;
  /** Arguments by their names, for what a newer broker knows. */
  readonly arguments?: Headers;
  readonly signal?: AbortSignal;
}

/** What the broker says about a queue. */
export interface QueueCounts {
  readonly name: string;
  /** Messages ready for delivery; those with consumers, not yet settled, do not count. */
  readonly messageCount: number;
  readonly consumerCount: number;
}

/** How a queue is doing. */
export interface QueueStatus {
  readonly name: string;
  /** Messages ready for delivery. */
  readonly ready: number;
  /** Bytes of their bodies. 0 from a broker that does not say. */
  readonly readyBytes: number;
  /** Messages that come back at a certain time. */
  readonly delayed: number;
  /** Messages that were delivered as often as they may be, or failed while others succeeded: release or delete them. */
  readonly parked: number;
  /** Messages with consumers, or taken by `get`, that are not settled. */
  readonly unsettled: number;
  readonly consumers: number;
  /** Tag of the active consumer, if the queue has a single active consumer and there is one. */
  readonly activeConsumer: string | undefined;
  /** Deliveries are stopped by `pause`. */
  readonly paused: boolean;
  /** Groups of a queue with `messageGroups` of which a message is unsettled, or among the ready ones that were looked at. */
  readonly groups: number | undefined;
  /**
   * State of the circuit breaker, if the queue has one. `closed`: messages are delivered. `open`: none. `half-open`: one, to
   * see whether that succeeds.
   */
  readonly circuit: "closed" | "open" | "half-open" | undefined;
  /**
   * Messages that were to go on to `deadLetterExchange` or `deadLetterQueue` when that was not there, since the broker has
   * started. They were dropped, or at their `deliveryLimit` parked.
   */
  readonly missedTargets: number;
  /** Name of the policy that is in force. */
  readonly policy: string | undefined;
  /** What holds of arguments, policy and defaults. */
  readonly effectiveArguments: EffectiveArguments<QueueArguments>;
}

/** A handle of a queue. Making one costs nothing and asks nothing of the broker. */
export class Queue {
  readonly #connection: Connection;
  readonly #name: QueueName;

  /** @internal */
  constructor(connection: Connection, name: QueueName) {
    this.#connection = connection;
    this.#name = name;
  }

  /**
   * Name of the queue. One that the broker made up changes when it is declared again after a reconnect.
   * @throws PosthornError `invalid-argument` if the queue has no name before it is declared.
   */
  get name(): string {
    return this.#name.current;
  }

  /**
   * Creates the queue, or checks that it is there and the same. It is declared again after a reconnect.
   * @throws PosthornError `precondition-failed` if it is there and differs, unless `onMismatch` says otherwise;
   * `invalid-argument` for an argument that is not known, not allowed, or does not go with another, which
   * `details.argument` names; `resource-locked`, `access-refused`, …
   */
  async declare(declaration: QueueDeclaration = {}): Promise<this> {
    const { durable, exclusive, autoDelete, onMismatch, arguments: others, signal, ...known } = declaration;
    const content = {
      ...(!this.#name.serverNamed && { queue: this.name }),
      ...(durable !== undefined && { durable }),
      ...(exclusive !== undefined && { exclusive }),
      ...(autoDelete !== undefined && { autoDelete }),
      ...(onMismatch !== undefined && { onMismatch }),
      ...argumentsContent({ ...known, ...others }),
    };
    const reply = await this.#connection.request("queue.declare", content, { signal, repeatable: true });
    this.#name.assign(reply.queue);
    this.#connection.topology.queueDeclared(this.#name, content);
    return this;
  }

  /** @throws PosthornError `not-found` if the queue does not exist, `resource-locked` if it is not for this connection. */
  async check(options: { readonly signal?: AbortSignal } = {}): Promise<QueueCounts> {
    const content = { queue: this.name, passive: true };
    const reply = await this.#connection.request("queue.declare", content, { ...options, repeatable: true });
    return { name: reply.queue, messageCount: reply.messageCount, consumerCount: reply.consumerCount };
  }

  /**
   * Stops deliveries from the queue, to whomever, until {@link resume}, also after a restart of the broker. Publishing goes
   * on, messages that were delivered can be settled, and `get` finds nothing.
   * @throws PosthornError `not-found`, `resource-locked`, …
   */
  async pause(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await this.#connection.request("queue.pause", { queue: this.name }, { ...options, repeatable: true });
  }

  /** Lets deliveries go on after {@link pause}. @throws PosthornError `not-found`, `resource-locked`, … */
  async resume(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await this.#connection.request("queue.resume", { queue: this.name }, { ...options, repeatable: true });
  }

  /** How the queue is doing. @throws PosthornError `not-found`, `resource-locked`, … */
  async status(options: { readonly signal?: AbortSignal } = {}): Promise<QueueStatus> {
    const content = { queue: this.name };
    const reply = await this.#connection.request("queue.status", content, { ...options, repeatable: true });
    return {
      name: reply.queue,
      ready: reply.ready,
      readyBytes: reply.readyBytes ?? 0,
      delayed: reply.delayed ?? 0,
      parked: reply.parked ?? 0,
      unsettled: reply.unsettled,
      consumers: reply.consumers,
      activeConsumer: reply.activeConsumer,
      paused: reply.paused,
      groups: reply.groups,
      circuit: reply.circuit,
      missedTargets: reply.missedTargets ?? 0,
      policy: reply.policy,
      effectiveArguments: effectiveArgumentsFrom<QueueArguments>(reply.effectiveArguments ?? {}),
    };
  }

  /**
   * Shows the queue's messages without taking them, in its order: `for await (const message of queue.browse()) …`. Nothing about
   * them changes. It ends with the messages that were there when it began; those that go before their turn are passed over.
   * @throws PosthornError `not-found`, `resource-locked`, `invalid-argument` for a path or pattern in the filter, …
   */
  browse(options: BrowseOptions = {}): AsyncGenerator<BrowsedMessage, void, undefined> {
    return browse(this.#connection, this.#name, options);
  }

  /**
   * One page of {@link browse}, for lists that people turn the pages of. It may be empty although there is more: `cursor` says.
   * @throws PosthornError as {@link browse}.
   */
  browsePage(options: BrowsePageOptions = {}): Promise<BrowsePage> {
    return browsePage(this.#connection, this.#name, options);
  }

  /**
   * Deletes one message, by the `position` that {@link browse} shows. It is not dead-lettered.
   * @throws PosthornError `not-found` if it is no longer there, `precondition-failed` if a consumer has it.
   */
  async deleteMessage(position: string, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await this.#connection.request("queue.message.delete", { queue: this.name, position }, options);
  }

  /**
   * Makes one message ready that is parked or delayed, by the `position` that {@link browse} shows. It comes back to its place in
   * the queue; one that was parked is delivered once more, and parked again if it comes back again.
   * @throws PosthornError `not-found` if it is no longer there, `precondition-failed` if it is neither parked nor delayed.
   */
  async releaseMessage(position: string, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await this.#connection.request("queue.message.release", { queue: this.name, position }, options);
  }

  /**
   * Makes all messages ready that are parked, each in its place, or those that the `filter` says, also delayed ones. Only those are released
   * that are there when it begins. Returns how many there were.
   *
   * It goes step by step, and ends with the program, the connection or the `signal` after the step under way: what is released
   * by then stays so.
   * @throws PosthornError `not-found`, `resource-locked`, `invalid-argument` for a path or pattern in the filter,
   * `connection-closed`, `aborted`, …
   */
  releaseMessages(options: ReleaseMessagesOptions = {}): Promise<number> {
    return releaseMessages(this.#connection, this.#name, options);
  }

  /**
   * Moves (or copies) messages from this dead-letter queue back to the queue that each of them failed in, or to one that is named.
   * Each message is at every moment in exactly one of the two queues, whatever happens. Only those are redriven that are
   * there when it begins; those with consumers stay.
   *
   * It goes step by step, and ends with the program, the connection or the `signal` after the step under way: what is redriven
   * by then stays so, the rest stays where it is. `onProgress` has said how far it got.
   * @throws PosthornError `not-found` if this queue or `to` is not there, `connection-closed`, `aborted`, `disk-full`, …
   */
  redrive(options: RedriveOptions = {}): Promise<RedriveReport> {
    return redrive(this.#connection, this.#name, options);
  }

  /**
   * Binds the queue to an exchange, after a reconnect again. The same binding twice is no error.
   * @param routingKey Key or pattern; not looked at by fanout and headers exchanges.
   * @throws PosthornError `not-found` if one of them does not exist, `access-refused`, …
   */
  async bind(exchange: Exchange | string, routingKey = "", options: BindOptions = {}): Promise<this> {
    const binding = this.#binding(exchange, routingKey, options);
    const content = { queue: this.name, exchange: binding.source, ...binding.terms };
    await this.#connection.request("queue.bind", content, { signal: options.signal, repeatable: true });
    this.#connection.topology.bound(binding);
    return this;
  }

  /** Removes a binding: same exchange, routing key and arguments. One that does not exist is no error. */
  async unbind(exchange: Exchange | string, routingKey = "", options: BindOptions = {}): Promise<this> {
    const binding = this.#binding(exchange, routingKey, options);
    const content = { queue: this.name, exchange: binding.source, ...binding.terms };
    await this.#connection.request("queue.unbind", content, { signal: options.signal, repeatable: true });
    this.#connection.topology.unbound(binding);
    return this;
  }

  /**
   * Deletes the messages that are ready, not those with consumers, nor those that are delayed or parked. None is dead-lettered.
   * Returns how many there were. @throws PosthornError `not-found`, `resource-locked`, …
   */
  async purge(options: { readonly signal?: AbortSignal } = {}): Promise<number> {
    const reply = await this.#connection.request("queue.purge", { queue: this.name }, options);
    return reply.messageCount;
  }

  /**
   * Deletes the queue and its messages; returns how many were ready. One that does not exist is no error. `ifEmpty`: only if
   * no message is ready, delayed or parked; `ifUnused`: only if it has no consumers.
   * @throws PosthornError `precondition-failed` if a condition does not hold.
   */
  async delete(
    options: { readonly ifUnused?: boolean; readonly ifEmpty?: boolean; readonly signal?: AbortSignal } = {},
  ): Promise<number> {
    const { ifUnused, ifEmpty, signal } = options;
    const content = {
      queue: this.name,
      ...(ifUnused !== undefined && { ifUnused }),
      ...(ifEmpty !== undefined && { ifEmpty }),
    };
    const reply = await this.#connection.request("queue.delete", content, { signal });
    this.#connection.topology.queueDeleted(this.#name);
    return reply.messageCount;
  }

  /** Publishes straight to this queue, through the default exchange. See {@link Exchange.publish}. */
  async publish(body: Body, options?: PublishOptions): Promise<PublishReceipt> {
    return this.#connection.publisher.publish("", this.name, body, options);
  }

  /**
   * Takes one message, to be settled; `undefined` if none is ready, or the queue gives none: it is paused, or its circuit is
   * open. With `noAck` it counts as settled at once.
   * @throws PosthornError `not-found`, `resource-locked` if the queue has a single active consumer or is not for this connection,
   * `limit-exceeded` if too many messages that were taken so are not settled, …
   */
  async get(
    options: { readonly noAck?: boolean; readonly signal?: AbortSignal } = {},
  ): Promise<ReceivedMessage | undefined> {
    const { noAck = false, signal } = options;
    let message: ReceivedMessage | undefined;
    const content = { queue: this.name, ...(noAck && { noAck }) };
    await this.#connection.request("queue.get", content, {
      signal,
      // Unless it counted as settled, a message that was on its way is back in the queue.
      repeatable: !noAck,
      answered: (reply, session, late) => {
        if (reply.delivered === 0) return;
        message = session.takeGotten();
        if (late && message?.settled === false) message.release();
      },
    });
    return message;
  }

  /**
   * Consumes with a loop: `for await (const message of queue.consume()) { …; message.ack(); }`. The consumer starts with
   * the loop, is cancelled when it is left, and lives on through reconnects.
   */
  consume(options?: StreamOptions): MessageStream;
  /**
   * Consumes with a handler. A message is acked when its handler is through without an error. Resolves when the consumer
   * has started.
   * @throws PosthornError `not-found`, `in-use` if there is an exclusive consumer or this one is to be, `access-refused` for an
   * exclusive one of a queue with a single active consumer, `consumer-tag-in-use`, `invalid-argument`, `invalid-frame`, …
   */
  consume(handler: MessageHandler, options?: ConsumeOptions): Promise<Consumer>;
  consume(
    first: StreamOptions | MessageHandler = {},
    second: ConsumeOptions = {},
  ): MessageStream | Promise<Consumer> {
    if (typeof first === "function") {
      return new Consumer(this.#connection, this.#name, first, second).start();
    }
    return new MessageStream(this.#connection, this.#name, first);
  }

  #binding(exchange: Exchange | string, routingKey: string, options: BindOptions) {
    return { destination: this.#name, source: nameOf(exchange), terms: bindingTerms(routingKey, options) };
  }
}
