import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { addressKey } from "./broker/address-key.ts";
import { Broker } from "./broker/broker.ts";
import type { BrokerEvent } from "./broker/broker-event.ts";
import { Login } from "./broker/login.ts";
import { LoginThrottle } from "./broker/login-throttle.ts";
import { Users } from "./broker/users.ts";
import { isLoopback } from "./config/loopback.ts";
import type { Config } from "./config.ts";
import { EmbeddedEngine } from "./embedded/embedded-engine.ts";
import { LmdbStore } from "./embedded/store/lmdb-store.ts";
import { MemoryStore } from "./embedded/store/memory-store.ts";
import type { Store } from "./embedded/store/store.ts";
import { createHttpServer } from "./http/http-server.ts";
import { originAllowed } from "./http/origin.ts";
import type { Logger } from "./log.ts";
import { collectGarbage, usedMemoryBytes } from "./process-memory.ts";
import { Sessions, tickMs } from "./session/sessions.ts";
import { WebSocketListener } from "./session/websocket-listener.ts";
import { SteadyClock } from "./steady-clock.ts";
import { TurnByTurn } from "./turn-by-turn.ts";
import { version } from "./version.ts";

export interface StartOptions {
  readonly config: Config;
  readonly log: Logger;
  /**
   * The store has failed: nothing can be confirmed any more, and the process should end so that a restart can recover.
   * `main.ts` exits with {@link storeFailureExitCode}.
   */
  readonly onFailure: (error: unknown) => void;
  /** Default: LMDB in `config.dataDir`, or memory with `config.memory`. */
  readonly store?: Store;
  /** Milliseconds of a clock that never goes back. Default `performance.now`. */
  readonly now?: () => number;
  /** Time for what is due in queues. Default: the system's. */
  readonly clock?: Clock;
}

export interface Clock {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Calls back after some milliseconds. */
  readonly delay: (delayMs: number, callback: () => void) => void;
}

/** What a broker holds. */
export interface BrokerCounts {
  readonly sessions: number;
  readonly exchanges: number;
  readonly queues: number;
  readonly consumers: number;
}

/** A broker that runs. */
export interface RunningBroker {
  readonly host: string;
  readonly port: number;
  /** Where clients connect: `ws://…`. */
  readonly url: string;
  /** How much there is of everything at the moment. Connections count until everything of theirs is gone. */
  counts(): BrokerCounts;
  /** Stops accepting, tells clients, writes what is under way, and ends. */
  stop(): Promise<void>;
}

/** Builds a broker from its parts and starts it. Rejects if the store cannot be opened or the address is taken. */
export async function startBroker({
  config,
  log,
  onFailure,
  ...options
}: StartOptions): Promise<RunningBroker> {
  const now = options.now ?? (() => performance.now());
  const clock = options.clock ?? new SteadyClock();
  const store =
    options.store ?? (config.memory ? new MemoryStore() : new LmdbStore({ directory: config.dataDir }));
  const engine = new EmbeddedEngine({
    store,
    limits: config,
    memoryBudgetBytes: config.memoryBudgetBytes,
    queueMemoryBytes: config.queueMemoryBytes,
    maxUncommittedBytes: config.maxUncommittedBytes,
    overload: {
      minFreeDiskBytes: config.minFreeDiskBytes,
      maxMemoryBytes: config.maxMemoryBytes,
      usedMemoryBytes,
      collectGarbage,
    },
    defer: (callback) => void setImmediate(callback),
    now: clock.now,
    delay: clock.delay,
    ...(clock instanceof SteadyClock && { steadyClock: clock }),
    random: Math.random,
    events: {
      onFailure,
      onDamage: (queue, error) =>
        log.error({ queue, err: error }, "A queue's messages cannot be read: nothing is delivered from it"),
      onCircuitChange: (queue, state, failed, deliveries) => {
        if (state === "open" && deliveries > 0)
          log.warn({ queue, failed, deliveries }, "Too many deliveries fail: the queue's circuit is open");
        else log.info({ queue, state }, "A queue's circuit has changed its state");
      },
      onMissingTarget: (argument, target, of) =>
        log.warn(
          { [argument]: target, of },
          "Messages are dropped for want of the exchange or queue they should go on to",
        ),
    },
  });
  const broker = new Broker({
    engine,
    limits: config,
    onEvent: ({ type, ...facts }) => log[eventLevels[type] ?? "debug"](facts, type),
  });
  const login = new Login(new Users(config.users), new LoginThrottle({ now }), (event) =>
    log.warn(event, "login failed"),
  );
  const { run: whenItsTurn } = new TurnByTurn();
  const sessions = new Sessions({
    broker,
    login,
    now,
    whenItsTurn,
    product: { product: "posthorn", version },
    reconnectsPerSecond: config.reconnectsPerSecond,
    limits: {
      ...config,
      maxConsumers: config.maxConsumersPerSession,
      highWaterBytes: config.outboundHighWaterBytes,
      maxBytes: config.outboundMaxBytes,
    },
    events: {
      onOpen: ({ id, user, remoteAddress }) =>
        log.info({ session: id, user, from: remoteAddress }, "client connected"),
      onEnd: ({ id, user }, why) => log.info({ session: id, user, why }, "client gone"),
      onError: ({ id }, error) =>
        log.error({ session: id, err: error }, "a request failed inside the broker"),
    },
  });
  const boundToLoopback = isLoopback(config.host);
  let isStopping = false;
  const server = createHttpServer({
    clientScriptPath: fileURLToPath(new URL("../client.js", import.meta.url)),
    health: () => ({ status: isStopping ? "stopping" : "ok", version }),
    onError: (error) => log.error({ err: error }, "an HTTP request failed"),
  });
  const listener = new WebSocketListener({
    server,
    sessions,
    limits: config,
    originAllowed: (origin, host) => originAllowed(origin, host, config.allowedOrigins, boundToLoopback),
    addressKey,
    whenItsTurn,
    onRefused: (from, status, why) => log.warn({ from, status, why }, "connection refused"),
  });

  await engine.start();
  try {
    await listen(server, config.host, config.port);
  } catch (error) {
    await engine.stop();
    throw error;
  }
  const ticker = setInterval(() => sessions.tick(), tickMs);
  const { port } = server.address() as AddressInfo;
  const shownHost = config.host.includes(":") ? `[${config.host}]` : config.host;

  return {
    host: config.host,
    port,
    url: `ws://${shownHost}:${port}`,
    counts: () => ({ sessions: sessions.size, ...broker.counts() }),
    async stop() {
      isStopping = true;
      listener.close();
      await sessions.close(config.shutdownTimeoutMs);
      clearInterval(ticker);
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
      await engine.stop();
    },
  };
}

/** Events that are more than what clients do all day. */
const eventLevels: { readonly [type in BrokerEvent["type"]]?: "info" | "warn" } = {
  "login-failed": "warn",
  "policy-set": "info",
  "policy-deleted": "info",
  "publishers-blocked": "warn",
  "publishers-unblocked": "info",
};

/** Connections that the system keeps while the broker is busy; it cuts that to its own limit (somaxconn). */
const acceptBacklog = 4096;

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, host, backlog: acceptBacklog }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
