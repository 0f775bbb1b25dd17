const encoder = new TextEncoder();

/** Appends values to a byte array that grows. Layouts are described in docs/protocol.md. */
export class ByteWriter {
  bytes: Uint8Array;
  length = 0;
  #view: DataView | undefined;

  constructor(initialBytes = 256) {
    this.bytes = new Uint8Array(initialBytes);
  }

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
    this.#view = undefined;
  }

  /** What was written, without copying: valid until the next write. */
  written(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  /** What was written; the writer starts afresh with memory of its own. */
  take(nextBytes = 256): Uint8Array {
    const taken = this.bytes.subarray(0, this.length);
    this.bytes = new Uint8Array(nextBytes);
    this.length = 0;
    this.#view = undefined;
    return taken;
  }

  u8(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  u16(value: number): void {
    this.reserve(2);
    this.bytes[this.length++] = value >>> 8;
    this.bytes[this.length++] = value & 0xff;
  }

  /** An unsigned LEB128 integer, 0 … 2^53 − 1. */
  varint(value: number): void {
    this.reserve(8);
    const bytes = this.bytes;
    let at = this.length;
    // Bit operations work on 32 bits only; larger numbers take the arithmetic way.
    while (value > 0x7fffffff) {
      bytes[at++] = (value % 128) | 0x80;
      value = Math.floor(value / 128);
    }
    while (value > 0x7f) {
      bytes[at++] = (value & 0x7f) | 0x80;
      value >>>= 7;
    }
    bytes[at++] = value;
    this.length = at;
  }

  /** A signed integer, a safe `number` or one of 64 bits: zigzag, then LEB128 (at most ten bytes). */
  integer(value: number | bigint): void {
    const zigzag = typeof value === "bigint" ? Infinity : value < 0 ? -2 * value - 1 : 2 * value;
    if (zigzag <= Number.MAX_SAFE_INTEGER) this.varint(zigzag);
    else this.#long(BigInt(value));
  }

  #long(value: bigint): void {
    this.reserve(10);
    let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
    while (rest > 0x7fn) {
      this.bytes[this.length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.bytes[this.length++] = Number(rest);
  }

  f64(value: number): void {
    this.reserve(8);
    this.#view ??= new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
    this.#view.setFloat64(this.length, value);
    this.length += 8;
  }

  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Length in one byte, then UTF-8. The caller has checked that it is at most 255 bytes. */
  shortString(text: string): void {
    const start = this.length;
    this.reserve(1 + text.length * 3);
    this.length = start + 1;
    this.#utf8(text);
    this.bytes[start] = this.length - start - 1;
  }

  /** Length as a varint, then UTF-8. */
  longString(text: string): void {
    if (text.length < 40) {
      // At most 120 bytes of UTF-8: the length takes one byte, known to fit before the text is encoded.
      this.shortString(text);
      return;
    }
    const utf8 = encoder.encode(text);
    this.varint(utf8.length);
    this.raw(utf8);
  }

  /** UTF-8 without a length. Room for three bytes a unit has been reserved. */
  #utf8(text: string): void {
    const bytes = this.bytes;
    let at = this.length;
    // Names are short and nearly always ASCII: a loop beats the encoder's call.
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 0x7f) {
        this.length += encoder.encodeInto(text, bytes.subarray(this.length)).written;
        return;
      }
      bytes[at++] = unit;
    }
    this.length = at;
  }
}
