import type { WebSocketConstructor } from "../../client/websocket.ts";
import { decodeMessageFrames, writeMessageFrame } from "../../protocol/binary-codec.ts";
import { ByteWriter } from "../../protocol/byte-writer.ts";
import type {
  ClientControlFrame,
  DeliverFrame,
  MessageFrame,
  PublishFrame,
  ServerControlFrame,
  SettleFrame,
} from "../../protocol/frames.ts";
import type { Message } from "../../protocol/message.ts";
import { subprotocol } from "../../protocol/version.ts";

export type ClientFrame = ClientControlFrame | PublishFrame | SettleFrame;
type FrameOf<T extends ClientFrame["type"]> = Extract<ClientFrame, { readonly type: T }>;

const encoder = new TextEncoder();

export const limits = {
  maxMessageBytes: 16 * 1024 * 1024,
  maxHeaderBytes: 64 * 1024,
  maxFrameBytes: 32 * 1024 * 1024,
  maxPrefetch: 10_000,
  defaultPrefetch: 100,
  maxConsumers: 100,
};

/** A broker whose lines are spoken by the test. Clients reach it through `webSocket`, in memory. */
export class FakeServer {
  readonly webSocket: WebSocketConstructor;
  /** While true, connections are refused. */
  down = false;
  /** How many connections were asked for. */
  attempts = 0;
  readonly #accepted: FakeConnection[] = [];
  readonly #waiters: ((connection: FakeConnection) => void)[] = [];

  constructor() {
    const server = this;
    this.webSocket = class extends FakeWebSocket {
      constructor(_url: string, protocols: string[]) {
        super(protocols[0] ?? "", server.#connect());
      }
    };
  }

  /** The next connection, before anything was said. */
  accept(): Promise<FakeConnection> {
    const connection = this.#accepted.shift();
    if (connection !== undefined) return Promise.resolve(connection);
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** The next connection, after its `hello` was answered. */
  async welcome(heartbeatMs = 0, overrides: Partial<typeof limits> = {}): Promise<FakeConnection> {
    const connection = await this.accept();
    await connection.welcome(heartbeatMs, overrides);
    return connection;
  }

  #connect(): FakeConnection | undefined {
    this.attempts++;
    if (this.down) return undefined;
    const connection = new FakeConnection();
    const waiter = this.#waiters.shift();
    if (waiter === undefined) this.#accepted.push(connection);
    else waiter(connection);
    return connection;
  }
}

/** The broker's end of a connection. */
export class FakeConnection {
  /** How the client closed the WebSocket. */
  closedByClient: { readonly code: number } | undefined;
  /** Frames that came in each WebSocket message. */
  readonly messages: ClientFrame[][] = [];
  socket: FakeWebSocket | undefined;
  readonly #frames: ClientFrame[] = [];
  #waiter: ((frame: ClientFrame) => void) | undefined;

  received(data: string | Uint8Array): void {
    const frames =
      typeof data === "string"
        ? [JSON.parse(data) as ClientFrame]
        : (decodeMessageFrames(data.slice()) as ClientFrame[]);
    this.messages.push(frames);
    this.#frames.push(...frames);
    this.#serve();
  }

  /** Frames that were not looked at yet. */
  get unread(): readonly ClientFrame[] {
    return this.#frames;
  }

  /** The next frame from the client. */
  next(): Promise<ClientFrame> {
    return new Promise((resolve) => {
      this.#waiter = resolve;
      this.#serve();
    });
  }

  /** The next frame, which must be of this type. */
  async expect<T extends ClientFrame["type"]>(type: T): Promise<FrameOf<T>> {
    const frame = await this.next();
    if (frame.type !== type) throw new Error(`Expected ${type}, got ${JSON.stringify(frame)}`);
    return frame as FrameOf<T>;
  }

  /** The next `count` publishes. */
  async publishes(count: number): Promise<PublishFrame[]> {
    const frames: PublishFrame[] = [];
    while (frames.length < count) frames.push(await this.expect("publish"));
    return frames;
  }

