import type { Headers } from "../protocol/header-value.ts";
import { argumentsContent } from "./arguments-content.ts";
import { type BindOptions, bindingTerms } from "./binding.ts";
import type { Body } from "./body.ts";
import type { Connection } from "./connection.ts";
import { type EffectiveArguments, effectiveArgumentsFrom } from "./effective-arguments.ts";
import type { ExchangeArguments } from "./exchange-arguments.ts";
import type { OnMismatch } from "./on-mismatch.ts";
import type { PublishReceipt } from "./publish.ts";
import type { PublishOptions } from "./publish-encoder.ts";

/** The types that the protocol has; a broker may know more. */
export type ExchangeType = "direct" | "fanout" | "topic" | "headers" | "consistent-hash" | "random";

export interface ExchangeDeclaration extends ExchangeArguments {
  readonly type: ExchangeType | (string & {});
  /** Survives a restart of the broker. Default true. */
  readonly durable?: boolean;
  /** Goes when the last binding to it goes. Default false. */
  readonly autoDelete?: boolean;
  /** Only reached through other exchanges: what is published to it is refused with `access-refused`. Default false. */
  readonly internal?: boolean;
  /** What happens if the exchange is there and differs. Default `fail`. */
  readonly onMismatch?: OnMismatch;
  /** Arguments by their names, for what a newer broker knows. */
  readonly arguments?: Headers;
  readonly signal?: AbortSignal;
}

/** What an exchange is like. */
export interface ExchangeStatus {
  readonly name: string;
  readonly type: ExchangeType | (string & {});
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly internal: boolean;
  /** Bindings that lead from it. */
  readonly bindings: number;
  /** Messages that were to go on to `alternateExchange` when that was not there, since the broker has started: they were dropped. */
  readonly missedTargets: number;
  /** Name of the policy that is in force. */
  readonly policy: string | undefined;
  readonly effectiveArguments: EffectiveArguments<ExchangeArguments>;
}

/** A handle of an exchange. Making one costs nothing and asks nothing of the broker. */
export class Exchange {
  /** `""` is the default exchange. */
  readonly name: string;
  readonly #connection: Connection;

  /** @internal */
  constructor(connection: Connection, name: string) {
    this.#connection = connection;
    this.name = name;
  }

  /**
   * Creates the exchange, or checks that it is there and the same. It is declared again after a reconnect.
   * @throws PosthornError `precondition-failed` if it is there and differs, unless `onMismatch` says otherwise;
   * `access-refused`, `not-implemented`, …
   */
  async declare(declaration: ExchangeDeclaration): Promise<this> {
    const {
      type,
      durable,
      autoDelete,
      internal,
      alternateExchange,
      hashOn,
      onMismatch,
      arguments: others,
      signal,
    } = declaration;
    const content = {
      exchange: this.name,
      exchangeType: type,
      ...(durable !== undefined && { durable }),
      ...(autoDelete !== undefined && { autoDelete }),
      ...(internal !== undefined && { internal }),
      ...(onMismatch !== undefined && { onMismatch }),
      ...argumentsContent({ alternateExchange, hashOn, ...others }),
    };
    await this.#connection.request("exchange.declare", content, { signal, repeatable: true });
    this.#connection.topology.exchangeDeclared(content);
    return this;
  }

  /** @throws PosthornError `not-found` if the exchange does not exist. */
  async check(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const content = { exchange: this.name, passive: true };
    await this.#connection.request("exchange.declare", content, { ...options, repeatable: true });
  }

  /** What the exchange is like. @throws PosthornError `not-found`, … */
  async status(options: { readonly signal?: AbortSignal } = {}): Promise<ExchangeStatus> {
    const content = { exchange: this.name };
    const reply = await this.#connection.request("exchange.status", content, {
      ...options,
      repeatable: true,
    });
    const { durable, autoDelete, internal, bindings, missedTargets = 0, policy } = reply;
    return {
      name: reply.exchange,
      type: reply.exchangeType,
      durable,
      autoDelete,
      internal,
      bindings,
      missedTargets,
      policy,
      effectiveArguments: effectiveArgumentsFrom<ExchangeArguments>(reply.effectiveArguments),
    };
  }

  /**
   * Deletes the exchange and its bindings. One that does not exist is no error.
   * @throws PosthornError `precondition-failed` if it has bindings and `ifUnused` is set.
   */
  async delete(options: { readonly ifUnused?: boolean; readonly signal?: AbortSignal } = {}): Promise<void> {
    const { ifUnused, signal } = options;
    const content = { exchange: this.name, ...(ifUnused !== undefined && { ifUnused }) };
    await this.#connection.request("exchange.delete", content, { signal });
    this.#connection.topology.exchangeDeleted(this.name);
  }

  /**
   * Binds this exchange to another one, after a reconnect again: messages that match go on through this one. Exchanges may
   * be bound in circles; a message comes by each of them once, and a queue that is reached on several ways gets one copy.
   * The same binding twice is no error.
   * @param source The exchange that messages come from.
   * @param routingKey Key or pattern, as the source's type has it.
   * @throws PosthornError `not-found` if one of them does not exist, `access-refused`, …
   */
  async bind(source: Exchange | string, routingKey = "", options: BindOptions = {}): Promise<this> {
    const binding = this.#binding(source, routingKey, options);
    const content = { source: binding.source, destination: this.name, ...binding.terms };
    await this.#connection.request("exchange.bind", content, { signal: options.signal, repeatable: true });
    this.#connection.topology.bound(binding);
    return this;
  }

  /** Removes a binding: same source, routing key and arguments. One that does not exist is no error. */
  async unbind(source: Exchange | string, routingKey = "", options: BindOptions = {}): Promise<this> {
    const binding = this.#binding(source, routingKey, options);
    const content = { source: binding.source, destination: this.name, ...binding.terms };
    await this.#connection.request("exchange.unbind", content, { signal: options.signal, repeatable: true });
    this.#connection.topology.unbound(binding);
    return this;
  }

  /**
   * Publishes a message. Resolves when the broker has confirmed it. While more than `maxUnconfirmed` messages are under
   * way, and while disconnected, it waits; after a reconnect, what has no confirm yet is sent again, so a message may
   * arrive twice.
   *
   * @param body A string goes as text, bytes as they are, anything else as JSON.
   * @throws PosthornError `no-route` ({@link ReturnedError}) if it is mandatory and came back; the code of the broker's
   * refusal: `not-found` or `access-refused` for the exchange, `queue-full` (see `retry`), with `whenBlocked: "reject"` also
   * `disk-full` and `memory-high`, `internal-error`; `invalid-argument`, `message-too-large`, `buffer-full` (while
   * disconnected), `aborted`; `connection-closed` or `closed` if the connection has ended for good and the fate of the message is
   * unknown.
   */
  publish(routingKey: string, body: Body, options?: PublishOptions): Promise<PublishReceipt> {
    return this.#connection.publisher.publish(this.name, routingKey, body, options);
  }
  #binding(source: Exchange | string, routingKey: string, options: BindOptions) {
    return { destination: this.name, source: nameOf(source), terms: bindingTerms(routingKey, options) };
  }
}

export function nameOf(exchange: Exchange | string): string {
  return typeof exchange === "string" ? exchange : exchange.name;
}
