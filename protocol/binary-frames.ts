import { ByteReader, frameError } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import type { SettleDetail } from "./delivery-history.ts";
import { messageFrameCodes as codes, type Outcome, outcomeCodes } from "./frame-codes.ts";

/**
 * The layout of message frames, written by hand because every message passes here; property tests hold it against the
 * table. A frame is `u8 code, varint length, payload`, so a reader can pass over what it does not need.
 */
export const publishFlags = { mandatory: 1, unconfirmed: 2 } as const;
/** Added to the outcome in a settle frame. */
export const settleFlags = { detail: 128 } as const;
export const deliverFlags = { redelivered: 1, unnumbered: 2, attempts: 4, extension: 128 } as const;

const empty = new Uint8Array(0);
const knownPublishFlags = 3;
const knownDeliverFlags = 1 | 2 | 4 | 128;

export function varintBytes(value: number): number {
  let bytes = 1;
  while (value > 0x7f) {
    value = Math.floor(value / 128);
    bytes++;
  }
  return bytes;
}

export function writePublish(writer: ByteWriter, number: number, flags: number, envelope: Uint8Array): void {
  writer.u8(codes.publish);
  writer.varint(varintBytes(number) + 1 + envelope.length);
  writer.varint(number);
  writer.u8(flags);
  writer.raw(envelope);
}

/** What is said of a delivery besides whose it is. */
export interface DeliverContent {
  readonly redelivered: boolean;
  /** 0: none to tell. */
  readonly attempts: number;
  /** See `delivery-history.ts`. */
  readonly history: Uint8Array | undefined;
  readonly envelope: Uint8Array;
}

/** `delivery` 0 stands for none (a consumer with `noAck`). */
export function writeDeliver(
  writer: ByteWriter,
  consumer: number,
  delivery: number,
  content: DeliverContent,
): void {
  const { redelivered, attempts, history, envelope } = content;
  let flags = 0;
  let length = varintBytes(consumer) + 1 + envelope.length;
  if (redelivered) flags |= deliverFlags.redelivered;
  if (delivery === 0) flags |= deliverFlags.unnumbered;
  else length += varintBytes(delivery);
  if (attempts !== 0) {
    flags |= deliverFlags.attempts;
    length += varintBytes(attempts);
  }
  if (history !== undefined) {
    flags |= deliverFlags.extension;
    length += varintBytes(history.length) + history.length;
  }
  writer.u8(codes.deliver);
  writer.varint(length);
  writer.varint(consumer);
  writer.u8(flags);
  if (delivery !== 0) writer.varint(delivery);
  if (attempts !== 0) writer.varint(attempts);
  if (history !== undefined) {
    writer.varint(history.length);
    writer.raw(history);
  }
  writer.raw(envelope);
}

/** A frame whose payload is short enough for a length of one byte. */
function patchLength(writer: ByteWriter, lengthAt: number): void {
  writer.bytes[lengthAt] = writer.length - lengthAt - 1;
}

export function writeConfirmed(writer: ByteWriter, first: number, last: number): void {
  writer.u8(codes.confirm);
  const lengthAt = writer.length;
  writer.u8(0);
  writer.varint(first);
  writer.varint(last - first);
  writer.varint(0);
  patchLength(writer, lengthAt);
}

/** `status` is the number of the error that `text` explains. */
export function writeRefused(
  writer: ByteWriter,
  first: number,
  last: number,
  status: number,
  text: string,
): void {
  const payload = new ByteWriter();
  payload.varint(first);
  payload.varint(last - first);
  payload.varint(status);
  payload.longString(text);
  writer.u8(codes.confirm);
  writer.varint(payload.length);
  writer.raw(payload.written());
}

export function writeReturn(
  writer: ByteWriter,
  number: number,
  status: number,
  text: string,
  envelope: Uint8Array,
) {
  const head = new ByteWriter();
  head.varint(number);
  head.varint(status);
  head.longString(text);
  writer.u8(codes.return);
  writer.varint(head.length + envelope.length);
  writer.raw(head.written());
  writer.raw(envelope);
}

export function writeSettle(
  writer: ByteWriter,
  consumer: number,
  first: number,
  last: number,
  outcome: Outcome,
): void {
  writer.u8(codes.settle);
  const lengthAt = writer.length;
  writer.u8(0);
  writer.varint(consumer);
  writer.varint(first);
  writer.varint(last - first);
  writer.u8(outcomeCodes[outcome]);
  patchLength(writer, lengthAt);
}

export function writeDetailedSettle(
  writer: ByteWriter,
  consumer: number,
  first: number,
  last: number,
  outcome: Outcome,
  { delay, reason }: SettleDetail,
): void {
  const payload = new ByteWriter();
  payload.varint(consumer);
  payload.varint(first);
  payload.varint(last - first);
  payload.u8(outcomeCodes[outcome] | settleFlags.detail);
  payload.varint(delay);
  payload.longString(reason?.code ?? "");
  payload.longString(reason?.message ?? "");
  writer.u8(codes.settle);
  writer.varint(payload.length);
  writer.raw(payload.written());
}

