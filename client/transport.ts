import { PosthornError } from "../protocol/errors.ts";
import { subprotocol } from "../protocol/version.ts";
import type { WebSocketConstructor, WebSocketLike } from "./websocket.ts";

export interface TransportHost {
  opened(): void;
  text(data: string): void;
  binary(bytes: Uint8Array): void;
  /** The WebSocket is closed. Never called after {@link Transport.abandon}. */
  closed(code: number, reason: string): void;
}

/** A WebSocket that speaks the subprotocol; turns its events into calls. */
export class Transport {
  readonly #socket: WebSocketLike;

  /** @throws PosthornError `invalid-argument` for a URL that a WebSocket refuses. */
  constructor(webSocket: WebSocketConstructor, url: string, host: TransportHost) {
    let socket: WebSocketLike;
    try {
      socket = new webSocket(url, [subprotocol]);
    } catch (cause) {
      const error = new PosthornError("invalid-argument", `${JSON.stringify(url)} is not a WebSocket URL.`);
      error.cause = cause;
      throw error;
    }
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => host.opened();
    socket.onmessage = (event: { readonly data: unknown }) => {
      if (typeof event.data === "string") host.text(event.data);
      else host.binary(new Uint8Array(event.data as ArrayBuffer));
    };
    let failure = "";
    // Browsers tell nothing about an error; `ws` does, and the close that follows has no reason then.
    socket.onerror = (event: { readonly message?: string }) => {
      failure = event.message ?? "";
    };
    socket.onclose = (event: { readonly code: number; readonly reason: string }) => {
      host.closed(event.code, event.reason === "" ? failure : event.reason);
    };
  }

  /** Bytes handed over that have not left yet. */
  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  /** The subprotocol that the other side chose. */
  get protocol(): string {
    return this.#socket.protocol;
  }

  send(data: string | Uint8Array): void {
    // Never shared memory, which WebSockets refuse: everything that is sent was written by a ByteWriter.
    this.#socket.send(data as string | Uint8Array<ArrayBuffer>);
  }

  /** Closes without waiting for the other side, who may be gone: no event comes after this. */
  abandon(code: number, reason: string): void {
    const socket = this.#socket;
    socket.onopen = socket.onmessage = socket.onclose = null;
    // `ws` reports a close while connecting as an error, which without a listener would end the process.
    socket.onerror = () => {};
    try {
      socket.close(code, reason);
    } catch {
      // Already closed.
    }
  }
}
