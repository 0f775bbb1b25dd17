import { ByteReader, frameError } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { PosthornError } from "./errors.ts";
import type { Headers } from "./header-value.ts";
import { readTable, tableWithout, writeTable } from "./headers.ts";
import type { Message, MessageProperties } from "./message.ts";
import { lengthProblem } from "./names.ts";
import { RepeatedString } from "./repeated-string.ts";

/**
 * The envelope: a message's address, properties, headers and body in one piece of bytes that is the same in `publish`,
 * in the store and in `deliver`.
 *
 *     u16  flags (big-endian), which of the following are there
 *     str8 exchange   str8 routing key
 *     the properties that the flags name, in the order of the flags
 *     headers: varint length in bytes, then the table
 *     body: the rest
 */
export const envelopeFlags = {
  persistent: 1 << 0,
  contentType: 1 << 1,
  contentEncoding: 1 << 2,
  priority: 1 << 3,
  correlationId: 1 << 4,
  replyTo: 1 << 5,
  expiration: 1 << 6,
  messageId: 1 << 7,
  timestamp: 1 << 8,
  type: 1 << 9,
  userId: 1 << 10,
  appId: 1 << 11,
  headers: 1 << 12,
} as const;

const knownFlags = (1 << 13) - 1;

/** The properties that are texts. */
export const textProperties = [
  "contentType",
  "contentEncoding",
  "correlationId",
  "replyTo",
  "messageId",
  "type",
  "userId",
  "appId",
] as const;

export type TextProperty = (typeof textProperties)[number];

function shortString(writer: ByteWriter, name: string, text: string): void {
  const problem = lengthProblem(text);
  if (problem !== undefined) throw new PosthornError("invalid-argument", `The ${name} ${problem}.`);
  writer.shortString(text);
}

function propertyString(writer: ByteWriter, properties: MessageProperties, name: TextProperty): number {
  const text = properties[name];
  if (text === undefined) return 0;
  shortString(writer, name, text);
  return envelopeFlags[name];
}

function propertyInteger(value: number | undefined, name: string, maximum: number): value is number {
  if (value === undefined) return false;
  if (!Number.isSafeInteger(value) || value < 0 || value > maximum) {
    throw new PosthornError("invalid-argument", `The ${name} must be a whole number from 0 to ${maximum}.`);
  }
  return true;
}

/**
 * Appends a message's envelope.
 * @throws PosthornError `invalid-argument` for a name that is too long or a value that a property cannot hold.
 */
export function writeEnvelope(writer: ByteWriter, message: Message): void {
  const { properties } = message;
  const flagsAt = writer.length;
  writer.u16(0);
  shortString(writer, "exchange", message.exchange);
  shortString(writer, "routing key", message.routingKey);
  let flags: number = properties.persistent ? envelopeFlags.persistent : 0;
  flags |= propertyString(writer, properties, "contentType");
  flags |= propertyString(writer, properties, "contentEncoding");
  if (propertyInteger(properties.priority, "priority", 255)) {
    writer.u8(properties.priority as number);
    flags |= envelopeFlags.priority;
  }
  flags |= propertyString(writer, properties, "correlationId");
  flags |= propertyString(writer, properties, "replyTo");
  if (propertyInteger(properties.expiration, "expiration", Number.MAX_SAFE_INTEGER)) {
    writer.varint(properties.expiration as number);
    flags |= envelopeFlags.expiration;
  }
  flags |= propertyString(writer, properties, "messageId");
  if (propertyInteger(properties.timestamp, "timestamp", 8.64e15)) {
    writer.varint(properties.timestamp as number);
    flags |= envelopeFlags.timestamp;
  }
  flags |= propertyString(writer, properties, "type");
  flags |= propertyString(writer, properties, "userId");
  flags |= propertyString(writer, properties, "appId");
  if (properties.headers !== undefined) {
    const table = new ByteWriter();
    writeTable(table, properties.headers);
    writer.varint(table.length);
    writer.raw(table.written());
    flags |= envelopeFlags.headers;
  }
  writer.bytes[flagsAt] = flags >>> 8;
  writer.bytes[flagsAt + 1] = flags & 0xff;
  writer.raw(message.body);
}

/** @throws PosthornError `frame-error` if the bytes are not an envelope. */
export function readEnvelope(bytes: Uint8Array): Message {
  const head = new EnvelopeHead();
  head.read(bytes);
  const reader = new ByteReader(bytes, head.propertiesAt);
  const { flags } = head;
  const text = (flag: number) => (flags & flag ? reader.shortString() : undefined);
  const number = (flag: number) => (flags & flag ? reader.varint() : undefined);
  const values: { -readonly [P in keyof MessageProperties]: MessageProperties[P] | undefined } = {
    persistent: head.persistent,
    contentType: text(envelopeFlags.contentType),
    contentEncoding: text(envelopeFlags.contentEncoding),
    priority: flags & envelopeFlags.priority ? reader.u8() : undefined,
    correlationId: text(envelopeFlags.correlationId),
    replyTo: text(envelopeFlags.replyTo),
    expiration: number(envelopeFlags.expiration),
    messageId: text(envelopeFlags.messageId),
    timestamp: number(envelopeFlags.timestamp),
    type: text(envelopeFlags.type),
    userId: text(envelopeFlags.userId),
    appId: text(envelopeFlags.appId),
  };
  const properties: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(values)) if (value !== undefined) properties[name] = value;
  if (flags & envelopeFlags.headers) properties.headers = head.headers();
  return {
    exchange: head.exchange,
    routingKey: head.routingKey,
    properties: properties as unknown as MessageProperties,
    body: bytes.subarray(head.bodyAt),
  };
}

