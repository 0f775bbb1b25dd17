import { Client, type IMessage } from "@stomp/stompjs";
import { WebSocket } from "ws";
import {
  type Address,
  BrokerClient,
  type Destination,
  type Driver,
  type OnBody,
  type Publisher,
  type PublisherOptions,
} from "./driver.ts";
import { InFlight } from "./in-flight.ts";
import { UnconfirmedPublisher } from "./unconfirmed-publisher.ts";

const connectTimeoutMs = 60_000;
const messagesPerAck = 100;
/** STOMP cannot delete a queue: it goes by itself when it has not been used for so long. */
const queueExpiresMs = "60000";
const queueHeaders = { durable: "true", "auto-delete": "false", "x-expires": queueExpiresMs };
const subscriberPrefetch = "100";

/** RabbitMQ's STOMP over WebSocket. Confirms are receipts. */
class StompClient extends BrokerClient {
  readonly product: string;
  readonly #client: Client;

  constructor(client: Client, server: string) {
    super();
    this.product = `${server} Web-STOMP`;
    this.#client = client;
  }

  async close(): Promise<void> {
    await this.#client.deactivate({ force: true });
  }

  // It is declared by whoever uses it first.
  override async declareQueue(): Promise<void> {}

  override async deleteQueue(): Promise<void> {}

  override async declareTopic(): Promise<void> {}

  override async deleteTopic(): Promise<void> {}

  async publisher(destination: Destination, options: PublisherOptions): Promise<Publisher> {
    const { name } = destination;
    if (!options.persistent) return this.#unconfirmed(`/topic/${name}.bench`);
    return this.#receipted(`/queue/${name}`, { ...queueHeaders, persistent: "true" }, options.window);
  }

  override async consume(
    queue: string,
    { prefetch, acks }: { prefetch: number; acks: boolean },
    onBody: OnBody,
  ): Promise<void> {
    // A queue that is not durable would be exclusive, and nobody else could send to it.
    if (!acks) return this.subscribe(queue, "#", { acks }, onBody);
    const headers = { ...queueHeaders, "prefetch-count": String(prefetch) };
    await this.#subscribe(`/queue/${queue}`, headers, acks, onBody);
  }

  override async subscribe(
    topic: string,
    pattern: string,
    { acks }: { acks: boolean },
    onBody: OnBody,
  ): Promise<void> {
    const headers = { "prefetch-count": subscriberPrefetch };
    await this.#subscribe(`/topic/${topic}.${pattern}`, headers, acks, onBody);
  }

  async #subscribe(
    destination: string,
    headers: Record<string, string>,
    acks: boolean,
    onBody: OnBody,
  ): Promise<void> {
    let unacked = 0;
    let last: IMessage | undefined;
    const acknowledge = () => {
      if (unacked > 0) last?.ack();
      unacked = 0;
    };
    const receipt = `subscribed-${destination}`;
    const subscribed = new Promise<void>((resolve) => {
      this.#client.watchForReceipt(receipt, () => resolve());
    });
    this.#client.subscribe(
      destination,
      (message) => {
        onBody(message.binaryBody);
        if (!acks) return;
        last = message;
        if (unacked++ === 0) setImmediate(acknowledge);
        if (unacked >= messagesPerAck) acknowledge();
      },
      // `client` acks everything up to a message.
      { ...headers, ack: acks ? "client" : "auto", receipt },
    );
    await subscribed;
  }

  #receipted(destination: string, headers: Record<string, string>, window: number): Publisher {
    const inFlight = new InFlight(window);
    let next = 1;
    this.#client.onStompError = (frame) => inFlight.fail(new Error(frame.headers.message));
    // A callback for each receipt would have to be looked up; none is expected but these.
    this.#client.onUnhandledReceipt = () => inFlight.remove();
    return {
      get hasRoom() {
        return inFlight.hasRoom;
      },
      untilRoom: () => inFlight.untilRoom(),
      publish: (_routingKey, body) => {
        inFlight.add();
        this.#client.publish({
          destination,
          headers: { ...headers, receipt: String(next++) },
          binaryBody: body,
        });
      },
      flush: () => inFlight.untilEmpty(),
    };
  }

  #unconfirmed(destination: string): Publisher {
    return new UnconfirmedPublisher(
      (_routingKey, body) => this.#client.publish({ destination, binaryBody: body }),
      () => undefined,
    );
  }
}

export const stompDriver: Driver = {
  operations: new Set(["queue", "at-most-once", "live", "live-acks"]),
  async connect({ url }: Address): Promise<BrokerClient> {
    const { username, password, href } = new URL(url);
    const client = new Client({
      webSocketFactory: () => new WebSocket(href, ["v12.stomp"], { perMessageDeflate: false }),
      connectHeaders: { login: username || "guest", passcode: password || "guest" },
      reconnectDelay: 0,
      heartbeatIncoming: 0,
      heartbeatOutgoing: 0,
      connectionTimeout: connectTimeoutMs,
    });
    const server = await new Promise<string>((resolve, reject) => {
      // `RabbitMQ/3.10.8`
      client.onConnect = ({ headers }) => resolve((headers.server ?? "STOMP").replace("/", " "));
      client.onStompError = (frame) => reject(new Error(frame.headers.message));
      client.onWebSocketClose = () => reject(new Error("The WebSocket was closed."));
      client.activate();
    });
    return new StompClient(client, server);
  },
};
