import { PosthornError } from "../protocol/errors.ts";
import { atLeast } from "./option-check.ts";
import type { WebSocketConstructor } from "./websocket.ts";

export interface ReconnectOptions {
  /** Upper bound of the wait before the first attempt, in milliseconds; doubles each time. Default 100. */
  readonly initialDelayMs?: number;
  /** Largest upper bound of the wait, in milliseconds. Default 10,000. */
  readonly maxDelayMs?: number;
  /** Attempts in a row before giving up. Default: no limit. */
  readonly maxAttempts?: number;
}

/** Options of `connect`. All are optional. */
export interface ConnectOptions {
  /** Name of the user; needs `password`. Default: none, which a broker without users accepts. */
  readonly user?: string;
  readonly password?: string;
  /** Shown in the broker's logs and lists of connections. */
  readonly name?: string;
  /** A class with the W3C WebSocket's interface. Default: the global one, in Node without it the package `ws`. */
  readonly webSocket?: WebSocketConstructor;
  /** Longest silence before the connection counts as half dead, in milliseconds; dead after two. 0: off. Default 20,000. */
  readonly heartbeatMs?: number;
  /** How long one attempt to connect may take, in milliseconds. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** How long a request may wait for its answer, reconnects included, in milliseconds. Default 30,000. */
  readonly requestTimeoutMs?: number;
  /** How to come back after a lost connection. `false`: not at all. */
  readonly reconnect?: ReconnectOptions | false;
  /** Publishes under way at once; the next wait for a confirm. Default 1000. */
  readonly maxUnconfirmed?: number;
  /** The same in bytes; a single larger message still goes. Default 64 MiB. */
  readonly maxUnconfirmedBytes?: number;
  /** How much is kept of what is published while disconnected or blocked; beyond it, `publish` rejects with `buffer-full`. */
  readonly publishBuffer?: {
    /** Default 10,000. */
    readonly maxMessages?: number;
    /** Default 16 MiB. */
    readonly maxBytes?: number;
  };
  /**
   * What becomes of publishes while the broker is short of disk or memory. `"wait"`, the default: they are kept and sent when
   * there is room again, as while disconnected. `"reject"`: they reject with `disk-full` or `memory-high`.
   */
  readonly whenBlocked?: "wait" | "reject";
  /** Ends the first attempt to connect. */
  readonly signal?: AbortSignal;
}

export type ReconnectSettings = Required<ReconnectOptions>;

export interface PublishSettings {
  readonly maxUnconfirmed: number;
  readonly maxUnconfirmedBytes: number;
  readonly maxBufferedMessages: number;
  readonly maxBufferedBytes: number;
  readonly whenBlocked: "wait" | "reject";
}

/** The options with every default filled in. */
export interface Settings {
  readonly credentials: { readonly user: string; readonly password: string } | undefined;
  readonly name: string | undefined;
  readonly heartbeatMs: number;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly reconnect: ReconnectSettings | undefined;
  readonly publish: PublishSettings;
}

/** @throws PosthornError `invalid-argument` that names the option. */
export function resolveOptions(options: ConnectOptions): Settings {
  const { user, password, name, reconnect = {}, publishBuffer = {} } = options;
  if ((user === undefined) !== (password === undefined)) {
    throw new PosthornError("invalid-argument", "The options user and password belong together.");
  }
  return {
    credentials: user === undefined || password === undefined ? undefined : { user, password },
    name,
    heartbeatMs: atLeast(0, "heartbeatMs", options.heartbeatMs, 20_000),
    connectTimeoutMs: atLeast(1, "connectTimeoutMs", options.connectTimeoutMs, 10_000),
    requestTimeoutMs: atLeast(1, "requestTimeoutMs", options.requestTimeoutMs, 30_000),
    reconnect:
      reconnect === false
        ? undefined
        : {
            initialDelayMs: atLeast(0, "reconnect.initialDelayMs", reconnect.initialDelayMs, 100),
            maxDelayMs: atLeast(0, "reconnect.maxDelayMs", reconnect.maxDelayMs, 10_000),
            maxAttempts: atLeast(0, "reconnect.maxAttempts", reconnect.maxAttempts, Number.POSITIVE_INFINITY),
          },
    publish: {
      maxUnconfirmed: atLeast(1, "maxUnconfirmed", options.maxUnconfirmed, 1000),
      maxUnconfirmedBytes: atLeast(1, "maxUnconfirmedBytes", options.maxUnconfirmedBytes, 64 * 1024 * 1024),
      maxBufferedMessages: atLeast(0, "publishBuffer.maxMessages", publishBuffer.maxMessages, 10_000),
      whenBlocked: options.whenBlocked ?? "wait",
      maxBufferedBytes: atLeast(0, "publishBuffer.maxBytes", publishBuffer.maxBytes, 16 * 1024 * 1024),
    },
  };
}
