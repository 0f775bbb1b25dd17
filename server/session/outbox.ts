import { decodeMessageFrames } from "../../protocol/binary-codec.ts";
import {
  type DeliverContent,
  writeConfirmed,
  writeDeliver,
  writeRefused,
  writeReturn,
} from "../../protocol/binary-frames.ts";
import { ByteWriter } from "../../protocol/byte-writer.ts";
import { type ErrorCode, errorCatalogue } from "../../protocol/errors.ts";
import type { ServerControlFrame } from "../../protocol/frames.ts";
import { messageFrameToJson } from "../../protocol/json-codec.ts";
import type { Delivery } from "../engine/engine.ts";
import type { ClientSocket, SharedFrames } from "./client-socket.ts";
import type { SharedDeliveries } from "./shared-deliveries.ts";

export interface OutboxLimits {
  /** Deliveries pause while more than this waits to be sent. */
  readonly highWaterBytes: number;
  /** The outbox is overfull while more than this waits to be sent. */
  readonly maxBytes: number;
}

export interface OutboxEvents {
  /** There is room again after `hasRoom` was false. */
  onRoom(): void;
  /** More waits than may: the session stops reading, for what it reads makes it write. */
  onOverfull(): void;
  /** Enough has been sent since. */
  onDrained(): void;
}

/** Most bytes of message frames in one WebSocket message. */
const maxBatchBytes = 256 * 1024;
/** More than what stands before the envelope or the text of a frame. */
const maxFrameHeadBytes = 64;

/**
 * What a session sends. Message frames are gathered and sent together, as one WebSocket message, when the present piece of
 * work is done; control frames keep their place among them. For a client that speaks JSON each frame goes as a text message.
 */
