import { randomBytes } from "node:crypto";
import type { Broker } from "../broker/broker.ts";
import type { Login } from "../broker/login.ts";
import type { ClientSocket } from "./client-socket.ts";
import { ReconnectSchedule } from "./reconnect-schedule.ts";
import { Session, type SessionEvents } from "./session.ts";
import type { SessionLimits } from "./session-limits.ts";
import { SharedDeliveries } from "./shared-deliveries.ts";

export interface SessionsOptions {
  readonly broker: Broker;
  readonly login: Login;
  readonly limits: SessionLimits;
  /** How many of the clients that are sent away may come back in a second. */
  readonly reconnectsPerSecond: number;
  readonly product: { readonly product: string; readonly version: string };
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /** Calls back when a client that comes or goes has its turn. */
  readonly whenItsTurn: (begin: () => void) => void;
  readonly events: SessionEvents;
}

/** How often sessions look at their deadlines. */
export const tickMs = 250;

/** All sessions of the broker. */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #sessions = new Set<Session>();
  readonly #retryAfterMs: () => number;
  readonly #shared = new SharedDeliveries();
  #emptyWaiters: (() => void)[] = [];

  constructor(options: SessionsOptions) {
    this.#options = options;
    const schedule = new ReconnectSchedule(options.reconnectsPerSecond, options.now);
    this.#retryAfterMs = () => schedule.next();
    options.broker.onRelief(() => {
      for (const session of this.#sessions) session.relieve();
    });
    options.broker.onBlockedChange((blocked) => {
      for (const session of this.#sessions) session.blockedChanged(blocked);
    });
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** A connection has been made. Its owner calls the session's `receive` and `disconnected`. */
  open(socket: ClientSocket): Session {
    const { broker, login, limits, product, now, whenItsTurn, events } = this.#options;
    const session = new Session({
      id: randomBytes(12).toString("base64url"),
      socket,
      broker,
      login,
      shared: this.#shared,
      limits,
      product,
      nowMs: now(),
      whenItsTurn,
      retryAfterMs: this.#retryAfterMs,
      events: { ...events, onEnd: (ended, why) => this.#ended(ended, why) },
    });
    this.#sessions.add(session);
    return session;
  }

  /** To be called every {@link tickMs}. */
  tick(): void {
    const nowMs = this.#options.now();
    for (const session of this.#sessions) session.tick(nowMs);
  }

  /**
   * Tells all clients to leave, confirms what they have published, ends their sessions and waits until they are gone; cuts
   * off who is not after `timeoutMs`.
   */
  async close(timeoutMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        for (const session of this.#sessions) session.terminate();
        resolve();
      }, timeoutMs);
    });
    const message = "The broker is stopping.";
    for (const session of this.#sessions) session.goAway(message);
    await Promise.race([this.#options.broker.flushed(), deadline]);
    const empty = new Promise<void>((resolve) => this.#emptyWaiters.push(resolve));
    for (const session of this.#sessions) session.endAfterGoAway(message);
    if (this.#sessions.size > 0) await empty;
    clearTimeout(timer);
  }

  #ended(session: Session, why: string): void {
    this.#sessions.delete(session);
    this.#options.events.onEnd(session, why);
    if (this.#sessions.size === 0) for (const resolve of this.#emptyWaiters.splice(0)) resolve();
  }
}
