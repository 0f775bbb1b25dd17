import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Posthorn } from "posthorn";
import {
  type Address,
  BrokerClient,
  type Destination,
  type Driver,
  fanoutQueue,
  type OnBody,
  type OnMessage,
  type Publisher,
  type PublisherOptions,
  type TopicBinding,
} from "./driver.ts";
import { InFlight } from "./in-flight.ts";
import { UnconfirmedPublisher } from "./unconfirmed-publisher.ts";

type Sdk = typeof import("posthorn");

/** Requests that are sent at once when many are to be made. */
const requestsAtOnce = 500;

class PosthornClient extends BrokerClient {
  readonly product = "Posthorn";
  readonly #posthorn: Posthorn;

  constructor(posthorn: Posthorn) {
    super();
    this.#posthorn = posthorn;
  }

  async close(): Promise<void> {
    await this.#posthorn.close({ timeoutMs: 5000 }).catch(() => {});
  }

  override async declareQueue(name: string, { durable }: { durable: boolean }): Promise<void> {
    await this.#posthorn.queue(name).declare({ durable });
  }

  override async deleteQueue(name: string): Promise<void> {
    await this.#posthorn.queue(name).delete();
  }

  override async declareFanout(name: string, queueCount: number): Promise<void> {
    const exchange = await this.#posthorn.exchange(name).declare({ type: "fanout" });
    for (let index = 0; index < queueCount; index++) {
      const queue = await this.#posthorn.queue(fanoutQueue(name, index)).declare();
      await queue.bind(exchange);
    }
  }

  override async deleteFanout(name: string, queueCount: number): Promise<void> {
    await this.#posthorn.exchange(name).delete();
    for (let index = 0; index < queueCount; index++) await this.deleteQueue(fanoutQueue(name, index));
  }

  override async declareTopic(name: string): Promise<void> {
    await this.#posthorn.exchange(name).declare({ type: "topic" });
  }

  override async deleteTopic(name: string): Promise<void> {
    await this.#posthorn.exchange(name).delete();
  }

  async publisher(destination: Destination, options: PublisherOptions): Promise<Publisher> {
    return options.confirm
      ? new ConfirmedPublisher(this.#posthorn, destination, options)
      : this.#unconfirmedPublisher(destination, options);
  }

  override async consume(
    queue: string,
    { prefetch, acks }: { prefetch: number; acks: boolean },
    onBody: OnBody,
  ): Promise<void> {
    await this.#posthorn
      .queue(queue)
      .consume((message) => onBody(message.bytes), acks ? { prefetch } : { noAck: true });
  }

  override async consumeEach(
    queue: string,
    { prefetch }: { prefetch: number },
    onMessage: OnMessage,
  ): Promise<void> {
    const take = async () => {
      for await (const message of this.#posthorn.queue(queue).consume({ prefetch })) {
        onMessage(message.bytes, (outcome) => {
          if (outcome === "ack") message.ack();
          else message.requeue();
        });
      }
    };
    // The loop ends with the connection.
    take().catch(() => {});
  }

  override async subscribe(
    topic: string,
    pattern: string,
    { acks }: { acks: boolean },
    onBody: OnBody,
  ): Promise<void> {
    const queue = await this.#posthorn.queue().declare({ exclusive: true });
    await queue.bind(topic, pattern);
    await queue.consume((message) => onBody(message.bytes), { noAck: !acks });
  }

  override async consumeBound(
    topic: string,
    bindings: readonly TopicBinding[],
    onBody: OnBody,
  ): Promise<void> {
    const names = [...new Set(bindings.map(({ queue }) => queue))];
    for (const name of names) await this.#posthorn.queue(name).declare({ exclusive: true });
    for (let start = 0; start < bindings.length; start += requestsAtOnce) {
      const some = bindings.slice(start, start + requestsAtOnce);
      await Promise.all(some.map(({ queue, pattern }) => this.#posthorn.queue(queue).bind(topic, pattern)));
    }
    for (const name of names) {
      await this.#posthorn.queue(name).consume((message) => onBody(message.bytes), { noAck: true });
    }
  }

  #unconfirmedPublisher(destination: Destination, { persistent }: PublisherOptions): Publisher {
    const { exchange, key } = route(this.#posthorn, destination);
    let last: Promise<unknown> | undefined;
    return new UnconfirmedPublisher(
      (routingKey, body) => {
        last = exchange.publish(key ?? routingKey, body, { persistent, confirm: false });
      },
      () => last,
    );
  }
}

/** The SDK has a window of its own; this one tells when there is room without a promise a message. */
class ConfirmedPublisher implements Publisher {
  readonly #inFlight: InFlight;
  readonly #publish: (routingKey: string, body: Buffer) => Promise<unknown>;
  readonly #confirmed = () => this.#inFlight.remove();
  readonly #refused = (error: unknown) => this.#inFlight.fail(error);

  constructor(posthorn: Posthorn, destination: Destination, { persistent, window }: PublisherOptions) {
    this.#inFlight = new InFlight(window);
    const { exchange, key } = route(posthorn, destination);
    const options = persistent ? undefined : { persistent };
    this.#publish = (routingKey, body) => exchange.publish(key ?? routingKey, body, options);
  }

  get hasRoom(): boolean {
    return this.#inFlight.hasRoom;
  }

  untilRoom(): Promise<void> {
    return this.#inFlight.untilRoom();
  }

  publish(routingKey: string, body: Buffer): void {
    this.#inFlight.add();
    this.#publish(routingKey, body).then(this.#confirmed, this.#refused);
  }

  flush(): Promise<void> {
    return this.#inFlight.untilEmpty();
  }
}

/** Queues are reached by their name through the default exchange, topics by the message's own key. */
function route(posthorn: Posthorn, { to, name }: Destination) {
  if (to === "queue") return { exchange: posthorn.defaultExchange, key: name };
  return { exchange: posthorn.exchange(name), key: to === "fanout" ? "" : undefined };
}

export const posthornDriver: Driver = {
  operations: new Set(["queue", "at-most-once", "fanout", "live", "live-acks", "routing", "settle"]),
  async connect({ url, options }: Address): Promise<BrokerClient> {
    // Each commit of the project is measured with its own SDK.
    const file = pathToFileURL(join(options.root ?? "", "dist", "client", "index.js")).href;
    const { connect } = (await import(file)) as Sdk;
    const posthorn = await connect(url, {
      reconnect: false,
      connectTimeoutMs: 60_000,
      requestTimeoutMs: 120_000,
    });
    posthorn.on("error", (error) => {
      if (posthorn.state === "open") process.stderr.write(`posthorn: ${error}\n`);
    });
    return new PosthornClient(posthorn);
  },
};