  async welcome(heartbeatMs = 0, overrides: Partial<typeof limits> = {}): Promise<FrameOf<"hello">> {
    const hello = await this.expect("hello");
    this.control({
      type: "welcome",
      id: hello.id,
      protocol: 1,
      session: "s",
      resumeWindowMs: 0,
      user: "anonymous",
      encoding: "binary",
      heartbeatMs,
      limits: { ...limits, ...overrides },
      server: { product: "fake", version: "0" },
    });
    return hello;
  }

  /** Answers the next request, which must be of this type, with `ok`. */
  async answer<T extends ClientFrame["type"]>(
    type: T,
    reply: { readonly [field: string]: unknown } = {},
  ): Promise<FrameOf<T>> {
    const frame = await this.expect(type);
    this.control({ type: "ok", id: (frame as { id: number }).id, ...reply });
    return frame;
  }

  /** Answers the next `queue.consume`. */
  consumer(consumer: number, prefetch = 100): Promise<FrameOf<"queue.consume">> {
    return this.answer("queue.consume", { consumer, consumerTag: `tag-${consumer}`, prefetch });
  }

  control(frame: ServerControlFrame): void {
    this.raw(JSON.stringify(frame));
  }

  /** Sends message frames, all in one WebSocket message. */
  binary(...frames: MessageFrame[]): void {
    const writer = new ByteWriter();
    for (const frame of frames) writeMessageFrame(writer, frame);
    this.raw(writer.take());
  }

  deliver(consumer: number, delivery: number, body: string, rest: Partial<DeliverFrame> = {}): void {
    this.binary(deliverFrame(consumer, delivery, body, rest));
  }

  confirm(first: number, last = first): void {
    this.binary({ type: "confirm", first, last, error: undefined });
  }

  raw(data: string | Uint8Array): void {
    const { socket } = this;
    setImmediate(() => {
      if (socket?.readyState !== 1) return;
      const bytes = typeof data === "string" ? data : data.slice().buffer;
      socket.onmessage?.({ data: bytes });
    });
  }

  close(code: number, reason = ""): void {
    const { socket } = this;
    setImmediate(() => socket?.ended(code, reason));
  }

  /** The connection breaks without a word. */
  drop(): void {
    this.close(1006);
  }

  #serve(): void {
    const waiter = this.#waiter;
    if (waiter === undefined || this.#frames.length === 0) return;
    this.#waiter = undefined;
    waiter(this.#frames.shift() as ClientFrame);
  }
}

export function message(body: string, rest: Partial<Message> = {}): Message {
  return {
    exchange: "orders",
    routingKey: "order.placed",
    properties: { persistent: true, contentType: "text/plain" },
    body: encoder.encode(body),
    ...rest,
  };
}

export function deliverFrame(
  consumer: number,
  delivery: number,
  body: string,
  rest: Partial<DeliverFrame> = {},
): DeliverFrame {
  return {
    type: "deliver",
    consumer,
    delivery: delivery === 0 ? undefined : delivery,
    redelivered: false,
    attempts: undefined,
    message: message(body),
    ...rest,
  };
}

/** The client's end: the part of the W3C interface that the SDK uses. */
class FakeWebSocket {
  binaryType = "blob";
  bufferedAmount = 0;
  readonly protocol: string;
  readyState = 0;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: ((event: object) => void) | null = null;
  readonly #connection: FakeConnection | undefined;

  constructor(protocol: string, connection: FakeConnection | undefined) {
    this.protocol = protocol === subprotocol ? protocol : "";
    this.#connection = connection;
    if (connection !== undefined) connection.socket = this;
    setImmediate(() => {
      if (this.readyState !== 0) return;
      if (connection === undefined) {
        this.onerror?.({});
        this.ended(1006, "");
        return;
      }
      this.readyState = 1;
      this.onopen?.();
    });
  }

  send(data: string | Uint8Array): void {
    if (this.readyState === 0) throw new Error("The WebSocket is not open yet.");
    if (this.readyState === 1) this.#connection?.received(data);
  }

  close(code = 1005, reason = ""): void {
    if (this.readyState >= 2) return;
    if (this.#connection !== undefined) this.#connection.closedByClient = { code };
    this.ended(code, reason);
  }

  ended(code: number, reason: string): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }
}
