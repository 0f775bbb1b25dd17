import { type Channel, type ChannelModel, type ConsumeMessage, connect, type Options } from "amqplib";
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

/** Acks are sent for so many messages at once, and at the end of each tick. */
const messagesPerAck = 100;
/** Prefetch of subscribers that ack. */
const subscriberPrefetch = 100;

class AmqpClient extends BrokerClient {
  readonly product: string;
  readonly #connection: ChannelModel;
  readonly #channel: Channel;
  readonly #queueArguments: Options.AssertQueue["arguments"];
  /** One for all consumers: `multiple` goes by the channel. */
  readonly #acks: BatchedAcks;

  constructor(connection: ChannelModel, channel: Channel, queueType: string) {
    super();
    const { product, version } = connection.connection.serverProperties;
    this.product = `${product} ${version}`;
    this.#connection = connection;
    this.#channel = channel;
    this.#acks = new BatchedAcks(channel);
    this.#queueArguments = { "x-queue-type": queueType };
  }

  async close(): Promise<void> {
    await this.#connection.close().catch(() => {});
  }

  override async declareQueue(name: string, { durable }: { durable: boolean }): Promise<void> {
    await this.#channel.assertQueue(name, { durable, ...(durable && { arguments: this.#queueArguments }) });
  }

  override async deleteQueue(name: string): Promise<void> {
    await this.#channel.deleteQueue(name);
  }

  override async declareFanout(name: string, queueCount: number): Promise<void> {
    await this.#channel.assertExchange(name, "fanout");
    for (let index = 0; index < queueCount; index++) {
      await this.declareQueue(fanoutQueue(name, index), { durable: true });
      await this.#channel.bindQueue(fanoutQueue(name, index), name, "");
    }
  }

  override async deleteFanout(name: string, queueCount: number): Promise<void> {
    await this.#channel.deleteExchange(name);
    for (let index = 0; index < queueCount; index++) await this.deleteQueue(fanoutQueue(name, index));
  }

  override async declareTopic(name: string): Promise<void> {
    await this.#channel.assertExchange(name, "topic");
  }

  override async deleteTopic(name: string): Promise<void> {
    await this.#channel.deleteExchange(name);
  }

  async publisher({ to, name }: Destination, options: PublisherOptions): Promise<Publisher> {
    const exchange = to === "queue" ? "" : name;
    const keyFor = (routingKey: string) => (to === "queue" ? name : to === "fanout" ? "" : routingKey);
    return options.confirm ? this.#confirmed(exchange, keyFor, options) : this.#unconfirmed(exchange, keyFor);
  }

  override async consume(
    queue: string,
    { prefetch, acks }: { prefetch: number; acks: boolean },
    onBody: OnBody,
  ): Promise<void> {
    if (acks) await this.#channel.prefetch(prefetch);
    await this.#channel.consume(
      queue,
      (message) => {
        if (message === null) return;
        onBody(message.content);
        if (acks) this.#acks.add(message);
      },
      { noAck: !acks },
    );
  }

  override async consumeEach(
    queue: string,
    { prefetch }: { prefetch: number },
    onMessage: OnMessage,
  ): Promise<void> {
    await this.#channel.prefetch(prefetch);
    await this.#channel.consume(queue, (message) => {
      if (message === null) return;
      onMessage(message.content, (outcome) => {
        if (outcome === "ack") this.#channel.ack(message);
        else this.#channel.nack(message, false, true);
      });
    });
  }

  override async subscribe(
    topic: string,
    pattern: string,
    { acks }: { acks: boolean },
    onBody: OnBody,
  ): Promise<void> {
    const { queue } = await this.#channel.assertQueue("", { exclusive: true, durable: false });
    await this.#channel.bindQueue(queue, topic, pattern);
    await this.consume(queue, { prefetch: subscriberPrefetch, acks }, onBody);
  }

  override async consumeBound(
    topic: string,
    bindings: readonly TopicBinding[],
    onBody: OnBody,
  ): Promise<void> {
    const names = [...new Set(bindings.map(({ queue }) => queue))];
    for (const name of names) await this.#channel.assertQueue(name, { exclusive: true, durable: false });
    await Promise.all(bindings.map(({ queue, pattern }) => this.#channel.bindQueue(queue, topic, pattern)));
    for (const name of names) await this.consume(name, { prefetch: 0, acks: false }, onBody);
  }

  async #confirmed(
    exchange: string,
    keyFor: (routingKey: string) => string,
    { persistent, window }: PublisherOptions,
  ): Promise<Publisher> {
    const channel = await this.#connection.createConfirmChannel();
    const inFlight = new InFlight(window);
    channel.on("error", (error) => inFlight.fail(error));
    const confirmed = (error: unknown) => {
      if (error === null || error === undefined) inFlight.remove();
      else inFlight.fail(error);
    };
    return {
      get hasRoom() {
        return inFlight.hasRoom;
      },
      untilRoom: () => inFlight.untilRoom(),
      publish(routingKey, body) {
        inFlight.add();
        channel.publish(exchange, keyFor(routingKey), body, { persistent }, confirmed);
      },
      flush: () => inFlight.untilEmpty(),
    };
  }

  #unconfirmed(exchange: string, keyFor: (routingKey: string) => string): Publisher {
    const channel = this.#channel;
    let drained: Promise<void> | undefined;
    return new UnconfirmedPublisher(
      (routingKey, body) => {
        const hasRoom = channel.publish(exchange, keyFor(routingKey), body, { persistent: false });
        if (hasRoom || drained !== undefined) return;
        drained = new Promise((resolve) => {
          channel.once("drain", () => {
            drained = undefined;
            resolve();
          });
        });
      },
      () => drained,
    );
  }
}

/** One `basic.ack` with `multiple` for a hundred messages, or for those of one tick. */
class BatchedAcks {
  readonly #channel: Channel;
  /** The last one that is not acked yet. */
  #last: ConsumeMessage | undefined;
  #count = 0;
  #scheduled = false;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  add(message: ConsumeMessage): void {
    this.#last = message;
    if (++this.#count >= messagesPerAck) this.#send();
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#send();
    });
  }

  #send(): void {
    if (this.#last !== undefined) this.#channel.ack(this.#last, true);
    this.#last = undefined;
    this.#count = 0;
  }
}

export const amqpDriver: Driver = {
  operations: new Set(["queue", "at-most-once", "fanout", "live", "live-acks", "routing", "settle"]),
  async connect({ url, options }: Address): Promise<BrokerClient> {
    const connection = await connect(url, { noDelay: true });
    connection.on("error", (error) => process.stderr.write(`amqp: ${error}\n`));
    const channel = await connection.createChannel();
    // What closes a channel also rejects the operation that caused it.
    channel.on("error", () => {});
    return new AmqpClient(connection, channel, options.queue ?? "classic");
  },
};
