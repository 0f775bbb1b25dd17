import { Broker } from "../../server/broker/broker.ts";
import { Login } from "../../server/broker/login.ts";
import { LoginThrottle } from "../../server/broker/login-throttle.ts";
import { Users } from "../../server/broker/users.ts";
import { EmbeddedEngine } from "../../server/embedded/embedded-engine.ts";
import type { EmbeddedEngineOptions } from "../../server/embedded/engine-options.ts";
import { MemoryStore } from "../../server/embedded/store/memory-store.ts";
import type { Engine } from "../../server/engine/engine.ts";
import type { Session } from "../../server/session/session.ts";
import type { SessionLimits } from "../../server/session/session-limits.ts";
import { Sessions } from "../../server/session/sessions.ts";
import { consumerLimits } from "./embedded.ts";
import { FakeSocket } from "./fake-socket.ts";

const kiB = 1024;

const defaultLimits: SessionLimits = {
  maxMessageBytes: 1024 * kiB,
  maxHeaderBytes: 64 * kiB,
  maxFrameBytes: 2048 * kiB,
  maxPrefetch: 1000,
  defaultPrefetch: 100,
  maxConsumers: 100,
  helloTimeoutMs: 5000,
  heartbeatMs: 20_000,
  highWaterBytes: 64 * kiB,
  maxBytes: 256 * kiB,
  slowConsumer: "pause",
  slowConsumerAllowed: ["pause", "conflate", "close"],
  slowConsumerTimeoutMs: 30_000,
};

/** One client of {@link SessionWorld}. */
export interface TestSession {
  readonly session: Session;
  readonly socket: FakeSocket;
  /** A WebSocket message with this frame arrives. */
  send(frame: { readonly [field: string]: unknown }): void;
  /** Why the session has ended; `undefined` while it has not. */
  endedWith(): string | undefined;
}

/** Sessions over sockets in memory, and a clock that goes on when it is told to. */
export interface SessionWorld {
  readonly sessions: Sessions;
  /** Errors that no client caused. */
  readonly errors: unknown[];
  connect(): TestSession;
  /** A client that has said hello. */
  open(hello?: { readonly [field: string]: unknown }): Promise<TestSession>;
  /** Lets time pass, with the ticks that fall into it. */
  pass(ms: number): void;
}

/** Lets everything happen that follows from what has been done. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}

export async function startSessions(
  options: {
    readonly limits?: Partial<SessionLimits>;
    readonly engine?: (engine: Engine) => Engine;
    readonly engineOptions?: Partial<EmbeddedEngineOptions>;
  } = {},
): Promise<SessionWorld> {
  const embedded = new EmbeddedEngine({
    store: new MemoryStore(),
    limits: {
      maxExchanges: 100,
      maxQueues: 100,
      maxBindingsPerQueue: 100,
      maxPolicies: 100,
      ...consumerLimits,
    },
    memoryBudgetBytes: 256 * 1024 * kiB,
    queueMemoryBytes: 64 * 1024 * kiB,
    maxUncommittedBytes: 64 * 1024 * kiB,
    defer: (callback) => void setImmediate(callback),
    now: () => 0,
    delay: () => {},
    random: Math.random,
    events: {
      onFailure: (error) => errors.push(error),
      onDamage: (_queue, error) => errors.push(error),
      onCircuitChange: () => {},
      onMissingTarget: (...facts) => errors.push(facts),
    },
    ...options.engineOptions,
  });
  await embedded.start();
  const errors: unknown[] = [];
  const limits = { ...defaultLimits, ...options.limits };
  const ends = new Map<Session, string>();
  let nowMs = 1000;
  const now = () => nowMs;
  const sessions = new Sessions({
    broker: new Broker({ engine: options.engine?.(embedded) ?? embedded, limits, onEvent: () => {} }),
    login: new Login(new Users([]), new LoginThrottle({ now }), () => {}),
    limits,
    product: { product: "posthorn", version: "test" },
    reconnectsPerSecond: 1000,
    whenItsTurn: (begin) => begin(),
    now,
    events: {
      onOpen: () => {},
      onEnd: (session, why) => ends.set(session, why),
      onError: (_session, error) => errors.push(error),
    },
  });
  const world: SessionWorld = {
    sessions,
    errors,
    connect() {
      const socket = new FakeSocket();
      const session = sessions.open(socket);
      return {
        session,
        socket,
        send: (frame) => session.receive(JSON.stringify(frame)),
        endedWith: () => ends.get(session),
      };
    },
    async open(hello = {}) {
      const client = world.connect();
      client.send({ type: "hello", id: 1, protocol: 1, ...hello });
      await settled();
      return client;
    },
    pass(ms) {
      const endMs = nowMs + ms;
      while (nowMs < endMs) {
        nowMs = Math.min(nowMs + 250, endMs);
        sessions.tick();
      }
    },
  };
  return world;
}
