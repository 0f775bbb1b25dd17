import { readEnvelope } from "../../../protocol/index.ts";
import { floodNumber } from "./flood.ts";
import { type ControlFrame, LeanClient } from "./lean-client.ts";

export interface ReaderOptions {
  readonly url: string;
  readonly exchange: string;
  readonly whenSlow: "pause" | "conflate" | "close";
}

/** A live feed of everything in an exchange, over a socket that can stop reading. */
export class Reader {
  /** Numbers of the flood's messages, in the order in which they came. */
  readonly numbers: number[] = [];
  /** Messages that the broker says it has dropped. */
  dropped = 0;
  queue = "";
  #client!: LeanClient;
  #notify = () => {};

  private constructor() {}

  static async open({ url, exchange, whenSlow }: ReaderOptions): Promise<Reader> {
    const reader = new Reader();
    const client = await LeanClient.open(url, {
      onDeliver: ({ envelope }) => reader.numbers.push(floodNumber(readEnvelope(envelope).body)),
      onControl: (frame) => reader.#hear(frame),
      onBatch: () => reader.#notify(),
    });
    reader.#client = client;
    // Not exclusive, so that others can see when it goes; it does with its consumer.
    const declared = await client.request("queue.declare", { durable: false, autoDelete: true });
    reader.queue = declared.queue as string;
    await client.request("queue.bind", { exchange, routingKey: "#" });
    await client.request("queue.consume", { noAck: true, whenSlow });
    return reader;
  }

  /** Its close code, once its connection has ended. */
  get closed(): Promise<number> {
    return this.#client.closed;
  }

  stopReading(): void {
    this.#client.socket.pause();
  }

  startReading(): void {
    this.#client.socket.resume();
  }

  /** Resolves when that many messages have come or been dropped; rejects if the connection ends before. */
  async until(messages: number): Promise<void> {
    while (this.numbers.length + this.dropped < messages) {
      const batch = new Promise<void>((resolve) => {
        this.#notify = resolve;
      });
      const ended = this.closed.then((code) => {
        throw new Error(`The reader was closed with ${code} after ${this.numbers.length} messages.`);
      });
      await Promise.race([batch, ended]);
    }
  }

  end(): void {
    this.#client.end();
  }

  #hear(frame: ControlFrame): void {
    if (frame.type === "consumer.conflated") this.dropped += frame.dropped as number;
    this.#notify();
  }
}
