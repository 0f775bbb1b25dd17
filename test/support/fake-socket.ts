import { decodeMessageFrames, messageFrameToJson } from "../../protocol/index.ts";
import type { ClientSocket, SharedFrames } from "../../server/session/client-socket.ts";
import type { Frame } from "./raw-client.ts";

/** A connection in memory whose client reads when it is told to. */
export class FakeSocket implements ClientSocket {
  readonly remoteAddress: string = "192.0.2.1";
  /** Every WebSocket message sent, as frames. */
  readonly messages: {
    readonly data: string | Uint8Array;
    readonly bytes: number;
    readonly frames: readonly Frame[];
  }[] = [];
  isPaused = false;
  isAdmitted = false;
  isTerminated = false;
  closed: { readonly code: number; readonly reason: string } | undefined;
  bufferedBytes = 0;
  receivedBytes = 0;
  /** The client reads everything at once. */
  #reads = true;
  #untaken: { readonly bytes: number; readonly onTaken: () => void }[] = [];

  get frames(): Frame[] {
    return this.messages.flatMap(({ frames }) => frames);
  }

  of(type: string): Frame[] {
    return this.frames.filter((frame) => frame.type === type);
  }

  send(data: string | Uint8Array, onTaken: () => void): void {
    const bytes = data.length;
    const frames =
      typeof data === "string"
        ? [JSON.parse(data) as Frame]
        : decodeMessageFrames(data).map(messageFrameToJson);
    this.messages.push({ data, bytes, frames });
    this.bufferedBytes += bytes;
    this.#untaken.push({ bytes, onTaken });
    if (this.#reads) queueMicrotask(() => this.#takeAll());
  }

  sendShared({ payload }: SharedFrames, onTaken: () => void): void {
    this.send(payload, onTaken);
  }

  /** From now on the client reads nothing. */
  stopReading(): void {
    this.#reads = false;
  }

  /** The client reads what waits, and what comes from now on. */
  startReading(): void {
    this.#reads = true;
    this.#takeAll();
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  admit(): void {
    this.isAdmitted = true;
  }

  close(code: number, reason: string): void {
    this.closed ??= { code, reason };
  }

  terminate(): void {
    this.isTerminated = true;
  }

  #takeAll(): void {
    for (const { bytes, onTaken } of this.#untaken.splice(0)) {
      this.bufferedBytes -= bytes;
      onTaken();
    }
  }
}
