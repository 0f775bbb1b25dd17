import { encodeMessage } from "../../protocol/binary-codec.ts";
import { BinaryFrameReader, publishFlags } from "../../protocol/binary-frames.ts";
import { frameError } from "../../protocol/byte-reader.ts";
import { EnvelopeHead } from "../../protocol/envelope.ts";
import {
  type ErrorCode,
  errorCatalogue,
  PosthornError,
  type SessionErrorCode,
} from "../../protocol/errors.ts";
import type { RequestFrame, SettleFrame } from "../../protocol/frames.ts";
import { messageFrameFromJson } from "../../protocol/json-codec.ts";
import { protocolVersion } from "../../protocol/version.ts";
import type { Broker } from "../broker/broker.ts";
import type { Login } from "../broker/login.ts";
import type { Visitor } from "../broker/visitor.ts";
import type { Blocked, PublishSink, SettleOutcome } from "../engine/engine.ts";
import type { ClientSocket } from "./client-socket.ts";
import { ConsumerTable } from "./consumer-table.ts";
import { parseFrame, type UncheckedFrame, validateFrame } from "./frame-validator.ts";
import { welcomeFor } from "./greeting.ts";
import { Liveness } from "./liveness.ts";
import { Outbox } from "./outbox.ts";
import { ReadGate } from "./read-gate.ts";
import { type Answer, type HandledRequest, requestHandlers } from "./request-handlers.ts";
import type { SessionContext } from "./session-context.ts";
import type { WelcomeFacts } from "./session-limits.ts";

export interface SessionOptions extends WelcomeFacts {
  readonly socket: ClientSocket;
  readonly broker: Broker;
  readonly login: Login;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: number;
  readonly events: SessionEvents;
}

export interface SessionEvents {
  onOpen(session: Session): void;
  onEnd(session: Session, why: string): void;
  /** Something failed that should not have. */
  onError(session: Session, error: unknown): void;
}

type State = "greeting" | "admitting" | "open" | "leaving" | "closing" | "closed";

/** Which state may follow which. */
const transitions: { readonly [from in State]: readonly State[] } = {
  greeting: ["admitting", "closing", "closed"],
  admitting: ["open", "closing", "closed"],
  open: ["leaving", "closing", "closed"],
  leaving: ["closing", "closed"],
  closing: ["closed"],
  closed: [],
};

/** Frames that a client may send ahead of its welcome. */
const maxEarlyFrames = 64;
/** Requests under way at which reading stops until they are answered. */
const maxRequestsUnderWay = 256;
/** How long a client may take to answer a close. */
const closeTimeoutMs = 5000;

/**
 * One connected client.
 *
 *     greeting ──hello──▶ admitting ──welcome──▶ open ──bye──▶ leaving ──all confirmed──▶ closing ──▶ closed
 *         └──────error, time out─────┴──error, shutdown──┴───────────────────────────────▲          ▲
 *                                         connection lost, in any state ─────────────────────────────┘
 *
 * A frame is parsed, checked against its schema, handled and answered here; what it means is decided by the broker.
 * No error of one client leaves its session.
 */
export class Session implements PublishSink {
  readonly id: string;
  readonly outbox: Outbox;
  readonly #options: SessionOptions;
  readonly #socket: ClientSocket;
  readonly #broker: Broker;
  readonly #consumers: ConsumerTable;
  readonly #reader = new BinaryFrameReader();
  readonly #head = new EnvelopeHead();
  readonly #gate: ReadGate;
  #state: State = "greeting";
  #visitor: Visitor | undefined;
  #context: SessionContext | undefined;
  #encoding: "json" | "binary" = "json";
  #early: (string | Uint8Array)[] = [];
  /** Number of the last publish. */
  #published = 0;
  /** A persistent message was among what was published. */
  #publishesPersistent = false;
  /** The client has been told that publishes are refused. */
  #isToldBlocked = false;
  #heartbeatMs = 0;
  readonly #liveness: Liveness;
  #closingSinceMs: number | undefined;
  #overfullSinceMs: number | undefined;
  #requestsUnderWay = 0;
  readonly #openedAtMs: number;
  #endReason = "connection lost";

