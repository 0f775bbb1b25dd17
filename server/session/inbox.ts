import { encodeMessage } from "../../protocol/binary-codec.ts";
import { BinaryFrameReader, publishFlags } from "../../protocol/binary-frames.ts";
import { frameError } from "../../protocol/byte-reader.ts";
import type { SettleDetail } from "../../protocol/delivery-history.ts";
import { EnvelopeHead } from "../../protocol/envelope.ts";
import { errorCatalogue, PosthornError } from "../../protocol/errors.ts";
import type { RequestFrame, SettleFrame } from "../../protocol/frames.ts";
import { messageFrameFromJson } from "../../protocol/json-codec.ts";
import type { Broker } from "../broker/broker.ts";
import { checkedSettleDetail } from "../broker/settle-detail.ts";
import type { SettleOutcome } from "../engine/engine.ts";
import type { ConsumerTable } from "./consumer-table.ts";
import { parseFrame, type UncheckedFrame, validateFrame } from "./frame-validator.ts";
import type { ReadGate } from "./read-gate.ts";
import type { HandledRequest } from "./request-handlers.ts";
import type { SessionPublisher } from "./session-publisher.ts";

export interface InboxOptions {
  readonly broker: Broker;
  readonly publisher: SessionPublisher;
  readonly consumers: ConsumerTable;
  readonly gate: ReadGate;
  readonly encoding: "json" | "binary";
  readonly maxHeaderBytes: number;
  readonly onRequest: (frame: RequestFrame<HandledRequest>) => void;
  readonly onBye: (id: number) => void;
  /** What was wrong with a frame, to be told to the client. `id` is that of a request. */
  readonly onError: (id: number | undefined, error: unknown) => void;
}

/**
 * What an open session reads: frames are checked and passed on to whom they concern. Message frames in binary are the
 * hot path: no object is made for a frame.
 */
export class Inbox {
  readonly #options: InboxOptions;
  readonly #broker: Broker;
  readonly #publisher: SessionPublisher;
  readonly #consumers: ConsumerTable;
  readonly #gate: ReadGate;
  readonly #maxHeaderBytes: number;
  readonly #reader = new BinaryFrameReader();
  readonly #head = new EnvelopeHead();

  constructor(options: InboxOptions) {
    this.#options = options;
    this.#broker = options.broker;
    this.#publisher = options.publisher;
    this.#consumers = options.consumers;
    this.#gate = options.gate;
    this.#maxHeaderBytes = options.maxHeaderBytes;
  }

  /** Handles one WebSocket message. @throws PosthornError of scope `session`, and what nobody expected. */
  receive(data: string | Uint8Array): void {
    if (typeof data !== "string") {
      if (this.#options.encoding !== "binary")
        throw frameError("This session speaks JSON: binary messages are not expected.");
      this.#receiveFrames(data);
    } else this.#receiveText(data);
    if (this.#broker.congested) this.#gate.hold("congested");
  }

  #receiveFrames(bytes: Uint8Array): void {
    const reader = this.#reader;
    reader.start(bytes);
    for (let type = reader.next(); type !== undefined; type = reader.next()) {
      if (type === "publish") this.#publish(reader.number, reader.flags, ownBytes(reader.envelope, bytes));
      else if (type === "settle")
        this.#settle(reader.consumer, reader.first, reader.last, reader.outcome, reader.detail);
      else throw frameError(`A client does not send ${type} frames.`);
      if (this.#gate.isShut) {
        this.#gate.putBack(reader.rest);
        return;
      }
    }
  }

  #receiveText(text: string): void {
    let frame: UncheckedFrame | undefined;
    try {
      frame = parseFrame(text);
      this.#assertEncoding(frame.type);
      validateFrame(frame);
      this.#handle(frame);
    } catch (error) {
      if (isSessionError(error)) throw error;
      if (frame?.type === "publish" && this.#refusePublish(frame, error)) return;
      this.#options.onError(frame?.id, error);
    }
  }

  #assertEncoding(type: unknown): void {
    if (this.#options.encoding === "json" || (type !== "publish" && type !== "settle")) return;
    throw frameError(`This session speaks binary: ${type} is not expected as text.`);
  }

  #handle(frame: UncheckedFrame): void {
    switch (frame.type) {
      case "heartbeat":
        return;
      case "publish":
      case "settle":
        this.#handleMessage(frame);
        return;
      case "hello":
        throw new PosthornError("already-open", "The session is open; a second hello changes nothing.");
      case "bye":
        this.#options.onBye(frame.id as number);
        return;
      default:
        this.#options.onRequest(frame.fields as unknown as RequestFrame<HandledRequest>);
    }
  }

  #handleMessage({ fields }: UncheckedFrame): void {
    const frame = messageFrameFromJson(fields as { type: string });
    if (frame.type === "publish") {
      const flags =
        (frame.mandatory ? publishFlags.mandatory : 0) | (frame.confirm ? 0 : publishFlags.unconfirmed);
      this.#publish(frame.number, flags, encodeMessage(frame.message));
    } else {
      const { consumer, first, last, outcome, delay = 0, reason } = frame as SettleFrame;
      this.#settle(consumer, first, last, outcome, { delay, reason });
    }
  }

  /** A publish in JSON that is not valid uses up its number, if that is right, and is refused like any other. */
  #refusePublish({ fields }: UncheckedFrame, error: unknown): boolean {
    if (!(error instanceof PosthornError) || fields.number !== this.#publisher.nextNumber) return false;
    this.#publisher.refuseNext(error.code, error.message);
    return true;
  }

  #publish(number: number, flags: number, envelope: Uint8Array): void {
    const { nextNumber } = this.#publisher;
    if (number !== nextNumber) throw frameError(`Publish ${number} is out of order: ${nextNumber} is next.`);
    this.#head.read(envelope, this.#maxHeaderBytes);
    this.#publisher.publish(this.#head, flags);
  }

  #settle(
    consumer: number,
    first: number,
    last: number,
    outcome: SettleOutcome,
    detail: SettleDetail | undefined,
  ): void {
    try {
      const checked = detail && checkedSettleDetail(outcome, detail);
      this.#broker.settle(this.#consumers.settle(consumer, first, last), outcome, checked);
    } catch (error) {
      this.#options.onError(undefined, error);
    }
  }
}

/** What cannot be answered for one request alone: it ends the session. */
export function isSessionError(error: unknown): boolean {
  return error instanceof PosthornError && errorCatalogue[error.code].scope === "session";
}

/** More of a WebSocket message than this is not kept in memory for the sake of one small part of it. */
const maxPinnedBytes = 512 * 1024;

/** A queue keeps the envelope, and with it all the memory that it is a view of: a small part of a large message is copied. */
function ownBytes(envelope: Uint8Array, message: Uint8Array): Uint8Array {
  const isSmallPart = message.length > maxPinnedBytes && envelope.length < message.length / 2;
  return isSmallPart ? new Uint8Array(envelope) : envelope;
}
