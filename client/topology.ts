import { PosthornError } from "../protocol/errors.ts";
import type { BindingTerms } from "./binding.ts";
import { whenRepeated } from "./on-mismatch.ts";
import type { QueueName } from "./queue-name.ts";
import type { RequestContent } from "./session.ts";

type ExchangeContent = RequestContent<"exchange.declare">;
type QueueContent = RequestContent<"queue.declare">;
interface DeclaredQueue {
  readonly queue: QueueName;
  readonly content: QueueContent;
}

interface DeclaredBinding {
  /** The name of an exchange is a text. */
  readonly destination: QueueName | string;
  readonly source: string;
  readonly terms: BindingTerms;
}

/** Sends the requests that bring things back. Answers come in the order of the requests. */
export interface TopologyRequests {
  declareExchange(content: ExchangeContent): Promise<void>;
  /** Resolves to the queue's name. */
  declareQueue(content: QueueContent): Promise<string>;
  bindQueue(content: RequestContent<"queue.bind">): Promise<void>;
  bindExchange(content: RequestContent<"exchange.bind">): Promise<void>;
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
    this.#exchanges.set(content.exchange, whenRepeated(content));
  }

  exchangeDeleted(exchange: string): void {
    this.#exchanges.delete(exchange);
    this.#forgetAll(({ source, destination }) => source === exchange || destination === exchange);
  }

  queueDeclared(queue: QueueName, content: QueueContent): void {
    this.#queues.set(queue.key, { queue, content: whenRepeated(content) });
  }

  queueDeleted(queue: QueueName): void {
    this.#queues.delete(queue.key);
    this.#forgetAll(({ destination }) => typeof destination !== "string" && destination.key === queue.key);
  }

  /** The last consumer of a queue that this connection had was cancelled: an auto-delete queue goes with it. */
  queueUnused(queue: QueueName): void {
    if (this.#queues.get(queue.key)?.content.autoDelete) this.queueDeleted(queue);
  }

  bound(binding: DeclaredBinding): void {
    this.#bindings.set(bindingKey(binding), binding);
  }

  unbound(binding: DeclaredBinding): void {
    this.#forget([[bindingKey(binding), binding]]);
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
      [...this.#bindings.values()].map(({ destination, source, terms }) =>
        typeof destination === "string"
          ? attempt(
              `a binding of exchange ${destination} to exchange ${source}`,
              requests.bindExchange({ destination, source, ...terms }),
            )
          : attempt(
              `a binding of queue ${destination.current} to exchange ${source}`,
              requests.bindQueue({ queue: destination.current, exchange: source, ...terms }),
            ),
      ),
    );
  }

  #forgetAll(isGone: (binding: DeclaredBinding) => boolean): void {
    this.#forget([...this.#bindings].filter(([, binding]) => isGone(binding)));
  }

  /** Also forgets the auto-delete exchanges whose last binding was among these, and so on. */
  #forget(leaving: readonly (readonly [key: string, binding: DeclaredBinding])[]): void {
    for (const [key] of leaving) this.#bindings.delete(key);
    for (const [, { source }] of leaving) {
      if (this.#exchanges.get(source)?.autoDelete && !this.#hasBindings(source)) this.exchangeDeleted(source);
    }
  }

  #hasBindings(source: string): boolean {
    for (const binding of this.#bindings.values()) if (binding.source === source) return true;
    return false;
  }
}

/** Identity of a binding: both ends, routing key and arguments, in whatever order those are written. */
function bindingKey({ destination, source, terms }: DeclaredBinding): string {
  const { routingKey, arguments: table = {} } = terms;
  const to = typeof destination === "string" ? ["exchange", destination] : ["queue", destination.key];
  const names = Object.keys(table).sort();
  return JSON.stringify([to, source, routingKey, names.map((name) => [name, table[name]])]);
}