export class Outbox {
  readonly #socket: ClientSocket;
  readonly #limits: OutboxLimits;
  readonly #events: OutboxEvents;
  readonly #shared: SharedDeliveries;
  readonly #onTaken = () => this.#taken();
  readonly #onTurnEnd = () => {
    this.#flushScheduled = false;
    this.flush();
  };
  #writer = new ByteWriter(1024);
  /** Frames that other sessions send too; sent as they are if nothing joins them. Then `#writer` is empty. */
  #sharedFrames: SharedFrames | undefined;
  #json = true;
  #batchBytes = maxBatchBytes;
  #flushScheduled = false;
  /** Confirms that are still to be written, as one range; `#confirmLast` 0: none. */
  #confirmFirst = 0;
  #confirmLast = 0;
  #wantsRoom = false;
  #isOverfull = false;
  #sentBytes = 0;

  constructor(socket: ClientSocket, limits: OutboxLimits, events: OutboxEvents, shared: SharedDeliveries) {
    this.#socket = socket;
    this.#limits = limits;
    this.#events = events;
    this.#shared = shared;
  }

  /** Set once the client has said what it wants. */
  configure(encoding: "json" | "binary", maxFrameBytes: number): void {
    this.#json = encoding === "json";
    this.#batchBytes = Math.min(maxBatchBytes, maxFrameBytes);
  }

  /** Grows with everything that is sent: tells a heartbeat whether there was silence. */
  get sentBytes(): number {
    return this.#sentBytes;
  }

  /** Deliveries wait for room. */
  get isFull(): boolean {
    return this.#wantsRoom;
  }

  /** Whether more deliveries can be taken. After `false`, `onRoom` follows. */
  hasRoom(): boolean {
    if (this.#waitingBytes() < this.#limits.highWaterBytes) return true;
    this.#wantsRoom = true;
    this.#schedule();
    return false;
  }

  control(frame: ServerControlFrame): void {
    this.flush();
    this.#send(JSON.stringify(frame));
  }

  /** `number` 0: the delivery is not numbered. */
  deliver(consumer: number, number: number, delivery: DeliverContent): void {
    this.#makeRoom(delivery.envelope.length + (delivery.history?.length ?? 0));
    writeDeliver(this.#writer, consumer, number, delivery);
    this.#written();
  }

  /** Deliveries that are not numbered. */
  deliverUnnumbered(consumer: number, deliveries: readonly Delivery[]): void {
    const frames = this.#json ? undefined : this.#shared.frames(consumer, deliveries);
    if (frames !== undefined && frames.payload.length <= this.#batchBytes) this.#addShared(frames);
    else {
      for (const delivery of deliveries) this.deliver(consumer, 0, delivery);
    }
  }

  confirmed(first: number, last: number): void {
    if (this.#confirmLast !== 0) {
      if (first === this.#confirmLast + 1) {
        this.#confirmLast = last;
        return;
      }
      this.#writeConfirm();
    }
    this.#confirmFirst = first;
    this.#confirmLast = last;
    this.#schedule();
  }

  refused(number: number, code: ErrorCode, message: string): void {
    this.#writeConfirm();
    // A character is three bytes at most.
    this.#makeRoom(3 * message.length);
    writeRefused(this.#writer, number, number, errorCatalogue[code].number, message);
    this.#written();
  }

  returned(number: number, code: ErrorCode, message: string, envelope: Uint8Array): void {
    this.#writeConfirm();
    this.#makeRoom(3 * message.length + envelope.length);
    writeReturn(this.#writer, number, errorCatalogue[code].number, message, envelope);
    this.#written();
  }

  /** Sends what has been gathered. */
  flush(): void {
    this.#writeConfirm();
    this.#sendBatch();
  }

  #addShared(frames: SharedFrames): void {
    this.#makeRoom(frames.payload.length);
    if (this.#writer.length === 0) this.#sharedFrames = frames;
    else this.#writer.raw(frames.payload);
    this.#written();
  }

  #sendBatch(): void {
    if (this.#sharedFrames !== undefined) {
      const frames = this.#sharedFrames;
      this.#sharedFrames = undefined;
      this.#sentBytes += frames.payload.length;
      this.#socket.sendShared(frames, this.#onTaken);
      this.#sent();
      return;
    }
    const { length } = this.#writer;
    if (length === 0) return;
    // The next batch will be about as long; the socket keeps this one until it is sent.
    const frames = this.#writer.take(Math.min(Math.max(length, 1024), maxBatchBytes));
    if (!this.#json) this.#send(frames);
    else
      for (const frame of decodeMessageFrames(frames)) this.#send(JSON.stringify(messageFrameToJson(frame)));
  }

  /** A frame that would make the batch too long begins the next one; one that is too long by itself goes alone. */
  #makeRoom(bytes: number): void {
    if (this.#batchLength + bytes + maxFrameHeadBytes > this.#batchBytes) this.#sendBatch();
    if (this.#sharedFrames === undefined) return;
    this.#writer.raw(this.#sharedFrames.payload);
    this.#sharedFrames = undefined;
  }

  get #batchLength(): number {
    return this.#writer.length + (this.#sharedFrames?.payload.length ?? 0);
  }

  #written(): void {
    if (this.#batchLength >= this.#batchBytes) this.#sendBatch();
    else this.#schedule();
  }

  #writeConfirm(): void {
    if (this.#confirmLast === 0) return;
    this.#makeRoom(0);
    writeConfirmed(this.#writer, this.#confirmFirst, this.#confirmLast);
    this.#confirmLast = 0;
  }

  #schedule(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    queueMicrotask(this.#onTurnEnd);
  }

  #send(data: string | Uint8Array): void {
    this.#sentBytes += data.length;
    this.#socket.send(data, this.#onTaken);
    this.#sent();
  }

  #sent(): void {
    if (this.#isOverfull || this.#socket.bufferedBytes <= this.#limits.maxBytes) return;
    this.#isOverfull = true;
    this.#events.onOverfull();
  }

  #taken(): void {
    const waiting = this.#waitingBytes();
    if (this.#wantsRoom && waiting <= this.#limits.highWaterBytes / 2) {
      this.#wantsRoom = false;
      this.#events.onRoom();
    }
    if (this.#isOverfull && waiting <= this.#limits.maxBytes / 2) {
      this.#isOverfull = false;
      this.#events.onDrained();
    }
  }

  #waitingBytes(): number {
    return this.#socket.bufferedBytes + this.#batchLength;
  }
}
