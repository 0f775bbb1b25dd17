/// <reference lib="esnext.disposable" preserve="true" />
import type { RouteExplanation } from "../protocol/route-explanation.ts";
import type { Connection } from "./connection.ts";
import type { BlockedNotice, ConnectionState, PosthornEvents } from "./events.ts";
import { Exchange, nameOf } from "./exchange.ts";
import { type ExplainOptions, explainContent } from "./explain.ts";
import { Policies } from "./policies.ts";
import { Queue } from "./queue.ts";
import { QueueName } from "./queue-name.ts";

/** A connection to a broker, as `connect` makes it. It reconnects by itself until it is closed. */
export class Posthorn {
  /** The exchange that every queue is bound to by its own name. */
  readonly defaultExchange: Exchange;
  /** Arguments for queues and exchanges by their names. */
  readonly policies: Policies;
  readonly #connection: Connection;

  /** @internal */
  constructor(connection: Connection) {
    this.#connection = connection;
    this.defaultExchange = new Exchange(connection, "");
    this.policies = new Policies(connection);
  }

  get state(): ConnectionState {
    return this.#connection.state;
  }

  /** Why the broker takes no publishes at the moment; `undefined` while it does. */
  get blocked(): BlockedNotice | undefined {
    return this.#connection.publisher.blocked;
  }

  /** A handle of an exchange; no exchange is created. */
  exchange(name: string): Exchange {
    return new Exchange(this.#connection, name);
  }

  /** A handle of a queue; no queue is created. Without a name, the broker makes one up when it is declared. */
  queue(name = ""): Queue {
    return new Queue(this.#connection, new QueueName(name));
  }

  /**
   * Says where a message would go, and why, without publishing it: which bindings match and which do not, behind other exchanges
   * and alternates too, and which queues would get it.
   * @throws PosthornError `not-found` if there is no such exchange, `invalid-argument`, …
   */
  async explain(
    exchange: Exchange | string,
    routingKey: string,
    options: ExplainOptions = {},
  ): Promise<RouteExplanation> {
    const content = explainContent(nameOf(exchange), routingKey, options);
    const control = { signal: options.signal, repeatable: true };
    const answer = await this.#connection.request("route.explain", content, control);
    const { queues, queueCount, byChance, truncated, route } = answer;
    return { queues, queueCount, byChance, truncated, route };
  }

  /** Listens to an event; returns how to stop. */
  on<E extends keyof PosthornEvents>(event: E, listener: PosthornEvents[E]): () => void {
    return this.#connection.events.on(event, listener);
  }

  /**
   * Resolves as soon as a message published now would leave at once: connected, not blocked, and room in the window of
   * unconfirmed messages. For programs that publish much and do not wait for each confirm.
   * @throws PosthornError `closed` or `connection-closed` if the connection has ended for good.
   */
  ready(): Promise<void> {
    return this.#connection.publisher.ready();
  }

  /**
   * Closes the connection in order: consumers stop, handlers at work finish, publishes are confirmed; then the session
   * ends. Calling it again returns the same promise.
   * @throws PosthornError `timeout` if that took longer than `timeoutMs` (default 10,000). The connection is closed all
   * the same; publishes without a confirm have been rejected.
   */
  close(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    return this.#connection.close(options.timeoutMs ?? 10_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
