import { once } from "node:events";
import { WebSocket } from "ws";
import {
  type Address,
  BrokerClient,
  type Destination,
  type Driver,
  type OnBody,
  type Publisher,
} from "./driver.ts";
import { UnconfirmedPublisher } from "./unconfirmed-publisher.ts";

/** The socket is not filled further. */
const maxBufferedBytes = 2 ** 20;

class RawWsClient extends BrokerClient {
  readonly product = "raw ws hub";
  readonly #url: string;
  #socket: WebSocket | undefined;

  constructor(url: string) {
    super();
    this.#url = url;
  }

  async close(): Promise<void> {
    this.#socket?.terminate();
  }

  override async declareTopic(): Promise<void> {}

  override async deleteTopic(): Promise<void> {}

  override async declareQueue(): Promise<void> {}

  override async deleteQueue(): Promise<void> {}

  async publisher({ name }: Destination): Promise<Publisher> {
    const socket = await this.#open(`/${name}?publish`);
    return new UnconfirmedPublisher(
      (_routingKey, body) => socket.send(body),
      () => untilSent(socket),
    );
  }

  override async consume(queue: string, _options: unknown, onBody: OnBody): Promise<void> {
    const socket = await this.#open(`/${queue}`);
    socket.on("message", (message) => onBody(message as Buffer));
  }

  override subscribe(topic: string, _pattern: string, options: unknown, onBody: OnBody): Promise<void> {
    return this.consume(topic, options, onBody);
  }

  async #open(path: string): Promise<WebSocket> {
    this.#socket = new WebSocket(`${this.#url}${path}`, { perMessageDeflate: false });
    await once(this.#socket, "open");
    return this.#socket;
  }
}

async function untilSent(socket: WebSocket): Promise<void> {
  while (socket.bufferedAmount > maxBufferedBytes) await new Promise((resolve) => setTimeout(resolve, 1));
}

export const rawWsDriver: Driver = {
  operations: new Set(["at-most-once", "live"]),
  async connect({ url }: Address): Promise<BrokerClient> {
    return new RawWsClient(url);
  },
};
