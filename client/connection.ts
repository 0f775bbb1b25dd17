import { PosthornError } from "../protocol/errors.ts";
import type { BlockedFrame, GoawayFrame, Reply, RequestType } from "../protocol/frames.ts";
import { onAbort, throwIfAborted } from "./abort.ts";
import { Backoff } from "./backoff.ts";
import { type ConnectionState, Events } from "./events.ts";
import type { ReceivedMessage } from "./message.ts";
import type { Settings } from "./options.ts";
import { Publisher } from "./publisher.ts";
import { timeoutError } from "./requests.ts";
import type { Runtime } from "./runtime.ts";
import { type RequestContent, Session, type SessionEnd, type SessionHost } from "./session.ts";
import { ghostRetryMs, ghostTimeoutMs, type Subscription, type SubscriptionHost } from "./subscription.ts";
import { Topology, type TopologyRequests } from "./topology.ts";
import type { WebSocketConstructor } from "./websocket.ts";
import { isConnectionClosed } from "./wire-error.ts";

export interface RequestOptions<T extends RequestType> {
  readonly signal?: AbortSignal | undefined;
  /** Asking twice does no harm: ask again if the connection is lost before the answer. */
  readonly repeatable?: boolean;
  /** See {@link RequestControl.answered}. */
  readonly answered?: (reply: Reply<T>, session: Session, late: boolean) => void;
}

/**
 * Where each state may go.
 *
 *     connecting ──welcome──▶ open ◀──welcome, topology restored── reconnecting
 *         │                    │ └────────connection lost────────▶    │   │
 *         │                    └──close()──▶ closing ◀───close()──────┘   │
 *         │ failed                              │ drained, out of time    │ given up
 *         └────────────────────────────────▶ closed ◀─────────────────────┘
 *
 * While `closing`, a connection that is lost is made again as long as publishes wait for their confirms.
 */
const transitions: { readonly [S in ConnectionState]: readonly ConnectionState[] } = {
  connecting: ["open", "closed"],
  open: ["reconnecting", "closing", "closed"],
  reconnecting: ["open", "closing", "closed"],
  closing: ["closed"],
  closed: [],
};

const noReconnect = { initialDelayMs: 0, maxDelayMs: 0, maxAttempts: 0 };
/** How long the broker may take to close the socket after `bye`. */
const byeTimeoutMs = 2000;

/** A connection to a broker, through any number of sessions. What `Posthorn`, `Exchange` and `Queue` are handles of. */
export class Connection implements SessionHost, SubscriptionHost {
  readonly runtime: Runtime;
  readonly events = new Events();
  readonly topology = new Topology();
  readonly publisher: Publisher;
  readonly #url: string;
  readonly #webSocket: WebSocketConstructor;
  readonly #settings: Settings;
  readonly #backoff: Backoff;
  readonly #subscriptions = new Set<Subscription>();
  readonly #openWaiters = new Set<{ resolve(session: Session): void; reject(error: PosthornError): void }>();
  #state: ConnectionState = "connecting";
  /** The session that is open and restored. */
  #session: Session | undefined;
  /** The session that is being opened or restored. */
  #upcoming: Session | undefined;
  #openedAt = 0;
  /** What the broker has asked for when the last session ended. */
  #retryAfterMs = 0;
  #wake: (() => void) | undefined;
  #closing: Promise<void> | undefined;
  #finalError: PosthornError | undefined;