  constructor(options: SessionOptions) {
    this.id = options.id;
    this.#options = options;
    this.#socket = options.socket;
    this.#broker = options.broker;
    this.#gate = new ReadGate(options.socket, (data) => this.#take(data));
    this.#openedAtMs = options.nowMs;
    this.#liveness = new Liveness(options.nowMs);
    this.outbox = new Outbox(options.socket, options.limits, {
      onRoom: () => this.#consumers.resumeAll(),
      onOverfull: () => this.#gate.hold("overfull"),
      onDrained: () => {
        // What it sent meanwhile is still to be read; that it reads is a sign of life too.
        this.#liveness.heard();
        this.#gate.release("overfull");
      },
    });
    this.#consumers = new ConsumerTable(this.outbox, options.limits.maxConsumers);
  }

  get state(): State {
    return this.#state;
  }

  get user(): string | undefined {
    return this.#visitor?.user;
  }

  get remoteAddress(): string {
    return this.#socket.remoteAddress;
  }

  /** A WebSocket message has arrived. */
  receive(data: string | Uint8Array): void {
    this.#liveness.heard();
    this.#gate.arrive(data);
  }

  #take(data: string | Uint8Array): void {
    try {
      if (this.#state === "open") this.#receiveOpen(data);
      else if (this.#state === "greeting") this.#greet(data);
      else if (this.#state === "admitting") this.#keepEarly(data);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The connection has ended. */
  disconnected(): void {
    if (this.#state === "closed") return;
    this.#enter("closed");
    this.#leave();
    this.#options.events.onEnd(this, this.#endReason);
  }

  /** Called a few times a second: deadlines and heartbeats. */
  tick(nowMs: number): void {
    this.#liveness.look(nowMs, this.#socket.receivedBytes, this.outbox.sentBytes);
    if (this.#state === "closing") {
      this.#closingSinceMs ??= nowMs;
      if (nowMs - this.#closingSinceMs >= closeTimeoutMs) this.#socket.terminate();
    } else if (this.#state === "open" || this.#state === "leaving") this.#beat(nowMs);
    else if (nowMs - this.#openedAtMs >= this.#options.limits.helloTimeoutMs) {
      this.end("hello-timeout", `No hello came within ${this.#options.limits.helloTimeoutMs} ms.`);
    }
  }

  /** Ends the session for a reason of the catalogue. */
  end(code: SessionErrorCode, message: string): void {
    if (this.#state === "closing" || this.#state === "closed") return;
    this.outbox.control({ type: "error", code, message });
    this.#close(errorCatalogue[code].closeCode, code, message);
  }

  /**
   * Tells the client that the broker will end the session, and to come back later. Nothing is delivered any more; what the
   * client still sends is handled until {@link endAfterGoAway}.
   */
  goAway(message: string, retryAfterMs: number): void {
    if (this.#state === "leaving" || this.#state === "closing" || this.#state === "closed") return;
    this.#consumers.stopAll();
    this.outbox.control({ type: "goaway", code: "shutting-down", message, retryAfterMs });
  }

  /** Ends a session that has been told to go away. */
  endAfterGoAway(message: string): void {
    if (this.#state === "closing" || this.#state === "closed") return;
    this.#close(errorCatalogue["shutting-down"].closeCode, "shutting-down", message);
  }

  terminate(): void {
    this.#socket.terminate();
  }

  /** The disk has caught up: reading goes on. */
  relieve(): void {
    this.#gate.release("congested");
  }

  /**
   * Publishes are refused for another reason than before, or for none any more. Told to clients whom it concerns: those that
   * have published, and for `disk-full` something that may have to be written.
   */
  blockedChanged(blocked: Blocked | undefined): void {
    if (!this.#hearsOutcomes) return;
    const concerns = blocked?.code === "disk-full" ? this.#publishesPersistent : this.#published > 0;
    if (blocked !== undefined && concerns) this.#tellBlocked(blocked);
    else if (this.#isToldBlocked) {
      this.#isToldBlocked = false;
      this.outbox.control({ type: "unblocked" });
    }
  }

  confirmed(first: number, last: number): void {
    if (this.#hearsOutcomes) this.outbox.confirmed(first, last);
  }

  refused(number: number, code: ErrorCode, message: string): void {
    if (!this.#hearsOutcomes) return;
    const { blocked } = this.#broker;
    // Its first publish, or its first persistent one, since then.
    if (blocked?.code === code && !this.#isToldBlocked) this.#tellBlocked(blocked);
    this.outbox.refused(number, code, message);
  }

  returned(number: number, envelope: Uint8Array): void {
    if (!this.#hearsOutcomes) return;
    this.outbox.returned(number, "no-route", "No queue is bound for this message.", envelope);
  }

  get #hearsOutcomes(): boolean {
    return this.#state === "open" || this.#state === "leaving";
  }

  #tellBlocked({ code, message }: Blocked): void {
    this.#isToldBlocked = true;
    this.outbox.control({ type: "blocked", code, message });
  }

  #enter(next: State): void {
    if (!transitions[this.#state].includes(next))
      throw new Error(`A session cannot go from ${this.#state} to ${next}.`);
    this.#state = next;
  }

  #greet(data: string | Uint8Array): void {
    const hello = typeof data === "string" ? this.#parseHello(data) : undefined;
    if (hello === undefined) {
      this.end("hello-required", "The first frame must be a valid hello, as text.");
      return;
    }
    if (hello.protocol !== protocolVersion) {
      this.end("unsupported-protocol", `This broker speaks protocol version ${protocolVersion}.`);
      return;
    }
    this.#enter("admitting");
    this.#options.login.authenticate(hello.credentials, this.remoteAddress).then(
      (user) => this.#admit(hello, user),
      (error: unknown) => this.#fail(error),
    );
  }

  #parseHello(text: string): RequestFrame<"hello"> | undefined {
    let frame: UncheckedFrame | undefined;
    try {
      frame = parseFrame(text);
      if (frame.type !== "hello") return undefined;
      validateFrame(frame);
      return frame.fields as unknown as RequestFrame<"hello">;
    } catch (error) {
      // The frame says what is wrong; the close that follows says that it has to be right.
      this.#sendError(frame?.id, error);
      return undefined;
    }
  }

  #keepEarly(data: string | Uint8Array): void {
    if (this.#early.length < maxEarlyFrames) this.#early.push(data);
    else this.end("hello-required", "Too many frames were sent ahead of the welcome.");
  }

  #admit(hello: RequestFrame<"hello">, user: string): void {
    if (this.#state !== "admitting") return;
    this.#enter("open");
    this.#socket.admit();
    this.#visitor = { name: this.id, user };
    this.#context = {
      broker: this.#broker,
      visitor: this.#visitor,
      outbox: this.outbox,
      consumers: this.#consumers,
      lastQueue: "",
    };
    const welcome = welcomeFor(hello, user, this.#options);
    this.#encoding = welcome.encoding;
    this.#heartbeatMs = welcome.heartbeatMs;
    this.outbox.configure(this.#encoding, hello.limits?.maxFrameBytes ?? this.#options.limits.maxFrameBytes);
    this.outbox.control(welcome);
    this.#options.events.onOpen(this);
    for (const data of this.#early.splice(0)) this.receive(data);
  }

  #receiveOpen(data: string | Uint8Array): void {
    if (typeof data !== "string") {
      if (this.#encoding !== "binary")
        throw frameError("This session speaks JSON: binary messages are not expected.");
      this.#receiveFrames(data);
    } else this.#receiveText(data);
    if (this.#broker.congested) this.#gate.hold("congested");
  }

  #receiveFrames(bytes: Uint8Array): void {
    const reader = this.#reader;
    reader.start(bytes);
    for (let type = reader.next(); type !== undefined; type = reader.next()) {
      if (type === "publish") this.#publish(reader.number, reader.flags, ownBytes(reader.envelope, bytes));
      else if (type === "settle") this.#settle(reader.consumer, reader.first, reader.last, reader.outcome);
      else throw frameError(`A client does not send ${type} frames.`);
      if (this.#gate.isShut) {
        this.#gate.putBack(reader.rest);
        return;
      }
    }
  }

  #receiveText(text: string): void {
    let frame: UncheckedFrame | undefined;
    try {
      frame = parseFrame(text);
      this.#assertEncoding(frame.type);
      validateFrame(frame);
      this.#handle(frame);
    } catch (error) {
      if (isSessionError(error)) throw error;
      if (frame?.type === "publish" && this.#refuseJsonPublish(frame, error)) return;
      this.#sendError(frame?.id, error);
    }
  }

  #assertEncoding(type: unknown): void {
    if (this.#encoding === "json" || (type !== "publish" && type !== "settle")) return;
    throw frameError(`This session speaks binary: ${type} is not expected as text.`);
  }

  #handle(frame: UncheckedFrame): void {
    switch (frame.type) {
      case "heartbeat":
        return;
      case "publish":
      case "settle":
        this.#handleJsonMessage(frame);
        return;
      case "hello":
        throw new PosthornError("already-open", "The session is open; a second hello changes nothing.");
      case "bye":
        void this.#sayGoodbye(frame.id as number);
        return;
      default:
        void this.#respond(frame.fields as unknown as RequestFrame<HandledRequest>);
    }
  }

  /** Gives everything back at once, but goes only when all that was published has its outcome. */
  async #sayGoodbye(id: number): Promise<void> {
    this.#enter("leaving");
    this.#endReason = "bye";
    this.#leave();
    await this.#broker.flushed();
    if (this.#state !== "leaving") return;
    this.outbox.control({ type: "ok", id });
    this.#close(1000, "bye", "bye");
  }

  async #respond(frame: RequestFrame<HandledRequest>): Promise<void> {
    this.#requestsUnderWay++;
    // A get is answered with a whole message: with one at a time, the outbox knows when it is full.
    if (frame.type === "queue.get" || this.#requestsUnderWay >= maxRequestsUnderWay)
      this.#gate.hold("answering");
    try {
      // The type picks the handler, so frame and handler belong together: more than the compiler can follow.
      const handler = requestHandlers[frame.type] as Handler;
      const { reply, after } = await handler(this.#context!, frame);
      if (this.#state !== "open") return;
      this.outbox.control({ type: "ok", id: frame.id, ...reply });
      after?.();
    } catch (error) {
      if (this.#state === "open") this.#sendError(frame.id, error);
    } finally {
      if (--this.#requestsUnderWay === 0) this.#gate.release("answering");
    }
  }

  #handleJsonMessage({ fields }: UncheckedFrame): void {
    const frame = messageFrameFromJson(fields as { type: string });
    if (frame.type === "publish") {
      const flags =
        (frame.mandatory ? publishFlags.mandatory : 0) | (frame.confirm ? 0 : publishFlags.unconfirmed);
      this.#publish(frame.number, flags, encodeMessage(frame.message));
    } else {
      const { consumer, first, last, outcome } = frame as SettleFrame;
      this.#settle(consumer, first, last, outcome);
    }
  }

  /** A publish that is not valid uses up its number, if that is right, and is refused like any other. */
  #refuseJsonPublish({ fields }: UncheckedFrame, error: unknown): boolean {
    if (!(error instanceof PosthornError) || fields.number !== this.#published + 1) return false;
    this.#published++;
    this.outbox.refused(this.#published, error.code, error.message);
    return true;
  }

  #publish(number: number, flags: number, envelope: Uint8Array): void {
    if (number !== this.#published + 1) {
      throw frameError(`Publish ${number} is out of order: ${this.#published + 1} is next.`);
    }
    this.#head.read(envelope, this.#options.limits.maxHeaderBytes);
    this.#published = number;
    if (this.#head.persistent) this.#publishesPersistent = true;
    this.#broker.publish(this.#visitor!, this.#head, number, flags, this);
  }

  #settle(consumer: number, first: number, last: number, outcome: SettleOutcome): void {
    try {
      this.#broker.settle(this.#consumers.settle(consumer, first, last), outcome);
    } catch (error) {
      this.#sendError(undefined, error);
    }
  }

  #beat(nowMs: number): void {
    this.#overfullSinceMs = this.#gate.isHeldBy("overfull") ? (this.#overfullSinceMs ?? nowMs) : undefined;
    if (this.#overfullSinceMs !== undefined) {
      if (nowMs - this.#overfullSinceMs < 2 * this.#options.limits.heartbeatMs) return;
      this.end("slow-consumer", "Too much waits to be read by this client.");
      return;
    }
    // While the broker itself does not read, it cannot hold silence against the client.
    if (this.#gate.isHeldBy("congested") || this.#gate.isHeldBy("answering")) this.#liveness.heard();
    else if (this.#liveness.isDead(nowMs, this.#heartbeatMs)) {
      this.end("heartbeat-timeout", `Nothing was heard for ${2 * this.#heartbeatMs} ms.`);
      return;
    }
    if (this.#liveness.owesHeartbeat(nowMs, this.#heartbeatMs)) this.outbox.control({ type: "heartbeat" });
  }

  #sendError(id: number | undefined, error: unknown): void {
    if (this.#state === "closing" || this.#state === "closed") return;
    const known = error instanceof PosthornError ? error : this.#unexpected(error);
    const { code, message, details } = known;
    this.outbox.control({
      type: "error",
      ...(id !== undefined && { id }),
      code,
      message,
      ...(Object.keys(details).length > 0 && { details }),
    });
  }

  /** What cannot be answered for one request alone ends the session. */
  #fail(error: unknown): void {
    const known = error instanceof PosthornError ? error : this.#unexpected(error);
    const code = isSessionError(known) ? (known.code as SessionErrorCode) : "session-failed";
    this.end(code, known.message);
  }

  #unexpected(error: unknown): PosthornError {
    this.#options.events.onError(this, error);
    return new PosthornError("internal-error", "The broker failed to do this. Its log says why.");
  }

  #close(closeCode: number, code: string, message: string): void {
    this.#enter("closing");
    this.#endReason = code;
    this.#leave();
    this.outbox.flush();
    this.#socket.close(closeCode, message);
  }

  /** Gives back what the session holds: deliveries return to their queues, and exclusive queues go. */
  #leave(): void {
    const visitor = this.#visitor;
    if (visitor === undefined) return;
    this.#visitor = undefined;
    this.#broker.settle(this.#consumers.endAll(), "return");
    this.#broker.release(visitor).catch((error: unknown) => this.#options.events.onError(this, error));
  }
}

type Handler = (
  session: SessionContext,
  frame: RequestFrame<HandledRequest>,
) => Promise<Answer<HandledRequest>>;

/** More of a WebSocket message than this is not kept in memory for the sake of one small part of it. */
const maxPinnedBytes = 512 * 1024;

/** A queue keeps the envelope, and with it all the memory that it is a view of: a small part of a large message is copied. */
function ownBytes(envelope: Uint8Array, message: Uint8Array): Uint8Array {
  const isSmallPart = message.length > maxPinnedBytes && envelope.length < message.length / 2;
  return isSmallPart ? new Uint8Array(envelope) : envelope;
}

function isSessionError(error: unknown): boolean {
  return error instanceof PosthornError && errorCatalogue[error.code].scope === "session";
}
