import { isDeepStrictEqual } from "node:util";
import { type ClientOptions, type RawData, WebSocket } from "ws";
import { decodeMessageFrames, messageFrameToJson, subprotocol } from "../../protocol/index.ts";

/** A frame as it came, message frames in binary too: those are shown in JSON. */
export type Frame = { readonly type: string } & { readonly [field: string]: unknown };

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

export interface RawClientOptions extends ClientOptions {
  /** Default `posthorn.v1`. */
  readonly protocols?: readonly string[];
}

/** All fields that are given must be equal; others may be there. */
export type Expected = { readonly [field: string]: unknown } | ((frame: Frame) => boolean);

interface Waiter {
  readonly expected: Expected;
  readonly resolve: (frame: Frame) => void;
  readonly reject: (error: Error) => void;
}

/** How long a test waits for a frame before it fails and says what came instead. */
const patienceMs = 8000;

/** A client without the SDK, for what goes over the wire and in which order. */
export class RawClient {
  /** Everything that came, in order. */
  readonly received: Frame[] = [];
  readonly closed: Promise<Closed>;
  readonly webSocket: WebSocket;
  readonly #unseen: Frame[] = [];
  readonly #waiters = new Set<Waiter>();
  #lastId = 0;
  #lastPublish = 0;
  #end: Closed | undefined;

