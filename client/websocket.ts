import { PosthornError } from "../protocol/errors.ts";

/** The part of the W3C WebSocket that the client uses. */
export interface WebSocketLike {
  binaryType: string;
  readonly bufferedAmount: number;
  readonly protocol: string;
  onopen: unknown;
  onmessage: unknown;
  onclose: unknown;
  onerror: unknown;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
}

/** Any class with the W3C WebSocket's interface: a browser's, Node's (22 and later), or that of the package `ws`. */
export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike;

/**
 * The WebSocket of this place: the global one, or in Node without it the package `ws`.
 * @throws PosthornError `connect-failed` if there is none.
 */
export async function findWebSocket(): Promise<WebSocketConstructor> {
  const { WebSocket } = globalThis as { WebSocket?: unknown };
  if (WebSocket !== undefined) return WebSocket as WebSocketConstructor;
  // A name in a variable, so that bundlers for browsers leave it alone: it is only reached in Node.
  const name = "ws";
  try {
    const ws = (await import(/* @vite-ignore */ /* webpackIgnore: true */ name)) as {
      default: WebSocketConstructor;
    };
    return ws.default;
  } catch (cause) {
    const error = new PosthornError(
      "connect-failed",
      "There is no global WebSocket here, and the package `ws` is not installed. Pass one as `webSocket`.",
    );
    error.cause = cause;
    throw error;
  }
}
