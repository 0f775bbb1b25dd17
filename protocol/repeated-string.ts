import { type ByteReader, decodeUtf8 } from "./byte-reader.ts";

/** A longer string is decoded each time. */
const maxBytes = 64;

/**
 * A short string that mostly is the same as the one before, as the address of a publisher's messages is. Comparing bytes
 * costs less than decoding them, and the very same string has its hash already when it is looked up.
 */
export class RepeatedString {
  #bytes: Uint8Array | undefined;
  #length = -1;
  #text = "";

  /** Reads a string with its length in one byte. @throws PosthornError `frame-error` */
  read(reader: ByteReader): string {
    const length = reader.u8();
    const start = reader.skip(length);
    const { bytes } = reader;
    const last = this.#bytes;
    if (last !== undefined && length === this.#length) {
      let same = 0;
      while (same < length && bytes[start + same] === last[same]) same++;
      if (same === length) return this.#text;
    }
    const text = decodeUtf8(bytes, start, start + length);
    if (length > maxBytes) return text;
    this.#bytes ??= new Uint8Array(maxBytes);
    for (let i = 0; i < length; i++) this.#bytes[i] = bytes[start + i]!;
    this.#length = length;
    this.#text = text;
    return text;
  }
}