  private constructor(webSocket: WebSocket) {
    this.webSocket = webSocket;
    webSocket.on("message", (data: RawData, isBinary: boolean) => this.#receive(data as Buffer, isBinary));
    webSocket.on("error", () => {});
    this.closed = new Promise((resolve) => {
      webSocket.on("close", (code, reason) => {
        this.#end = { code, reason: reason.toString() };
        for (const waiter of this.#waiters) this.#giveUp(waiter, "The connection closed");
        resolve(this.#end);
      });
    });
  }

  /** Connects. Rejects with the HTTP status as `status` if the server refuses. */
  static async connect(
    url: string,
    { protocols = [subprotocol], ...options }: RawClientOptions = {},
  ): Promise<RawClient> {
    const webSocket = new WebSocket(url, [...protocols], { perMessageDeflate: false, ...options });
    const client = new RawClient(webSocket);
    await new Promise<void>((resolve, reject) => {
      webSocket.once("open", resolve);
      webSocket.once("error", reject);
      webSocket.once("unexpected-response", (_request, response) => {
        response.resume();
        reject(
          Object.assign(new Error(`Refused with ${response.statusCode}.`), { status: response.statusCode }),
        );
      });
    });
    return client;
  }

  /** Opens the session. Resolves to the `welcome`, or the first `error`. */
  async hello(fields: { readonly [field: string]: unknown } = {}): Promise<Frame> {
    const id = ++this.#lastId;
    this.send({ type: "hello", id, protocol: 1, ...fields });
    return this.next(({ type }) => type === "welcome" || type === "error");
  }

  send(frame: { readonly [field: string]: unknown }): void {
    this.sendText(JSON.stringify(frame));
  }

  sendText(text: string): void {
    this.webSocket.send(text);
  }

  sendBinary(bytes: Uint8Array): void {
    this.webSocket.send(bytes, { binary: true });
  }

  /** Sends a request without waiting; returns its id. */
  ask(type: string, fields: { readonly [field: string]: unknown } = {}): number {
    const id = ++this.#lastId;
    this.send({ type, id, ...fields });
    return id;
  }

  /** The answer to a request: `ok` or `error`. */
  answer(id: number): Promise<Frame> {
    return this.next((frame) => (frame.type === "ok" || frame.type === "error") && frame.id === id);
  }

  /** Sends a request and waits for its answer, `ok` or `error`. */
  request(type: string, fields: { readonly [field: string]: unknown } = {}): Promise<Frame> {
    return this.answer(this.ask(type, fields));
  }

  /** As `request`; an `error` fails the test. */
  async must(type: string, fields: { readonly [field: string]: unknown } = {}): Promise<Frame> {
    const answer = await this.request(type, fields);
    if (answer.type === "error") throw new Error(`${type} was refused: ${JSON.stringify(answer)}`);
    return answer;
  }

  /** Publishes text under the next number, which it returns. */
  publish(fields: { readonly [field: string]: unknown }): number {
    const number = ++this.#lastPublish;
    this.send({ type: "publish", number, exchange: "", text: "", ...fields });
    return number;
  }

  /** What became of a publish: the `confirm` that its number is in. */
  fate(number: number): Promise<Frame> {
    return this.next(
      (frame) =>
        frame.type === "confirm" && (frame.first as number) <= number && number <= (frame.last as number),
      { keep: true },
    );
  }

  /** Publishes and waits for its `confirm`. */
  confirmed(fields: { readonly [field: string]: unknown }): Promise<Frame> {
    return this.fate(this.publish(fields));
  }

  settle(consumer: number, first: number, last: number, outcome: string): void {
    this.send({ type: "settle", consumer, first, last, outcome });
  }

  /** Waits until everything sent so far has been handled, with all that follows from it at once. */
  async barrier(): Promise<void> {
    // Cancelling what does not exist is answered and does nothing. Twice: deliveries go out at the end of a turn.
    for (let turn = 0; turn < 2; turn++)
      await this.must("consumer.cancel", { consumer: Number.MAX_SAFE_INTEGER });
  }

  /** The first frame that came, or comes, and was not asked for before. `keep`: others may ask for it too. */
  next(expected: Expected, { keep = false } = {}): Promise<Frame> {
    const at = this.#unseen.findIndex((frame) => fits(frame, expected));
    if (at >= 0) return Promise.resolve(keep ? this.#unseen[at]! : this.#unseen.splice(at, 1)[0]!);
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        expected,
        resolve: (frame) => {
          clearTimeout(timer);
          if (keep) this.#unseen.push(frame);
          resolve(frame);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
      const timer = setTimeout(() => this.#giveUp(waiter, "It did not come"), patienceMs);
      if (this.#end === undefined) this.#waiters.add(waiter);
      else this.#giveUp(waiter, "The connection has closed");
    });
  }

  /** The next `count` deliveries of a consumer. */
  async deliveries(consumer: number, count: number): Promise<Frame[]> {
    const frames: Frame[] = [];
    while (frames.length < count) frames.push(await this.next({ type: "deliver", consumer }));
    return frames;
  }

  /** All frames of a type that came so far. */
  of(type: string): Frame[] {
    return this.received.filter((frame) => frame.type === type);
  }

  /** Stops reading: the broker's bytes pile up. */
  pause(): void {
    this.webSocket.pause();
  }

  resume(): void {
    this.webSocket.resume();
  }

  /** Closes in order and waits for the end. */
  async close(): Promise<Closed> {
    this.webSocket.close(1000);
    return this.closed;
  }

  /** Cuts the connection. */
  terminate(): void {
    this.webSocket.terminate();
  }

  #receive(data: Buffer, isBinary: boolean): void {
    const frames = isBinary
      ? decodeMessageFrames(data).map(messageFrameToJson)
      : [JSON.parse(data.toString("utf8")) as Frame];
    for (const frame of frames) {
      this.received.push(frame);
      const waiter = [...this.#waiters].find(({ expected }) => fits(frame, expected));
      if (waiter === undefined) this.#unseen.push(frame);
      else {
        this.#waiters.delete(waiter);
        waiter.resolve(frame);
      }
    }
  }

  #giveUp(waiter: Waiter, why: string): void {
    this.#waiters.delete(waiter);
    const { expected } = waiter;
    const wanted = typeof expected === "function" ? String(expected) : JSON.stringify(expected);
    const last = this.received.slice(-10).map((frame) => JSON.stringify(frame).slice(0, 300));
    const end = this.#end === undefined ? "" : ` (${this.#end.code} ${this.#end.reason})`;
    waiter.reject(new Error(`${why}${end}: ${wanted}. The last frames were:\n${last.join("\n")}`));
  }
}

function fits(frame: Frame, expected: Expected): boolean {
  if (typeof expected === "function") return expected(frame);
  return Object.entries(expected).every(([name, value]) => isDeepStrictEqual(frame[name], value));
}
