import { once } from "node:events";
import { WebSocket } from "ws";
import { BinaryFrameReader, ByteWriter, subprotocol, writeSettle } from "../../../protocol/index.ts";

export type ControlFrame = { readonly type: string } & { readonly [field: string]: unknown };

/** What a lean client is for. Binary frames are read one after the other; the reader holds the fields of one. */
export interface LeanHandlers {
  readonly onDeliver?: (reader: BinaryFrameReader) => void;
  readonly onConfirm?: (reader: BinaryFrameReader) => void;
  readonly onControl?: (frame: ControlFrame) => void;
  /** All frames of one WebSocket message have been read. */
  readonly onBatch?: () => void;
}

/** A client in binary without the SDK: does as little as possible for each message, and what it likes with its socket. */
export class LeanClient {
  readonly socket: WebSocket;
  /** The close code, once it has ended. */
  readonly closed: Promise<number>;
  readonly #handlers: LeanHandlers;
  readonly #reader = new BinaryFrameReader();
  readonly #answers = new Map<number, (frame: ControlFrame) => void>();
  #lastId = 0;

  private constructor(socket: WebSocket, handlers: LeanHandlers) {
    this.socket = socket;
    this.#handlers = handlers;
    socket.on("error", () => {});
    this.closed = new Promise((resolve) => socket.on("close", resolve));
    socket.on("message", (data, isBinary) => {
      if (isBinary) this.#read(data as Buffer);
      else this.#hear(JSON.parse((data as Buffer).toString()) as ControlFrame);
    });
  }

  static async open(url: string, handlers: LeanHandlers = {}): Promise<LeanClient> {
    const socket = new WebSocket(url, subprotocol, { perMessageDeflate: false });
    await once(socket, "open");
    const client = new LeanClient(socket, handlers);
    await client.request("hello", { protocol: 1, encoding: "binary", heartbeatMs: 0 });
    return client;
  }

  send(frame: object): void {
    this.socket.send(JSON.stringify(frame));
  }

  /** Resolves to the answer. */
  async request(type: string, fields: { readonly [field: string]: unknown } = {}): Promise<ControlFrame> {
    const id = ++this.#lastId;
    const answered = new Promise<ControlFrame>((resolve) => this.#answers.set(id, resolve));
    this.send({ type, id, ...fields });
    const lost = this.closed.then((code) => {
      throw new Error(`The connection was closed with ${code} before ${type} was answered.`);
    });
    const answer = await Promise.race([answered, lost]);
    if (answer.type === "error") throw new Error(`${type}: ${answer.message}`);
    return answer;
  }

  settle(consumer: number, first: number, last: number, outcome: "ack" | "requeue"): void {
    const writer = new ByteWriter(64);
    writeSettle(writer, consumer, first, last, outcome);
    this.socket.send(writer.written());
  }

  /** Cuts the connection. */
  end(): void {
    this.socket.terminate();
  }

  #read(bytes: Buffer): void {
    this.#reader.start(bytes);
    for (let type = this.#reader.next(); type !== undefined; type = this.#reader.next()) {
      if (type === "deliver") this.#handlers.onDeliver?.(this.#reader);
      else if (type === "confirm") this.#handlers.onConfirm?.(this.#reader);
    }
    this.#handlers.onBatch?.();
  }

  #hear(frame: ControlFrame): void {
    const answered = this.#answers.get(frame.id as number);
    if (answered === undefined) this.#handlers.onControl?.(frame);
    else {
      this.#answers.delete(frame.id as number);
      answered(frame);
    }
  }
}
