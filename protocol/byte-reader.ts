import { PosthornError } from "./errors.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The error for bytes that are not what the protocol says they should be. */
export function frameError(message: string): PosthornError {
  return new PosthornError("frame-error", message);
}

/** Decodes strict UTF-8. @throws PosthornError `frame-error` if it is not. */
export function decodeUtf8(bytes: Uint8Array, start: number, end: number): string {
  // Names are short and nearly always ASCII: a loop beats the decoder's call.
  if (end - start <= 48) {
    let text = "";
    let i = start;
    for (; i < end; i++) {
      const byte = bytes[i]!;
      if (byte > 0x7f) break;
      text += String.fromCharCode(byte);
    }
    if (i === end) return text;
  }
  try {
    return decoder.decode(bytes.subarray(start, end));
  } catch {
    throw frameError("A string is not valid UTF-8.");
  }
}

/** Reads values from a byte array. Every method throws `frame-error` rather than read past `end`. */
export class ByteReader {
  bytes: Uint8Array;
  at: number;
  end: number;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  /** Moves past `count` bytes and returns where they begin. */
  skip(count: number): number {
    const start = this.at;
    if (count > this.end - start) throw frameError("The frame ends in the middle of a value.");
    this.at = start + count;
    return start;
  }

  u8(): number {
    if (this.at >= this.end) throw frameError("The frame ends in the middle of a value.");
    return this.bytes[this.at++]!;
  }

  u16(): number {
    const start = this.skip(2);
    return (this.bytes[start]! << 8) | this.bytes[start + 1]!;
  }

  varint(): number {
    let byte = this.u8();
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    let factor = 128;
    do {
      byte = this.u8();
      value += (byte & 0x7f) * factor;
      factor *= 128;
      // The eighth byte has factor 2^49; with it all 53 bits are there.
      if (factor > 2 ** 56 || value > Number.MAX_SAFE_INTEGER) throw frameError("An integer is too large.");
    } while (byte >= 0x80);
    if (byte === 0) throw frameError("An integer is longer than it needs to be.");
    return value;
  }

  /** A signed 64-bit integer, as a `number` if it is a safe one. */
  integer(): number | bigint {
    const start = this.at;
    let zigzag = 0;
    let factor = 1;
    // Seven bytes hold 49 bits: nearly every integer is done without bigints, which cost ten times as much.
    for (let i = 0; i < 7; i++) {
      const byte = this.u8();
      zigzag += (byte & 0x7f) * factor;
      factor *= 128;
      if (byte >= 0x80) continue;
      if (byte === 0 && i > 0) throw frameError("An integer is longer than it needs to be.");
      return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
    }
    this.at = start;
    const value = this.#long();
    const narrow = Number(value);
    return Number.isSafeInteger(narrow) ? narrow : value;
  }

  #long(): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.u8();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (byte === 0) throw frameError("An integer is longer than it needs to be.");
        break;
      }
      if (shift >= 63n) throw frameError("An integer is too large.");
    }
    if (value > 0xffff_ffff_ffff_ffffn) throw frameError("An integer is too large.");
    return (value >> 1n) ^ -(value & 1n);
  }

  f64(): number {
    const start = this.skip(8);
    return new DataView(this.bytes.buffer, this.bytes.byteOffset + start, 8).getFloat64(0);
  }

  /** A view of the next `count` bytes, not a copy. */
  raw(count: number): Uint8Array {
    const start = this.skip(count);
    return this.bytes.subarray(start, this.at);
  }

  shortString(): string {
    const length = this.u8();
    const start = this.skip(length);
    return decodeUtf8(this.bytes, start, this.at);
  }

  /** Moves past a string with its length in one byte, which is checked but not decoded. */
  skipShortString(): void {
    const length = this.u8();
    const start = this.skip(length);
    const { bytes, at } = this;
    let ascii = start;
    while (ascii < at && bytes[ascii]! <= 0x7f) ascii++;
    if (ascii < at) decodeUtf8(bytes, ascii, at);
  }

  longString(): string {
    const length = this.varint();
    const start = this.skip(length);
    return decodeUtf8(this.bytes, start, this.at);
  }
}
