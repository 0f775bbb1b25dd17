import { BinaryFrameReader, deliverFlags } from "../protocol/binary-frames.ts";
import type { SettleDetail } from "../protocol/delivery-history.ts";
import { errorCatalogue, mayReconnect, PosthornError } from "../protocol/errors.ts";
import type {
  BlockedFrame,
  ErrorFrame,
  GoawayFrame,
  Outcome,
  Reply,
  RequestFrame,
  RequestType,
  ServerControlFrame,
} from "../protocol/frames.ts";
import { protocolVersion, subprotocol } from "../protocol/version.ts";
import { onAbort, throwIfAborted } from "./abort.ts";
import { Heartbeats } from "./heartbeats.ts";
import { ReceivedMessage } from "./message.ts";
import type { Settings } from "./options.ts";
import { Outbox } from "./outbox.ts";
import { type AnswerFields, Requests } from "./requests.ts";
import type { Runtime } from "./runtime.ts";
import { Transport } from "./transport.ts";
import type { WebSocketConstructor } from "./websocket.ts";
import { closeError, numberedError, wireError } from "./wire-error.ts";

/** How a session ended. */
export interface SessionEnd {
  readonly error: PosthornError;
  /** Whether it makes sense to connect again. */
  readonly mayReconnect: boolean;
  /** How long the broker wants to be left alone first. */
  readonly retryAfterMs: number;
}

/** Who gets the deliveries of a consumer. */
export interface DeliveryTarget {
  deliver(message: ReceivedMessage): void;
  /** Its queue has a single active consumer, and that is this one, or no longer. */
  activeChanged(active: boolean): void;
  /** Deliveries that were not settled in time. */
  expired(first: number, last: number): void;
  /** The broker has dropped so many messages in favour of newer ones. */
  conflated(dropped: number): void;
  cancelledByBroker(error: PosthornError): void;
}

/** Who hears what is not an answer or a delivery. */
export interface SessionHost {
  confirmed(first: number, last: number, error: PosthornError | undefined): void;
  returned(number: number, code: number, text: string, envelope: Uint8Array): void;
  /** About a frame without an id, such as a settlement. */
  complained(error: PosthornError): void;
  goaway(frame: GoawayFrame): void;
  blocked(frame: BlockedFrame): void;
  unblocked(): void;
  ended(session: Session, end: SessionEnd): void;
}

/** The fields of a request, without type and id. */
export type RequestContent<T extends RequestType> = Omit<RequestFrame<T>, "type" | "id">;

export interface RequestControl<T extends RequestType> {
  /** Of the runtime's clock. */
  readonly deadline: number;
  readonly signal?: AbortSignal | undefined;
  /** See {@link PendingRequest.answered}. */
  readonly answered?: ((reply: Reply<T>, session: Session, late: boolean) => void) | undefined;
}

/** Best size of a WebSocket message: larger ones save nothing and delay what comes after. */
const largestBatchBytes = 256 * 1024;

/**
 * One session: one WebSocket from its opening to its end.
 *
 *     opening ──WebSocket open──▶ greeting ──welcome──▶ open
 *        └───────────┴───── closed, refused, silent ──────┴──▶ ended
 */
type SessionState = "opening" | "greeting" | "open" | "ended";

export class Session {
  #state: SessionState = "opening";
  readonly #settings: Settings;
  readonly #runtime: Runtime;
  readonly #host: SessionHost;
  readonly #transport: Transport;
  readonly #requests: Requests;
  readonly #reader = new BinaryFrameReader();
  readonly #targets = new Map<number, DeliveryTarget>();
  /** What `queue.get` took, until its answer says whose it is. */
  readonly #gotten: ReceivedMessage[] = [];
  readonly #opened: Promise<void>;
  #resolveOpened: () => void = () => {};
  #rejectOpened: (end: PosthornError) => void = () => {};
  #connectTimer: unknown;
  #heartbeats: Heartbeats | undefined;
  #outbox: Outbox | undefined;
  #welcome: Reply<"hello"> | undefined;
  #end: SessionEnd | undefined;
  /** The reason that the broker gave for a close to come. */
  #complaint: PosthornError | undefined;
  #retryAfterMs = 0;

