import { type IncomingMessage, type Server, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import { subprotocol } from "../../protocol/version.ts";
import type { ClientSocket, SharedFrames } from "./client-socket.ts";
import { ConnectionCounts, type ConnectionLimits } from "./connection-counts.ts";
import type { Sessions } from "./sessions.ts";
import { wireFrame } from "./wire-frame.ts";

export interface WebSocketListenerOptions {
  readonly server: Server;
  readonly sessions: Sessions;
  readonly limits: ConnectionLimits & { readonly maxFrameBytes: number };
  /** Whether a page of this origin may connect. */
  readonly originAllowed: (origin: string | undefined, host: string | undefined) => boolean;
  /** Groups addresses that count as one client. */
  readonly addressKey: (address: string) => string;
  /** Calls back when a client that comes or goes has its turn. */
  readonly whenItsTurn: (begin: () => void) => void;
  readonly onRefused: (address: string, status: number, why: string) => void;
}

/** What a client may send before it has been let in. */
const maxUnauthenticatedBytes = 64 * 1024;
/** A WebSocket close frame has room for this much of a reason. */
const maxReasonBytes = 123;
/** A larger message is not copied to have its header in front of it. */
const maxCopiedBytes = 4096;

/** Makes sessions of WebSocket connections. The one place that knows `ws`. */
export class WebSocketListener {
  readonly #options: WebSocketListenerOptions;
  readonly #webSockets: WebSocketServer;
  readonly #counts: ConnectionCounts;
  #isClosed = false;

  constructor(options: WebSocketListenerOptions) {
    this.#options = options;
    this.#counts = new ConnectionCounts(options.limits);
    this.#webSockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      // Compression costs 240 KiB a connection, and is what compression bombs need.
      perMessageDeflate: false,
      maxPayload: options.limits.maxFrameBytes,
      // Each fragment and each chunk of one message costs memory of its own (CVE-2026-48779).
      maxFragments: 4096,
      handleProtocols: (offered) => (offered.has(subprotocol) ? subprotocol : false),
    });
    options.server.on("connection", (socket: Socket) => {
      const address = socket.remoteAddress ?? "";
      const leave = this.#counts.arrive(options.addressKey(address));
      if (leave !== undefined) socket.once("close", leave);
      else {
        socket.destroy();
        options.onRefused(address, 503, "Too many sockets.");
      }
    });
    options.server.on("upgrade", (request, socket, head) => {
      // An error before the handshake is done would otherwise end the process.
      const onError = () => socket.destroy();
      socket.on("error", onError);
      options.whenItsTurn(() => this.#upgrade(request, socket, head, onError));
    });
  }

  /** No connection is accepted any more; those that are there stay. */
  close(): void {
    this.#isClosed = true;
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, onError: () => void): void {
    if (this.#isClosed) {
      refuse(socket, 503, "The broker is stopping.");
      return;
    }
    const address = request.socket.remoteAddress ?? "";
    const refusal = this.#refusal(request, address);
    if (refusal !== undefined) {
      this.#options.onRefused(address, refusal.status, refusal.why);
      refuse(socket, refusal.status, refusal.why);
      return;
    }
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      socket.off("error", onError);
      this.#accept(webSocket, request.socket, address);
    });
  }

  #refusal(request: IncomingMessage, address: string): { status: number; why: string } | undefined {
    const { origin, host } = request.headers;
    if (!this.#options.originAllowed(origin, host)) {
      return { status: 403, why: `Pages from ${origin} may not connect (see allowedOrigins).` };
    }
    const offered = request.headers["sec-websocket-protocol"];
    if (offered !== undefined && !offered.split(",").some((name) => name.trim() === subprotocol)) {
      return { status: 400, why: `The subprotocol must be ${subprotocol}.` };
    }
    const exceeded = this.#counts.exceeded(this.#options.addressKey(address));
    return exceeded === undefined ? undefined : { status: 503, why: `Too many connections (${exceeded}).` };
  }

  #accept(webSocket: WebSocket, socket: Socket, address: string): void {
    const key = this.#options.addressKey(address);
    const count = this.#counts.add(key);
    let early = 0;
    const limitEarly = (chunk: Buffer) => {
      early += chunk.length;
      if (early > maxUnauthenticatedBytes) webSocket.terminate();
    };
    socket.on("data", limitEarly);
    const session = this.#options.sessions.open(
      new WebSocketClientSocket(webSocket, socket, address, () => {
        socket.off("data", limitEarly);
        count.admit();
      }),
    );
    webSocket.on("message", (data: RawData, isBinary: boolean) => {
      const bytes = data as Buffer;
      session.receive(isBinary ? bytes : bytes.toString("utf8"));
    });
    // `ws` closes the connection after an error with the right code; `close` follows.
    webSocket.on("error", () => {});
    webSocket.on("close", () => {
      count.remove();
      this.#options.whenItsTurn(() => session.disconnected());
    });
  }
}

class WebSocketClientSocket implements ClientSocket {
  readonly remoteAddress: string;
  readonly #webSocket: WebSocket;
  readonly #socket: Socket;
  readonly #onAdmit: () => void;

  constructor(webSocket: WebSocket, socket: Socket, remoteAddress: string, onAdmit: () => void) {
    this.#webSocket = webSocket;
    this.#socket = socket;
    this.remoteAddress = remoteAddress;
    this.#onAdmit = onAdmit;
  }

  get receivedBytes(): number {
    return this.#socket.bytesRead;
  }

  get bufferedBytes(): number {
    return this.#webSocket.bufferedAmount;
  }

  send(data: string | Uint8Array, onTaken: () => void): void {
    if (typeof data === "string" || data.length > maxCopiedBytes) this.#webSocket.send(data, onTaken);
    else this.#write(wireFrame(data), onTaken);
  }

  sendShared(frames: SharedFrames, onTaken: () => void): void {
    this.#write(frames.wire, onTaken);
  }

  /**
   * `ws` gives the system header and payload as two pieces, which costs a quarter more for each small message. It keeps
   * nothing back itself, since there is no compression: so what is written past it keeps its place.
   */
  #write(frame: Uint8Array, onTaken: () => void): void {
    if (this.#webSocket.readyState === this.#webSocket.OPEN) this.#socket.write(frame, onTaken);
    // It went meanwhile.
    else onTaken();
  }

  pause(): void {
    this.#webSocket.pause();
  }

  resume(): void {
    this.#webSocket.resume();
  }

  admit(): void {
    this.#onAdmit();
  }

  close(code: number, reason: string): void {
    // A paused connection would never see the answer to its close.
    this.#webSocket.resume();
    this.#webSocket.close(code, clip(reason));
  }

  terminate(): void {
    this.#webSocket.terminate();
  }
}

function clip(reason: string): string {
  if (Buffer.byteLength(reason) <= maxReasonBytes) return reason;
  return new TextDecoder().decode(Buffer.from(reason).subarray(0, maxReasonBytes - 3)).replace(/\uFFFD$/, "");
}

function refuse(socket: Duplex, status: number, why: string): void {
  const body = `${why}\n`;
  socket.on("error", () => socket.destroy());
  // Otherwise a client that does not close its end would keep the connection, and the broker from stopping.
  socket.once("finish", () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\n` +
      `${status === 503 ? "retry-after: 1\r\n" : ""}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
