import { errorCatalogue, mayReconnect, PosthornError, type SessionErrorCode } from "../../protocol/errors.ts";
import type { RequestFrame } from "../../protocol/frames.ts";
import { protocolVersion } from "../../protocol/version.ts";
import type { Broker } from "../broker/broker.ts";
import type { Login } from "../broker/login.ts";
import type { Visitor } from "../broker/visitor.ts";
import type { Blocked } from "../engine/engine.ts";
import type { ClientSocket } from "./client-socket.ts";
import { ConsumerTable } from "./consumer-table.ts";
import { parseFrame, type UncheckedFrame, validateFrame } from "./frame-validator.ts";
import { welcomeFor } from "./greeting.ts";
import { Inbox, isSessionError } from "./inbox.ts";
import { Liveness } from "./liveness.ts";
import { Outbox } from "./outbox.ts";
import { ReadGate } from "./read-gate.ts";
import { type Answer, type HandledRequest, requestHandlers } from "./request-handlers.ts";
import type { SessionContext } from "./session-context.ts";
import type { WelcomeFacts } from "./session-limits.ts";
import { SessionPublisher } from "./session-publisher.ts";
import type { SharedDeliveries } from "./shared-deliveries.ts";

export interface SessionOptions extends WelcomeFacts {
  readonly socket: ClientSocket;
  readonly broker: Broker;
  readonly login: Login;
  readonly shared: SharedDeliveries;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: number;
  /** Calls back when what a client wants has its turn among all who come and go. */
  readonly whenItsTurn: (begin: () => void) => void;
  /** How long a client that is sent away now should wait before it comes back. */
  readonly retryAfterMs: () => number;
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
 * Here it is let in, kept alive and ended. What it sends is read in `inbox.ts`, requests are carried out by
 * `request-handlers.ts`; what they mean is decided by the broker. No error of one client leaves its session.
 */
export class Session {
  readonly id: string;
  readonly outbox: Outbox;
  readonly #options: SessionOptions;
  readonly #socket: ClientSocket;
  readonly #broker: Broker;
  readonly #consumers: ConsumerTable;
  readonly #gate: ReadGate;
  #state: State = "greeting";
  #visitor: Visitor | undefined;
  #inbox: Inbox | undefined;
  #publisher: SessionPublisher | undefined;
  #early: (string | Uint8Array)[] = [];
  #heartbeatMs = 0;
  readonly #liveness: Liveness;
  #closingSinceMs: number | undefined;
  /** The client has not read what it should since then. */
  #behindSinceMs: number | undefined;
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
    const events = {
      onRoom: () => this.#consumers.resumeAll(),
      onOverfull: () => this.#gate.hold("overfull"),
      onDrained: () => {
        // What it sent meanwhile is still to be read; that it reads is a sign of life too.
        this.#liveness.heard();
        this.#gate.release("overfull");
      },
    };
    this.outbox = new Outbox(options.socket, options.limits, events, options.shared);
    this.#consumers = new ConsumerTable(this.outbox, options.limits);
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
      if (this.#state === "open") this.#inbox!.receive(data);
      else if (this.#state === "greeting") {
        this.#enter("admitting");
        this.#options.whenItsTurn(() => this.#greet(data));
      } else if (this.#state === "admitting") this.#keepEarly(data);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The connection has ended. */
  disconnected(): void {
    if (this.#state === "closed") return;
    this.#enter("closed");
    this.#publisher?.end();
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
    else if (this.#state === "greeting" && nowMs - this.#openedAtMs >= this.#options.limits.helloTimeoutMs) {
      this.end("hello-timeout", `No hello came within ${this.#options.limits.helloTimeoutMs} ms.`);
    }
  }

  /** Ends the session for a reason of the catalogue. */
  end(code: SessionErrorCode, message: string): void {
    if (this.#state === "closing" || this.#state === "closed") return;
    const { closeCode } = errorCatalogue[code];
    const retryAfterMs = mayReconnect(closeCode) ? { retryAfterMs: this.#options.retryAfterMs() } : {};
    this.outbox.control({ type: "error", code, message, ...retryAfterMs });
    this.#close(closeCode, code, message);
  }

  /**
   * Tells the client that the broker will end the session, and to come back later. Nothing is delivered any more; what the
   * client still sends is handled until {@link endAfterGoAway}.
   */
  goAway(message: string): void {
    if (this.#state === "leaving" || this.#state === "closing" || this.#state === "closed") return;
    this.#consumers.stopAll();
    const retryAfterMs = this.#options.retryAfterMs();
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

  /** Publishes are refused for another reason than before, or for none any more. */
  blockedChanged(blocked: Blocked | undefined): void {
    this.#publisher?.blockedChanged(blocked);
  }

  #enter(next: State): void {
    if (!transitions[this.#state].includes(next))
      throw new Error(`A session cannot go from ${this.#state} to ${next}.`);
    this.#state = next;
  }

  #greet(data: string | Uint8Array): void {
    if (this.#state !== "admitting") return;
    const hello = typeof data === "string" ? this.#parseHello(data) : undefined;
    if (hello === undefined) {
      this.end("hello-required", "The first frame must be a valid hello, as text.");
      return;
    }
    if (hello.protocol !== protocolVersion) {
      this.end("unsupported-protocol", `This broker speaks protocol version ${protocolVersion}.`);
      return;
    }
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
    const visitor = { name: this.id, user };
    const welcome = welcomeFor(hello, user, this.#options);
    const { encoding } = welcome;
    const { maxFrameBytes, maxHeaderBytes } = this.#options.limits;
    const { outbox } = this;
    const broker = this.#broker;
    const consumers = this.#consumers;
    const context: SessionContext = { broker, visitor, outbox, consumers, lastQueue: "" };
    this.#visitor = visitor;
    this.#publisher = new SessionPublisher(broker, visitor, outbox);
    this.#inbox = new Inbox({
      broker,
      publisher: this.#publisher,
      consumers,
      gate: this.#gate,
      encoding,
      maxHeaderBytes,
      onRequest: (frame) => void this.#respond(context, frame),
      onBye: (id) => void this.#sayGoodbye(id),
      onError: (id, error) => this.#sendError(id, error),
    });
    this.#heartbeatMs = welcome.heartbeatMs;
    outbox.configure(encoding, hello.limits?.maxFrameBytes ?? maxFrameBytes);
    outbox.control(welcome);
    this.#options.events.onOpen(this);
    for (const data of this.#early.splice(0)) this.receive(data);
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

  async #respond(context: SessionContext, frame: RequestFrame<HandledRequest>): Promise<void> {
    this.#requestsUnderWay++;
    // A get is answered with a whole message: with one at a time, the outbox knows when it is full.
    if (frame.type === "queue.get" || this.#requestsUnderWay >= maxRequestsUnderWay)
      this.#gate.hold("answering");
    try {
      // The type picks the handler, so frame and handler belong together: more than the compiler can follow.
      const handler = requestHandlers[frame.type] as Handler;
      const { reply, after } = await handler(context, frame);
      if (this.#state !== "open") return;
      this.outbox.control({ type: "ok", id: frame.id, ...reply });
      after?.();
    } catch (error) {
      if (this.#state === "open") this.#sendError(frame.id, error);
    } finally {
      if (--this.#requestsUnderWay === 0) this.#gate.release("answering");
    }
  }

  #beat(nowMs: number): void {
    if (this.#isTooSlow(nowMs)) {
      this.end("slow-consumer", "Too much waits to be read by this client.");
      return;
    }
    if (this.#gate.isHeldBy("overfull")) return;
    // While the broker itself does not read, it cannot hold silence against the client.
    if (this.#gate.isHeldBy("congested") || this.#gate.isHeldBy("answering")) this.#liveness.heard();
    else if (this.#liveness.isDead(nowMs, this.#heartbeatMs)) {
      this.end("heartbeat-timeout", `Nothing was heard for ${2 * this.#heartbeatMs} ms.`);
      return;
    }
    if (this.#liveness.owesHeartbeat(nowMs, this.#heartbeatMs)) this.outbox.control({ type: "heartbeat" });
  }

  #isTooSlow(nowMs: number): boolean {
    const isBehind =
      this.#gate.isHeldBy("overfull") || (this.outbox.isFull && this.#consumers.closesWhenSlow);
    this.#behindSinceMs = isBehind ? (this.#behindSinceMs ?? nowMs) : undefined;
    return (
      this.#behindSinceMs !== undefined &&
      nowMs - this.#behindSinceMs >= this.#options.limits.slowConsumerTimeoutMs
    );
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
    this.#publisher?.end();
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
