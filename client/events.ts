import type { PosthornError } from "../protocol/errors.ts";
import type { BlockedFrame, GoawayFrame } from "../protocol/frames.ts";
import { callListener } from "./call-listener.ts";
import type { ReceivedMessage } from "./message.ts";
import type { ReturnedError } from "./returned-error.ts";

/**
 * - `connecting`: the first attempt is under way.
 * - `open`: connected; everything works.
 * - `reconnecting`: the connection was lost and is being made again. Requests and publishes wait.
 * - `closing`: `close()` was called; what is under way is being finished.
 * - `closed`: the end.
 */
export type ConnectionState = "connecting" | "open" | "reconnecting" | "closing" | "closed";

export interface StateChange {
  readonly state: ConnectionState;
  readonly previous: ConnectionState;
  /** Why the connection was lost or ended. */
  readonly reason: PosthornError | undefined;
}

/** The broker is about to close the connection; the client comes back by itself. */
export type GoawayNotice = Omit<GoawayFrame, "type">;

/** The broker is short of disk (`disk-full`) or memory (`memory-high`) and takes no publishes. */
export type BlockedNotice = Omit<BlockedFrame, "type">;

/** What can be listened to with `on`. */
export interface PosthornEvents {
  state: (change: StateChange) => void;
  /** A mandatory message came back. Told by the promise of `publish`, too, unless with `confirm: false`. */
  return: (error: ReturnedError) => void;
  /**
   * Something failed that no promise tells: a handler threw (`message` is what it was given), the broker ended a
   * consumer, something declared could not be brought back, a publish with `confirm: false` was refused.
   */
  error: (error: unknown, message?: ReceivedMessage) => void;
  goaway: (notice: GoawayNotice) => void;
  /** The broker takes no publishes for now; they wait. Comes again if the reason changes. */
  blocked: (notice: BlockedNotice) => void;
  /** It takes publishes again, or the connection to it was lost. */
  unblocked: () => void;
}

type Listeners = { readonly [E in keyof PosthornEvents]: Set<PosthornEvents[E]> };

export class Events {
  readonly #listeners: Listeners = {
    state: new Set(),
    return: new Set(),
    error: new Set(),
    goaway: new Set(),
    blocked: new Set(),
    unblocked: new Set(),
  };

  on<E extends keyof PosthornEvents>(event: E, listener: PosthornEvents[E]): () => void {
    // Each registration is one of its own, also of the same function.
    const own = ((...args: never[]) => (listener as (...all: never[]) => void)(...args)) as PosthornEvents[E];
    this.#listeners[event].add(own);
    return () => void this.#listeners[event].delete(own);
  }

  emit<E extends keyof PosthornEvents>(event: E, ...args: Parameters<PosthornEvents[E]>): void {
    const listeners = this.#listeners[event] as ReadonlySet<(...all: typeof args) => void>;
    // An error must not vanish because nobody listens.
    if (event === "error" && listeners.size === 0) console.error("posthorn:", args[0]);
    for (const listener of [...listeners]) callListener(() => listener(...args));
  }
}
