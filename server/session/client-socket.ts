import { wireFrame } from "./wire-frame.ts";

/** A binary message that goes to many clients. */
export class SharedFrames {
  readonly payload: Uint8Array;
  #wire: Uint8Array | undefined;

  constructor(payload: Uint8Array) {
    this.payload = payload;
  }

  /** As it goes over the wire, WebSocket header included; made once for all. */
  get wire(): Uint8Array {
    this.#wire ??= wireFrame(this.payload);
    return this.#wire;
  }
}

/** What a session needs of its connection. `ws` provides it in `websocket-listener.ts`, tests in memory. */
export interface ClientSocket {
  readonly remoteAddress: string;
  /** Bytes that have come from the client so far. */
  readonly receivedBytes: number;
  /** Bytes handed over and not yet taken by the operating system. */
  readonly bufferedBytes: number;
  /** `onTaken` is called once the operating system has taken the bytes, or the connection has ended. */
  send(data: string | Uint8Array, onTaken: () => void): void;
  /** As `send`, for what others get too. */
  sendShared(frames: SharedFrames, onTaken: () => void): void;
  /** Stops reading; what has been read already still arrives. */
  pause(): void;
  resume(): void;
  /** The limits for clients that have not said who they are end here. */
  admit(): void;
  /** Closes in order: what was sent before still arrives. */
  close(code: number, reason: string): void;
  /** Cuts the connection. */
  terminate(): void;
}