  constructor(
    webSocket: WebSocketConstructor,
    url: string,
    settings: Settings,
    runtime: Runtime,
    host: SessionHost,
  ) {
    this.#settings = settings;
    this.#runtime = runtime;
    this.#host = host;
    this.#requests = new Requests(runtime);
    this.#opened = new Promise((resolve, reject) => {
      this.#resolveOpened = resolve;
      this.#rejectOpened = reject;
    });
    this.#transport = new Transport(webSocket, url, {
      opened: () => this.#greet(),
      text: (data) => this.#readText(data),
      binary: (bytes) => this.#readBinary(bytes),
      closed: (code, reason) => this.#closed(code, reason),
    });
    this.#connectTimer = runtime.setTimer(
      () => this.abandon(new PosthornError("connect-failed", "The broker did not answer in time.")),
      settings.connectTimeoutMs,
    );
  }

  get ended(): boolean {
    return this.#state === "ended";
  }

  get end(): SessionEnd | undefined {
    return this.#end;
  }

  /** What the broker said in `welcome`. Only for a session that has been open. */
  get welcome(): Reply<"hello"> {
    return this.#welcome as Reply<"hello">;
  }

  get outbox(): Outbox {
    return this.#outbox as Outbox;
  }

  /** Bytes that have been sent but have not left this process, and those that wait for the end of the tick. */
  get unsentBytes(): number {
    return this.#transport.bufferedBytes + (this.#outbox?.length ?? 0);
  }

  /** Resolves once the broker has welcomed the client. @throws PosthornError why it did not; see {@link end}. */
  opened(): Promise<void> {
    return this.#opened;
  }

  /** Sends a request. @throws PosthornError the broker's error, `timeout`, `aborted`, `connection-closed`. */
  async request<T extends RequestType>(
    type: T,
    content: RequestContent<T>,
    control: RequestControl<T>,
  ): Promise<Reply<T>> {
    const { deadline, signal, answered } = control;
    throwIfAborted(signal);
    if (this.#end !== undefined) throw lostError(type, this.#end);
    let stopListening = () => {};
    try {
      return await new Promise<Reply<T>>((resolve, reject) => {
        const id = this.#requests.add({
          type,
          deadline,
          answered: (fields, late) => {
            const reply = fields as unknown as Reply<T>;
            answered?.(reply, this, late);
            resolve(reply);
          },
          failed: reject,
        });
        stopListening = onAbort(signal, (error) => this.#requests.abandon(id, error));
        this.#sendControl({ type, id, ...content });
      });
    } finally {
      stopListening();
    }
  }

  settle(consumer: number, delivery: number, outcome: Outcome, detail?: SettleDetail): void {
    // After the session's end the message is back in its queue: what was decided about it no longer counts.
    if (this.#state === "open") this.#outbox?.settle(consumer, delivery, outcome, detail);
  }

  async touch(consumer: number, delivery: number): Promise<void> {
    const deadline = this.#runtime.now() + this.#settings.requestTimeoutMs;
    const range = { consumer, first: delivery, last: delivery };
    const { touched } = await this.request("consumer.touch", range, { deadline });
    if (touched === 1) return;
    const message = "It was not settled in time: the message has gone back to its queue.";
    throw new PosthornError("delivery-expired", message, { consumer, delivery });
  }

  addTarget(consumer: number, target: DeliveryTarget): void {
    this.#targets.set(consumer, target);
  }

  removeTarget(consumer: number): void {
    this.#targets.delete(consumer);
  }

  /** What the `queue.get` that has just been answered took. */
  takeGotten(): ReceivedMessage | undefined {
    return this.#gotten.shift();
  }

  /** Resolves once no request is under way. */
  whenIdle(): Promise<void> {
    return this.#requests.whenIdle();
  }

  /** Ends the session at once, whatever the other side does. */
  abandon(error: PosthornError, again = true, closeCode = 1000): void {
    if (this.#state === "ended") return;
    this.#transport.abandon(closeCode, "");
    this.#finish(error, again);
  }

  #greet(): void {
    if (this.#transport.protocol !== subprotocol) {
      const message = `The other side does not speak ${subprotocol}.`;
      this.abandon(new PosthornError("connect-failed", message), false);
      return;
    }
    this.#state = "greeting";
    const { credentials, name, heartbeatMs } = this.#settings;
    const id = this.#requests.add({
      type: "hello",
      deadline: Number.POSITIVE_INFINITY,
      answered: (fields) => this.#welcomed(fields as unknown as Reply<"hello">),
      failed: (error) => {
        const row = errorCatalogue[error.code];
        this.abandon(error, "closeCode" in row && mayReconnect(row.closeCode));
      },
    });
    this.#sendControl({
      type: "hello",
      id,
      protocol: protocolVersion,
      encoding: "binary",
      heartbeatMs,
      client: { product: "posthorn-js", ...(name !== undefined && { name }) },
      ...(credentials !== undefined && { credentials }),
    });
  }

  #welcomed(welcome: Reply<"hello">): void {
    this.#runtime.clearTimer(this.#connectTimer);
    this.#state = "open";
    this.#welcome = welcome;
    const maxBytes = Math.min(largestBatchBytes, welcome.limits.maxFrameBytes);
    this.#outbox = new Outbox(maxBytes, this.#runtime, (bytes) => {
      this.#heartbeats?.sent();
      this.#transport.send(bytes);
    });
    if (welcome.heartbeatMs > 0) {
      this.#heartbeats = new Heartbeats(welcome.heartbeatMs, this.#runtime, {
        sendHeartbeat: () => this.#sendControl({ type: "heartbeat" }),
        silent: () => {
          const message = "Nothing was heard from the broker for two heartbeat intervals.";
          this.abandon(new PosthornError("heartbeat-timeout", message), true, 4001);
        },
      });
    }
    this.#resolveOpened();
  }

  #sendControl(frame: { readonly type: string; readonly [field: string]: unknown }): void {
    // Frames leave in the order in which they were asked for.
    this.#outbox?.flush();
    this.#heartbeats?.sent();
    this.#transport.send(JSON.stringify(frame));
  }

  #readText(data: string): void {
    this.#heartbeats?.heard();
    let frame: ServerControlFrame;
    try {
      frame = JSON.parse(data) as ServerControlFrame;
    } catch {
      this.#fail(new PosthornError("frame-error", "The broker sent text that is not JSON."));
      return;
    }
    switch (frame.type) {
      case "ok":
      case "welcome":
        this.#requests.answer(frame.id, frame as unknown as AnswerFields);
        break;
      case "error":
        this.#readError(frame);
        break;
      case "heartbeat":
        this.#heartbeats?.heardHeartbeat();
        break;
      case "consumer.cancelled": {
        const target = this.#targets.get(frame.consumer);
        this.#targets.delete(frame.consumer);
        target?.cancelledByBroker(wireError(frame.code, frame.message));
        break;
      }
      case "consumer.active":
        this.#targets.get(frame.consumer)?.activeChanged(frame.active);
        break;
      case "consumer.conflated":
        this.#targets.get(frame.consumer)?.conflated(frame.dropped);
        break;
      case "delivery.expired":
        this.#targets.get(frame.consumer)?.expired(frame.first, frame.last);
        break;
      case "goaway":
        this.#retryAfterMs = frame.retryAfterMs;
        this.#host.goaway(frame);
        break;
      case "blocked":
        this.#host.blocked(frame);
        break;
      case "unblocked":
        this.#host.unblocked();
      // Anything else comes from a newer broker and is not meant for this client.
    }
  }

  #readError(frame: ErrorFrame): void {
    const error = wireError(frame.code, frame.message, frame.details);
    if (frame.id !== undefined) this.#requests.fail(frame.id, error);
    else if (errorCatalogue[error.code].scope === "session") {
      this.#complaint = error;
      this.#retryAfterMs = frame.retryAfterMs ?? this.#retryAfterMs;
    } else this.#host.complained(error);
  }

  #readBinary(bytes: Uint8Array): void {
    this.#heartbeats?.heard();
    const reader = this.#reader;
    reader.start(bytes);
    try {
      // A listener may end the session half-way.
      for (let type = reader.next(); type !== undefined && this.#state === "open"; type = reader.next()) {
        if (type === "deliver") this.#deliver(reader);
        else if (type === "confirm") this.#confirm(reader);
        else if (type === "return") {
          this.#host.returned(reader.number, reader.status, reader.text, reader.envelope);
        }
      }
    } catch (error) {
      this.#fail(error as PosthornError);
    }
  }

  #deliver(reader: BinaryFrameReader): void {
    const { envelope, consumer, flags, delivery, attempts, history } = reader;
    const redelivered = (flags & deliverFlags.redelivered) !== 0;
    const message = new ReceivedMessage(envelope, this, consumer, delivery, redelivered, attempts, history);
    if (consumer === 0) {
      this.#gotten.push(message);
      return;
    }
    const target = this.#targets.get(consumer);
    if (target !== undefined) target.deliver(message);
    else if (delivery !== 0) this.settle(consumer, delivery, "release");
  }

  #confirm(reader: BinaryFrameReader): void {
    const { first, last, status, text } = reader;
    this.#host.confirmed(first, last, status === 0 ? undefined : numberedError(status, text));
  }

  #fail(error: PosthornError): void {
    this.abandon(error, false, 4500);
  }

  #closed(code: number, reason: string): void {
    const error = this.#complaint ?? closeError(code, reason, this.#state === "open");
    this.#finish(error, mayReconnect(code));
  }

  #finish(error: PosthornError, mayReconnect: boolean): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    const end = { error, mayReconnect, retryAfterMs: this.#retryAfterMs };
    this.#end = end;
    this.#runtime.clearTimer(this.#connectTimer);
    this.#heartbeats?.stop();
    this.#outbox?.close();
    this.#targets.clear();
    this.#requests.failAll((type) => lostError(type, end));
    this.#rejectOpened(end.error);
    this.#host.ended(this, end);
  }
}

function lostError(type: string, end: SessionEnd): PosthornError {
  const message = `The connection was lost before ${type} was answered: ${end.error.message}`;
  const error = new PosthornError("connection-closed", message, { request: type });
  error.cause = end.error;
  return error;
}
