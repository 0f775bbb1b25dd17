import { PosthornError } from "../protocol/errors.ts";
import type { QueueName } from "./queue-name.ts";
import type { RequestContent } from "./session.ts";

type ExchangeContent = RequestContent<"exchange.declare">;
type QueueContent = RequestContent<"queue.declare">;
type BindingContent = RequestContent<"queue.bind">;

interface DeclaredQueue {
  readonly queue: QueueName;
  readonly content: QueueContent;
}

interface DeclaredBinding {
  readonly queue: QueueName;
  readonly content: BindingContent;
}

/** Sends the requests that bring things back. Answers come in the order of the requests. */
export interface TopologyRequests {
  declareExchange(content: ExchangeContent): Promise<void>;
  /** Resolves to the queue's name. */
  declareQueue(content: QueueContent): Promise<string>;
  bind(content: BindingContent): Promise<void>;
}

/**
 * What was declared through this connection and not deleted through it: what a session that begins anew has to bring
 * back. Only what an answer confirmed is in here.
 */
export class Topology {
  readonly #exchanges = new Map<string, ExchangeContent>();
  readonly #queues = new Map<string, DeclaredQueue>();
  readonly #bindings = new Map<string, DeclaredBinding>();

  exchangeDeclared(content: ExchangeContent): void {
    this.#exchanges.set(content.exchange, content);
  }

  exchangeDeleted(exchange: string): void {
    this.#exchanges.delete(exchange);
    for (const [key, { content }] of this.#bindings) {
      if (content.exchange === exchange) this.#bindings.delete(key);
    }
  }

  queueDeclared(queue: QueueName, content: QueueContent): void {
    this.#queues.set(queue.key, { queue, content });
  }

  queueDeleted(queue: QueueName): void {
    this.#queues.delete(queue.key);
    for (const [key, binding] of [...this.#bindings]) {
      if (binding.queue.key === queue.key) this.#unbound(key, binding.content.exchange);
    }
  }

  /** The last consumer of a queue that this connection had was cancelled: an auto-delete queue goes with it. */
  queueUnused(queue: QueueName): void {
    if (this.#queues.get(queue.key)?.content.autoDelete) this.queueDeleted(queue);
  }

  bound(queue: QueueName, content: BindingContent): void {
    this.#bindings.set(bindingKey(queue, content), { queue, content });
  }

  unbound(queue: QueueName, content: BindingContent): void {
    this.#unbound(bindingKey(queue, content), content.exchange);
  }

  /**
   * Brings everything back: exchanges, then queues, then bindings, each kind in one go. What the broker refuses goes to
   * `refused`. @throws whatever else happens, such as a connection lost again.
   */
  async restore(requests: TopologyRequests, refused: (error: PosthornError) => void): Promise<void> {
    const attempt = async (what: string, request: Promise<unknown>) => {
      try {
        await request;
      } catch (error) {
        if (!(error instanceof PosthornError) || error.code === "connection-closed") throw error;
        const message = `After the reconnect ${what} could not be brought back: ${error.message}`;
        refused(new PosthornError(error.code, message, error.details));
      }
    };
    await Promise.all(
      [...this.#exchanges.values()].map((content) =>
        attempt(`exchange ${content.exchange}`, requests.declareExchange(content)),
      ),
    );
    await Promise.all(
      [...this.#queues.values()].map(({ queue, content }) =>
        attempt(
          `queue ${queue.current}`,
          requests.declareQueue(content).then((name) => queue.assign(name)),
        ),
      ),
    );
    await Promise.all(
      [...this.#bindings.values()].map(({ queue, content }) =>
        attempt(
          `a binding of queue ${queue.current} to exchange ${content.exchange}`,
          requests.bind({ ...content, queue: queue.current }),
        ),
      ),
    );
  }

  #unbound(key: string, exchange: string): void {
    this.#bindings.delete(key);
    if (!this.#exchanges.get(exchange)?.autoDelete) return;
    for (const { content } of this.#bindings.values()) if (content.exchange === exchange) return;
    this.#exchanges.delete(exchange);
  }
}

/** Identity of a binding: queue, exchange, routing key and arguments, in whatever order those are written. */
function bindingKey(queue: QueueName, content: BindingContent): string {
  const { exchange, routingKey, arguments: table = {} } = content;
  const names = Object.keys(table).sort();
  return JSON.stringify([queue.key, exchange, routingKey, names.map((name) => [name, table[name]])]);
}