const outcomesByCode: (Outcome | undefined)[] = [];
for (const [outcome, code] of Object.entries(outcomeCodes)) outcomesByCode[code] = outcome as Outcome;

export type MessageFrameType = keyof typeof codes;

/**
 * Walks over the frames of one binary WebSocket message without an object a frame: `next` reads one and leaves its
 * fields here, valid until the following call. Which fields a type has is said in the table of frames.
 */
export class BinaryFrameReader {
  number = 0;
  flags = 0;
  consumer = 0;
  /** 0: the delivery is not numbered. */
  delivery = 0;
  attempts = 0;
  first = 0;
  last = 0;
  status = 0;
  text = "";
  outcome: Outcome = "ack";
  /** Of a settle frame, where there is one. */
  detail: SettleDetail | undefined;
  /** Of a deliver frame, where there is one: a view, not a copy. */
  history: Uint8Array | undefined;
  /** A view of the message that was read, not a copy. */
  envelope: Uint8Array = empty;

  readonly #reader = new ByteReader(empty);

  /** Begins with a new WebSocket message. */
  start(bytes: Uint8Array): void {
    this.#reader.bytes = bytes;
    this.#reader.at = 0;
    this.#reader.end = bytes.length;
  }

  /** What has not been read yet: a view, not a copy. Begins with a whole frame. */
  get rest(): Uint8Array {
    return this.#reader.bytes.subarray(this.#reader.at);
  }

  /**
   * The type of the next frame, `undefined` at the end.
   * @throws PosthornError `frame-error`; what follows in the same message cannot be read either.
   */
  next(): MessageFrameType | undefined {
    const reader = this.#reader;
    const total = reader.bytes.length;
    reader.end = total;
    if (reader.at === total) {
      // The message is not held on to: a reader lives as long as its session.
      this.start(empty);
      this.envelope = empty;
      this.history = undefined;
      return undefined;
    }
    const code = reader.u8();
    const length = reader.varint();
    if (length > total - reader.at) throw frameError("The message ends in the middle of a frame.");
    reader.end = reader.at + length;
    switch (code) {
      case codes.publish:
        this.number = positive(reader.varint());
        this.flags = known(reader.u8(), knownPublishFlags);
        this.envelope = reader.raw(reader.end - reader.at);
        return "publish";
      case codes.deliver:
        this.#readDeliver(reader);
        return "deliver";
      case codes.confirm:
        this.#readRange(reader);
        this.status = reader.varint();
        this.text = this.status === 0 ? "" : reader.longString();
        this.#expectEnd(reader);
        return "confirm";
      case codes.return:
        this.number = positive(reader.varint());
        this.status = reader.varint();
        this.text = reader.longString();
        this.envelope = reader.raw(reader.end - reader.at);
        return "return";
      case codes.settle: {
        this.consumer = reader.varint();
        this.#readRange(reader);
        const code = reader.u8();
        const outcome = outcomesByCode[code & ~settleFlags.detail];
        if (outcome === undefined) throw frameError("A settlement has an unknown outcome.");
        this.outcome = outcome;
        this.detail = code & settleFlags.detail ? readDetail(reader) : undefined;
        this.#expectEnd(reader);
        return "settle";
      }
      default:
        throw frameError(`There is no message frame with code ${code}.`);
    }
  }

  #readDeliver(reader: ByteReader): void {
    this.consumer = reader.varint();
    const flags = known(reader.u8(), knownDeliverFlags);
    this.flags = flags;
    this.delivery = flags & deliverFlags.unnumbered ? 0 : positive(reader.varint());
    this.attempts = flags & deliverFlags.attempts ? positive(reader.varint()) : 0;
    this.history = flags & deliverFlags.extension ? reader.raw(reader.varint()) : undefined;
    this.envelope = reader.raw(reader.end - reader.at);
  }

  #readRange(reader: ByteReader): void {
    this.first = positive(reader.varint());
    this.last = this.first + reader.varint();
    if (this.last > Number.MAX_SAFE_INTEGER) throw frameError("An integer is too large.");
  }

  #expectEnd(reader: ByteReader): void {
    if (reader.at !== reader.end) throw frameError("A frame is longer than its content.");
  }
}

function readDetail(reader: ByteReader): SettleDetail {
  const delay = reader.varint();
  const code = reader.longString();
  const message = reader.longString();
  return { delay, reason: code === "" && message === "" ? undefined : { code, message } };
}

function positive(value: number): number {
  if (value === 0) throw frameError("A number that counts from 1 is 0.");
  return value;
}

function known(flags: number, mask: number): number {
  if ((flags & ~mask) !== 0) throw frameError("A frame has flags that this version does not know.");
  return flags;
}
