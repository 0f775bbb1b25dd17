import { decodeMessageFrames, messageFrameToJson } from "../../../protocol/index.ts";

/** Numbers of publishes that a `confirm` without an error names. */
export interface ConfirmedRange {
  readonly encoding: "json" | "binary";
  readonly first: number;
  readonly last: number;
}

/** What a piece of the stream holds. */
export interface Said {
  readonly confirmed: readonly ConfirmedRange[];
  /** WebSocket messages with anything else in them. */
  readonly others: readonly Uint8Array[];
}

/** What one server has sent through one socket, put together again: the handshake, then frames, which servers do not mask. */
export class ServerStream {
  #bytes: Buffer = Buffer.alloc(0);
  #isOpen = false;

  /** Takes the next bytes; returns what is complete with them. */
  push(bytes: Buffer): Said {
    this.#bytes = this.#bytes.length === 0 ? bytes : Buffer.concat([this.#bytes, bytes]);
    const confirmed: ConfirmedRange[] = [];
    const others: Uint8Array[] = [];
    if (!this.#isOpen && !this.#skipHandshake()) return { confirmed, others };
    for (let payload = this.#next(); payload !== undefined; payload = this.#next()) {
      const encoding = payload.opcode === 1 ? "json" : "binary";
      let hasOthers = false;
      for (const { type, code, first, last } of framesOf(payload)) {
        if (type !== "confirm") hasOthers = true;
        else if (code === undefined)
          confirmed.push({ encoding, first: first as number, last: last as number });
      }
      if (hasOthers) others.push(payload.bytes);
    }
    return { confirmed, others };
  }

  #skipHandshake(): boolean {
    const end = this.#bytes.indexOf("\r\n\r\n");
    if (end < 0) return false;
    this.#bytes = this.#bytes.subarray(end + 4);
    this.#isOpen = true;
    return true;
  }

  #next(): { readonly opcode: number; readonly bytes: Buffer } | undefined {
    const bytes = this.#bytes;
    if (bytes.length < 2) return undefined;
    const short = bytes[1]! & 0x7f;
    const headBytes = short === 127 ? 10 : short === 126 ? 4 : 2;
    if (bytes.length < headBytes) return undefined;
    const length =
      short === 127 ? Number(bytes.readBigUInt64BE(2)) : short === 126 ? bytes.readUInt16BE(2) : short;
    if (bytes.length < headBytes + length) return undefined;
    this.#bytes = bytes.subarray(headBytes + length);
    return { opcode: bytes[0]! & 0x0f, bytes: bytes.subarray(headBytes, headBytes + length) };
  }
}

interface AnyFrame {
  readonly type: string;
  readonly code?: unknown;
  readonly first?: unknown;
  readonly last?: unknown;
}

function framesOf({ opcode, bytes }: { readonly opcode: number; readonly bytes: Buffer }): AnyFrame[] {
  if (opcode === 1) return [JSON.parse(bytes.toString()) as AnyFrame];
  if (opcode === 2) return decodeMessageFrames(bytes).map((frame) => messageFrameToJson(frame) as AnyFrame);
  return [];
}