  constructor(webSocket: WebSocketConstructor, url: string, settings: Settings, runtime: Runtime) {
    this.#webSocket = webSocket;
    this.#url = url;
    this.#settings = settings;
    this.runtime = runtime;
    this.#backoff = new Backoff(settings.reconnect ?? noReconnect, runtime);
    this.publisher = new Publisher(settings.publish, runtime, this.events);
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** The session that requests go to at once. */
  get openSession(): Session | undefined {
    return this.#session;
  }

  /** When a request that is made now gives up. */
  deadline(): number {
    return this.runtime.now() + this.#settings.requestTimeoutMs;
  }

  /** Makes the first session. @throws PosthornError why there is none. */
  async open(signal: AbortSignal | undefined): Promise<void> {
    throwIfAborted(signal);
    const session = this.#newSession();
    const stopListening = onAbort(signal, (error) => session.abandon(error, false));
    try {
      await session.opened();
      // It may have ended in the same breath.
      if (session.end !== undefined) throw session.end.error;
      this.#adopt(session);
    } catch (error) {
      this.#finish(error as PosthornError);
      throw error;
    } finally {
      stopListening();
    }
  }

  /** Sends a request, now or when the connection is open again. @throws PosthornError, see {@link Session.request}. */
  async request<T extends RequestType>(
    type: T,
    content: RequestContent<T>,
    options: RequestOptions<T> = {},
  ): Promise<Reply<T>> {
    const { signal, answered } = options;
    const control = { deadline: this.deadline(), signal, answered };
    for (;;) {
      const session = this.#session ?? (await this.#whenOpen(type, control.deadline, signal));
      try {
        return await session.request(type, content, control);
      } catch (error) {
        if (options.repeatable !== true || !isConnectionClosed(error) || this.#state === "closed")
          throw error;
      }
    }
  }

  /** @throws PosthornError `closed` when there is no time left for one. */
  addSubscription(subscription: Subscription): void {
    if (this.#state === "closing" || this.#state === "closed") throw this.#closedError();
    this.#subscriptions.add(subscription);
  }

  removeSubscription(subscription: Subscription): void {
    if (!this.#subscriptions.delete(subscription)) return;
    for (const other of this.#subscriptions) if (other.queue.key === subscription.queue.key) return;
    this.topology.queueUnused(subscription.queue);
  }

  /**
   * Finishes what is under way, then ends the session.
   * @throws PosthornError `timeout` if that took too long; what was not finished has failed with `closed`.
   */
  close(timeoutMs: number): Promise<void> {
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  confirmed(first: number, last: number, error: PosthornError | undefined): void {
    this.publisher.confirmed(first, last, error);
  }

  returned(number: number, status: number, text: string, envelope: Uint8Array): void {
    this.publisher.returned(number, status, text, envelope);
  }

  complained(error: PosthornError, message?: ReceivedMessage): void {
    this.events.emit("error", error, message);
  }

  goaway(frame: GoawayFrame): void {
    const { code, message, retryAfterMs } = frame;
    this.events.emit("goaway", { code, message, retryAfterMs });
  }

  blocked({ code, message }: BlockedFrame): void {
    this.publisher.block({ code, message });
  }

  unblocked(): void {
    this.publisher.unblock();
  }

  ended(session: Session, end: SessionEnd): void {
    // One that is still being opened or restored is looked after by who does that.
    if (session !== this.#session) return;
    this.#session = undefined;
    this.#retryAfterMs = end.retryAfterMs;
    this.publisher.detach();
    this.#backoff.succeeded(this.runtime.now() - this.#openedAt);
    if (!this.#shouldReconnect(end)) {
      this.#finish(end.error);
      return;
    }
    for (const subscription of [...this.#subscriptions]) subscription.interrupted();
    if (this.#state === "open") this.#enter("reconnecting", end.error);
    void this.#reconnect(end.error);
  }

  #shouldReconnect(end: SessionEnd): boolean {
    if (!end.mayReconnect || this.#settings.reconnect === undefined || this.#state === "closed") return false;
    return this.#state !== "closing" || this.publisher.pending > 0;
  }

  async #reconnect(lost: PosthornError): Promise<void> {
    let reason = lost;
    while (this.#wantsSession()) {
      if (this.#backoff.exhausted) {
        const message = `No connection after ${this.#backoff.attempts} attempts: ${reason.message}`;
        this.#finish(new PosthornError("connection-closed", message));
        return;
      }
      await this.#pause(this.#backoff.nextDelayMs(this.#retryAfterMs));
      if (!this.#wantsSession()) return;
      let session: Session;
      try {
        session = this.#newSession();
      } catch (error) {
        this.#finish(error as PosthornError);
        return;
      }
      try {
        await session.opened();
        await this.#restore(session);
        // It may have ended between the last answer and now.
        if (!session.ended && this.#wantsSession()) this.#adopt(session);
        else session.abandon(this.#closedError());
        if (this.#session === session) return;
      } catch (error) {
        reason = session.end?.error ?? (error as PosthornError);
        session.abandon(reason);
        this.#retryAfterMs = session.end?.retryAfterMs ?? 0;
      }
      if (session.end?.mayReconnect === false && this.#wantsSession()) this.#finish(reason);
    }
  }

  /** Whether a session that is being made is still of use. */
  #wantsSession(): boolean {
    return this.#state === "reconnecting" || (this.#state === "closing" && this.publisher.pending > 0);
  }

  async #restore(session: Session): Promise<void> {
    const until = this.runtime.now() + ghostTimeoutMs;
    const ask = async <T extends RequestType>(type: T, content: RequestContent<T>): Promise<Reply<T>> => {
      for (;;) {
        try {
          return await session.request(type, content, { deadline: this.deadline() });
        } catch (error) {
          // The broker may not have noticed yet that the former session, who holds an exclusive queue, is dead.
          const { code } = error as PosthornError;
          if (code !== "resource-locked" || this.runtime.now() >= until) throw error;
          await this.#pause(ghostRetryMs);
        }
      }
    };
    const requests: TopologyRequests = {
      declareExchange: async (content) => void (await ask("exchange.declare", content)),
      declareQueue: async (content) => (await ask("queue.declare", content)).queue,
      bindQueue: async (content) => void (await ask("queue.bind", content)),
      bindExchange: async (content) => void (await ask("exchange.bind", content)),
    };
    await this.topology.restore(requests, (error) => this.events.emit("error", error));
  }

  #newSession(): Session {
    this.#upcoming = new Session(this.#webSocket, this.#url, this.#settings, this.runtime, this);
    return this.#upcoming;
  }

  #adopt(session: Session): void {
    this.#upcoming = undefined;
    this.#session = session;
    this.#openedAt = this.runtime.now();
    // First what was published before, then what others do when they hear that the connection is open.
    this.publisher.attach(session);
    for (const subscription of [...this.#subscriptions]) subscription.resume(session);
    for (const { resolve } of [...this.#openWaiters]) resolve(session);
    if (this.#state !== "closing") this.#enter("open");
  }

  async #whenOpen(type: string, deadline: number, signal: AbortSignal | undefined): Promise<Session> {
    throwIfAborted(signal);
    if (this.#state === "closed") throw this.#closedError();
    let stopWaiting = () => {};
    try {
      return await new Promise<Session>((resolve, reject) => {
        const waiter = { resolve, reject };
        this.#openWaiters.add(waiter);
        const timer = this.runtime.setTimer(() => reject(timeoutError(type)), deadline - this.runtime.now());
        const stopListening = onAbort(signal, reject);
        stopWaiting = () => {
          this.#openWaiters.delete(waiter);
          this.runtime.clearTimer(timer);
          stopListening();
        };
      });
    } finally {
      stopWaiting();
    }
  }

  async #close(timeoutMs: number): Promise<void> {
    if (this.#state === "closed") return;
    this.#enter("closing");
    let timer: unknown;
    const timeout = new Promise<false>((resolve) => {
      timer = this.runtime.setTimer(() => resolve(false), timeoutMs);
    });
    const drained = await Promise.race([this.#drain().then(() => true), timeout]);
    this.runtime.clearTimer(timer);
    const unconfirmed = this.publisher.pending;
    const consumers = this.#subscriptions.size;
    // While it drained, the connection was lost and could not be made again.
    if (this.#finalError !== undefined) throw this.#closedError();
    if (drained) await this.#sayBye();
    this.#finish(new PosthornError("closed", "The connection was closed by its owner."));
    if (drained) return;
    const message = `Closing took longer than ${timeoutMs} ms; what was not finished by then was given up.`;
    throw new PosthornError("timeout", message, { unconfirmed, consumers });
  }

  async #drain(): Promise<void> {
    // Handlers may publish and ask until they are through: so the consumers come first.
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.drain()));
    await this.publisher.whenIdle();
    await this.#session?.whenIdle();
  }

  async #sayBye(): Promise<void> {
    const session = this.#session;
    if (session === undefined) return;
    // From here on its end is expected and means nothing.
    this.#session = undefined;
    this.publisher.detach();
    const deadline = this.runtime.now() + byeTimeoutMs;
    await session.request("bye", {}, { deadline }).catch(() => {});
    session.abandon(this.#closedError());
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.runtime.setTimer(resolve, delayMs);
      this.#wake = () => {
        this.runtime.clearTimer(timer);
        resolve();
      };
    });
  }

  /** The end, for good. */
  #finish(error: PosthornError): void {
    if (this.#state === "closed") return;
    this.#finalError = error;
    const session = this.#session;
    this.#session = undefined;
    this.#enter("closed", error);
    session?.abandon(error);
    this.#upcoming?.abandon(error);
    this.#wake?.();
    this.publisher.fail(this.#closedError());
    for (const subscription of [...this.#subscriptions]) subscription.fail(this.#closedError());
    for (const { reject } of [...this.#openWaiters]) reject(this.#closedError());
  }

  /** What is told to who asks for something after the end. */
  #closedError(): PosthornError {
    const cause = this.#finalError;
    if (cause === undefined || cause.code === "closed") {
      return new PosthornError("closed", "The connection was closed by its owner.");
    }
    const error = new PosthornError("connection-closed", `The connection was given up: ${cause.message}`);
    error.cause = cause;
    return error;
  }

  #enter(next: ConnectionState, reason?: PosthornError): void {
    const previous = this.#state;
    if (!transitions[previous].includes(next)) throw new Error(`No way from ${previous} to ${next}.`);
    this.#state = next;
    this.events.emit("state", { state: next, previous, reason });
  }
}
