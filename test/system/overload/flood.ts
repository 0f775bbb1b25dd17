import {
  type BinaryFrameReader,
  ByteWriter,
  encodeMessage,
  errorCodeByNumber,
  writePublish,
} from "../../../protocol/index.ts";
import { type ControlFrame, LeanClient } from "./lean-client.ts";

export interface FloodOptions {
  readonly url: string;
  /** Default: the default exchange. */
  readonly exchange?: string;
  /** Of the message with this number. */
  readonly routingKey: (number: number) => string;
  /** Of the message with this number; at least 4, as the number stands in it. */
  readonly bodyBytes: (number: number) => number;
  readonly persistent: boolean;
  /** Most bytes without an outcome. */
  readonly windowBytes: number;
  /** Default: as fast as it goes. */
  readonly perSecond?: number;
  /** It ends by itself after so many. Default: when it is told to. */
  readonly messages?: number;
}

/** The number that a message of a flood has in its body. */
export function floodNumber(body: Uint8Array): number {
  return new DataView(body.buffer, body.byteOffset, body.byteLength).getUint32(0);
}

/** Bytes gathered for one WebSocket message, at least. */
const batchBytes = 128 * 1024;

/** A publisher without manners: it publishes as fast as it may, whatever the broker says of room. */
export class Flood {
  /** Numbers of what was confirmed. */
  readonly confirmed = new Set<number>();
  /** By code, how many were refused. */
  readonly refused = new Map<string, number>();
  /** The codes of `blocked` frames, and `unblocked`, in order. */
  readonly notices: string[] = [];
  published = 0;
  /** Resolves once everything published has an outcome; rejects if the connection is lost before. */
  readonly done: Promise<void>;
  readonly #options: FloodOptions;
  #client!: LeanClient;
  readonly #sizes = new Map<number, number>();
  readonly #waiters: { readonly isMet: () => boolean; readonly resolve: () => void }[] = [];
  #pace: NodeJS.Timeout | undefined;
  #startedAtMs = 0;
  #underWayBytes = 0;
  #isStopping = false;
  #resolve: () => void = () => {};
  #reject: (error: Error) => void = () => {};

  private constructor(options: FloodOptions) {
    this.#options = options;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Who waits for it hears of it.
    this.done.catch(() => {});
  }

  static async start(options: FloodOptions): Promise<Flood> {
    const flood = new Flood(options);
    flood.#client = await LeanClient.open(options.url, {
      onConfirm: (reader) => flood.#settle(reader),
      onBatch: () => flood.#goOn(),
      onControl: (frame) => flood.#hear(frame),
    });
    void flood.#client.closed.then((code) => flood.#lost(code));
    flood.#startedAtMs = performance.now();
    if (options.perSecond !== undefined) flood.#pace = setInterval(() => flood.#fill(), 2);
    flood.#fill();
    return flood;
  }

  /** Resolves when it holds, as of a confirm or a notice. */
  async until(isMet: () => boolean): Promise<void> {
    if (isMet()) return;
    const met = new Promise<void>((resolve) => this.#waiters.push({ isMet, resolve }));
    const lost = this.done.then(() => {
      throw new Error("The flood ended before its time.");
    });
    await Promise.race([met, lost]);
  }

  /** Publishes nothing more; resolves as {@link done}. */
  stop(): Promise<void> {
    this.#isStopping = true;
    this.#endIfDone();
    return this.done;
  }

  close(): void {
    this.#client.end();
  }

  #goOn(): void {
    if (this.#options.perSecond === undefined) this.#fill();
    this.#look();
    this.#endIfDone();
  }

  #fill(): void {
    const { exchange = "", routingKey, bodyBytes, persistent, windowBytes } = this.#options;
    const last = this.#lastDue();
    let writer = new ByteWriter();
    while (!this.#isStopping && this.#underWayBytes < windowBytes && this.published < last) {
      const number = ++this.published;
      const body = new Uint8Array(bodyBytes(number));
      new DataView(body.buffer).setUint32(0, number);
      const message = { exchange, routingKey: routingKey(number), properties: { persistent }, body };
      writePublish(writer, number, 0, encodeMessage(message));
      this.#sizes.set(number, body.length);
      this.#underWayBytes += body.length;
      if (writer.length < batchBytes) continue;
      this.#client.socket.send(writer.written());
      writer = new ByteWriter();
    }
    if (writer.length > 0) this.#client.socket.send(writer.written());
    if (this.published === this.#options.messages) this.#isStopping = true;
  }

  #lastDue(): number {
    const { messages = Number.POSITIVE_INFINITY, perSecond } = this.#options;
    if (perSecond === undefined) return messages;
    return Math.min(messages, Math.ceil(((performance.now() - this.#startedAtMs) * perSecond) / 1000));
  }

  #settle({ first, last, status }: BinaryFrameReader): void {
    for (let number = first; number <= last; number++) {
      this.#underWayBytes -= this.#sizes.get(number)!;
      this.#sizes.delete(number);
      if (status === 0) this.confirmed.add(number);
    }
    if (status === 0) return;
    const code = errorCodeByNumber(status);
    this.refused.set(code, (this.refused.get(code) ?? 0) + last - first + 1);
  }

  #hear({ type, code }: ControlFrame): void {
    if (type === "blocked") this.notices.push(code as string);
    else if (type === "unblocked") this.notices.push(type);
    this.#look();
  }

  #look(): void {
    for (const waiter of this.#waiters.splice(0)) {
      if (waiter.isMet()) waiter.resolve();
      else this.#waiters.push(waiter);
    }
  }

  #endIfDone(): void {
    if (!this.#isStopping || this.#sizes.size > 0) return;
    clearInterval(this.#pace);
    this.#resolve();
  }

  #lost(code: number): void {
    clearInterval(this.#pace);
    this.#reject(new Error(`The flood's connection was closed with ${code}.`));
  }
}
