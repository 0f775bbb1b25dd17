import {
  AckPolicy,
  DeliverPolicy,
  type JetStreamManager,
  type JsMsg,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
} from "@nats-io/jetstream";
import { createInbox, type Msg, type NatsConnection, wsconnect } from "@nats-io/nats-core";
import { connect } from "@nats-io/transport-node";
import { WebSocket } from "ws";
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

/** Name of the consumer of a stream that is one queue. */
const soleConsumer = "all";
const noLimit = 1_000_000;

/** JetStream for what is durable, core NATS for what is live or at most once. */
class NatsClient extends BrokerClient {
  readonly product: string;
  readonly #nats: NatsConnection;
  #manager: Promise<JetStreamManager> | undefined;

  constructor(nats: NatsConnection, way: string) {
    super();
    this.product = `NATS ${nats.info?.version ?? ""}${way}`;
    this.#nats = nats;
  }

  async close(): Promise<void> {
    await this.#nats.close();
  }

  override async declareQueue(name: string, { durable }: { durable: boolean }): Promise<void> {
    if (!durable) return;
    await this.#addStream(name, RetentionPolicy.Workqueue);
    await this.#addConsumer(name, soleConsumer);
  }

  override async deleteQueue(name: string): Promise<void> {
    const manager = await this.#getManager();
    await manager.streams.delete(name).catch(() => {});
  }

  override async declareFanout(name: string, queueCount: number): Promise<void> {
    await this.#addStream(name, RetentionPolicy.Interest);
    for (let index = 0; index < queueCount; index++)
      await this.#addConsumer(name, consumerOf(fanoutQueue(name, index)));
  }

  override deleteFanout(name: string): Promise<void> {
    return this.deleteQueue(name);
  }

  // A subject needs no declaration.
  override async declareTopic(): Promise<void> {}

  override async deleteTopic(): Promise<void> {}

  async publisher({ to, name }: Destination, options: PublisherOptions): Promise<Publisher> {
    const subject = (routingKey: string) => (to === "topic" ? `${name}.${routingKey}` : name);
    if (options.persistent) return this.#acknowledged(subject, options.window);
    return new UnconfirmedPublisher(
      (routingKey, body) => this.#nats.publish(subject(routingKey), body),
      () => this.#nats.flush(),
    );
  }

  override async consume(
    queue: string,
    { prefetch, acks }: { prefetch: number; acks: boolean },
    onBody: OnBody,
  ): Promise<void> {
    if (!acks) {
      this.#listen(queue, onBody);
      await this.#nats.flush();
      return;
    }
    await this.#pull(queue, prefetch, (message) => {
      onBody(message.data);
      message.ack();
    });
  }

  override consumeEach(
    queue: string,
    { prefetch }: { prefetch: number },
    onMessage: OnMessage,
  ): Promise<void> {
    return this.#pull(queue, prefetch, (message) =>
      onMessage(message.data, (outcome) => {
        if (outcome === "ack") message.ack();
        else message.nak();
      }),
    );
  }

  override async subscribe(
    topic: string,
    pattern: string,
    _options: { acks: boolean },
    onBody: OnBody,
  ): Promise<void> {
    this.#listen(`${topic}.${natsPattern(pattern)}`, onBody);
    await this.#nats.flush();
  }

  override async consumeBound(
    topic: string,
    bindings: readonly TopicBinding[],
    onBody: OnBody,
  ): Promise<void> {
    for (const { pattern } of bindings) this.#listen(`${topic}.${natsPattern(pattern)}`, onBody);
    await this.#nats.flush();
  }

  #listen(subject: string, onBody: OnBody): void {
    this.#nats.subscribe(subject, {
      callback: (error, message) => {
        if (error === null || error === undefined) onBody(message.data);
      },
    });
  }

  async #pull(queue: string, prefetch: number, onMessage: (message: JsMsg) => void): Promise<void> {
    const stream = streamOf(queue);
    const consumer = await jetstream(this.#nats).consumers.get(stream, consumerOf(queue));
    await consumer.consume({ max_messages: prefetch, callback: onMessage });
  }

  /**
   * The client's own publish waits for each answer with a promise and an inbox of its own; this one keeps many in flight
   * with one inbox, which is several times as fast.
   */
  async #acknowledged(subject: (routingKey: string) => string, window: number): Promise<Publisher> {
    const inFlight = new InFlight(window);
    const reply = createInbox();
    this.#nats.subscribe(reply, {
      callback: (error, message) => {
        if (error !== null && error !== undefined) inFlight.fail(error);
        else if (isRefusal(message)) inFlight.fail(new Error(message.string()));
        else inFlight.remove();
      },
    });
    await this.#nats.flush();
    return {
      get hasRoom() {
        return inFlight.hasRoom;
      },
      untilRoom: () => inFlight.untilRoom(),
      publish: (routingKey, body) => {
        inFlight.add();
        this.#nats.publish(subject(routingKey), body, { reply });
      },
      flush: () => inFlight.untilEmpty(),
    };
  }

  async #addStream(name: string, retention: RetentionPolicy): Promise<void> {
    const manager = await this.#getManager();
    await manager.streams.add({ name, subjects: [name], retention, storage: StorageType.File });
  }

  async #addConsumer(stream: string, name: string): Promise<void> {
    const manager = await this.#getManager();
    await manager.consumers.add(stream, {
      durable_name: name,
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      max_ack_pending: noLimit,
    });
  }

  #getManager(): Promise<JetStreamManager> {
    this.#manager ??= jetstreamManager(this.#nats);
    return this.#manager;
  }
}

const braceByte = 0x7b;
const answerStart = '{"stream"';

/** An answer is `{"stream":…}`, a refusal `{"error":…}` or no JSON: the start tells, parsing each would be slow. */
function isRefusal({ data }: Msg): boolean {
  return data[0] !== braceByte || data[2] !== answerStart.charCodeAt(2);
}

function streamOf(queue: string): string {
  return queue.split("@")[0]!;
}

function consumerOf(queue: string): string {
  const index = queue.split("@")[1];
  return index === undefined ? soleConsumer : `queue-${index}`;
}

/** `#` only ever stands at the end here: it is NATS's `>`, which wants at least one word. */
function natsPattern(pattern: string): string {
  return pattern.replaceAll("#", ">");
}

export const natsDriver: Driver = {
  operations: new Set(["queue", "at-most-once", "fanout", "live", "routing", "settle"]),
  async connect({ url }: Address): Promise<BrokerClient> {
    if (!url.startsWith("ws:")) return new NatsClient(await connect({ servers: url }), "");
    // Before Node 22 there is no global WebSocket, which is where the client looks for it.
    const scope = globalThis as { WebSocket?: unknown };
    scope.WebSocket ??= WebSocket;
    return new NatsClient(await wsconnect({ servers: url }), " over WebSocket");
  },
};
