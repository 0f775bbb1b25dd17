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

/** Of `ws`: a text comes as bytes, too. */
type MessageListener = (data: Uint8Array<ArrayBuffer> & { toString(): string }, isBinary: boolean) => void;

/** That of the package `ws`, which is an event emitter besides. */
interface EmittingWebSocket extends WebSocketLike {
  on(event: "message", listener: MessageListener): void;
  off(event: "message", listener: MessageListener): void;
}

function isEmitter(socket: WebSocketLike): socket is EmittingWebSocket {
  return "on" in socket && "off" in socket;
}

/** A WebSocket that speaks the subprotocol; turns its events into calls. */
export class Transport {
  readonly #socket: WebSocketLike;
  #onMessage: MessageListener | undefined;

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
    socket.onopen = () => host.opened();
    if (isEmitter(socket)) {
      // `ws` copies each message for an ArrayBuffer, and makes an event of it: both are to be had without.
      this.#onMessage = (data, isBinary) => {
        if (isBinary) host.binary(new Uint8Array(data.buffer, data.byteOffset, data.length));
        else host.text(data.toString());
      };
      socket.on("message", this.#onMessage);
    } else {
      socket.binaryType = "arraybuffer";
      socket.onmessage = ({ data }: { readonly data: string | ArrayBuffer }) => {
        if (typeof data === "string") host.text(data);
        else host.binary(new Uint8Array(data));
      };
    }
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
    if (this.#onMessage !== undefined) (socket as EmittingWebSocket).off("message", this.#onMessage);
    // `ws` reports a close while connecting as an error, which without a listener would end the process.
    socket.onerror = () => {};
    try {
      socket.close(code, reason);
    } catch {
      // Already closed.
    }
  }
}