/** The part of an envelope that says exchange and routing key: equal bytes, equal address. A view, not a copy. */
export function envelopeAddress(envelope: Uint8Array): Uint8Array {
  const routingKeyAt = 3 + envelope[2]!;
  return envelope.subarray(2, routingKeyAt + 1 + envelope[routingKeyAt]!);
}

/**
 * What a broker reads of an envelope to route it, without taking it apart. One object is used again and again.
 * `read` checks the whole structure, so that whoever gets the envelope later can rely on it.
 */
export class EnvelopeHead {
  bytes: Uint8Array = new Uint8Array(0);
  flags = 0;
  exchange = "";
  routingKey = "";
  propertiesAt = 0;
  /** Where the length of the header table stands. Set only when there is one. */
  #headersLengthAt = 0;
  /** Where the header table begins; equal to `bodyAt` when there are none. */
  headersAt = 0;
  bodyAt = 0;
  priority = 0;
  /** Milliseconds; −1 when the message has none. */
  expiration = -1;
  userId: string | undefined;

  readonly #reader = new ByteReader(new Uint8Array(0));
  readonly #exchange = new RepeatedString();
  readonly #routingKey = new RepeatedString();
  #headers: Headers | undefined;

  get persistent(): boolean {
    return (this.flags & envelopeFlags.persistent) !== 0;
  }

  get bodyBytes(): number {
    return this.bytes.length - this.bodyAt;
  }

  /**
   * Headers are not looked at if what stands before the body exceeds `maxHeadBytes`: the caller, who sees that from
   * `bodyAt`, refuses the message anyway, and tables take many times their bytes in memory.
   * @throws PosthornError `frame-error` if the bytes are not an envelope.
   */
  read(bytes: Uint8Array, maxHeadBytes = Infinity): void {
    const reader = this.#reader;
    this.bytes = bytes;
    reader.bytes = bytes;
    reader.at = 0;
    reader.end = bytes.length;
    const flags = reader.u16();
    if ((flags & ~knownFlags) !== 0)
      throw frameError("The envelope has flags that this version does not know.");
    this.flags = flags;
    this.exchange = this.#exchange.read(reader);
    this.routingKey = this.#routingKey.read(reader);
    this.propertiesAt = reader.at;
    this.priority = 0;
    this.expiration = -1;
    this.userId = undefined;
    this.#headers = undefined;
    // Most messages have few properties or none; one test skips them all.
    if ((flags & ~envelopeFlags.persistent) === 0) {
      this.headersAt = this.bodyAt = reader.at;
      return;
    }
    this.#readProperties(reader, flags);
    this.bodyAt = reader.at;
    if (flags & envelopeFlags.headers && this.bodyAt <= maxHeadBytes) this.headers();
  }

  #readProperties(reader: ByteReader, flags: number): void {
    if (flags & envelopeFlags.contentType) reader.skipShortString();
    if (flags & envelopeFlags.contentEncoding) reader.skipShortString();
    if (flags & envelopeFlags.priority) this.priority = reader.u8();
    if (flags & envelopeFlags.correlationId) reader.skipShortString();
    if (flags & envelopeFlags.replyTo) reader.skipShortString();
    if (flags & envelopeFlags.expiration) this.expiration = reader.varint();
    if (flags & envelopeFlags.messageId) reader.skipShortString();
    if (flags & envelopeFlags.timestamp && reader.varint() > 8.64e15)
      throw frameError("A timestamp is out of range.");
    if (flags & envelopeFlags.type) reader.skipShortString();
    if (flags & envelopeFlags.userId) this.userId = reader.shortString();
    if (flags & envelopeFlags.appId) reader.skipShortString();
    this.#headersLengthAt = reader.at;
    this.headersAt = flags & envelopeFlags.headers ? reader.skip(reader.varint()) : reader.at;
  }

  /** The headers; empty if there are none. @throws PosthornError `frame-error` if they cannot be read. */
  headers(): Headers {
    if (this.#headers === undefined) {
      const reader = new ByteReader(this.bytes, this.headersAt, this.bodyAt);
      this.#headers = this.flags & envelopeFlags.headers ? readTable(reader) : {};
      if (reader.at !== reader.end) throw frameError("The header table is longer than its content.");
    }
    return this.#headers;
  }

  /** A property that is a text; `undefined` if the message has none. Reads past those in front of it. */
  property(name: TextProperty): string | undefined {
    const { flags } = this;
    const wanted = envelopeFlags[name];
    if ((flags & wanted) === 0) return undefined;
    const reader = new ByteReader(this.bytes, this.propertiesAt);
    for (let flag: number = envelopeFlags.contentType; flag < wanted; flag <<= 1) {
      if ((flags & flag) === 0) continue;
      if (flag === envelopeFlags.priority) reader.u8();
      else if (flag === envelopeFlags.expiration || flag === envelopeFlags.timestamp) reader.varint();
      else reader.skip(reader.u8());
    }
    return reader.shortString();
  }

  /** A copy of the envelope without one of its headers. All other bytes stay as they are. */
  withoutHeader(name: string): Uint8Array {
    const { bytes, headersAt, bodyAt } = this;
    const table = tableWithout(bytes.subarray(headersAt, bodyAt), name);
    const writer = new ByteWriter(bytes.length);
    writer.raw(bytes.subarray(0, this.#headersLengthAt));
    writer.varint(table.length);
    writer.raw(table);
    writer.raw(bytes.subarray(bodyAt));
    return writer.written();
  }
}
