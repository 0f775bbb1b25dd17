import { writeDetailedSettle, writePublish, writeSettle } from "../protocol/binary-frames.ts";
import { ByteWriter } from "../protocol/byte-writer.ts";
import type { SettleDetail } from "../protocol/delivery-history.ts";
import type { Outcome } from "../protocol/frames.ts";
import type { Runtime } from "./runtime.ts";
import { Settlements } from "./settlements.ts";

/** What went, or will go, out in one WebSocket message. */
export interface Batch {
  /** Empty until the batch is complete. */
  bytes: Uint8Array;
}

const nothing = new Uint8Array(0);
const smallestBatchBytes = 512;
/** More than the head of any message frame that is not a publish. */
const settleBytes = 32;
/** More than what a consumer may say with an outcome: 64 and 512 characters of up to three bytes, and the delay. */
const detailBytes = 2048;

/**
 * Gathers the message frames of one tick into one binary WebSocket message. Publishes are written as they come,
 * settlements at the end, so that a message is never acked before what was published because of it.
 */
export class Outbox {
  readonly #send: (bytes: Uint8Array) => void;
  readonly #runtime: Runtime;
  readonly #maxBytes: number;
  readonly #settlements = new Settlements();
  readonly #writer = new ByteWriter(smallestBatchBytes);
  #batch: Batch = { bytes: nothing };
  #scheduled = false;
  #closed = false;

  constructor(maxBytes: number, runtime: Runtime, send: (bytes: Uint8Array) => void) {
    this.#maxBytes = maxBytes;
    this.#runtime = runtime;
    this.#send = send;
  }

  /** Bytes waiting for the end of the tick. */
  get length(): number {
    return this.#writer.length;
  }

  /** The batch that the last publish was written to; it ends at `length`. */
  get batch(): Batch {
    return this.#batch;
  }

  publish(number: number, flags: number, envelope: Uint8Array): void {
    const writer = this.#writer;
    if (writer.length > 0 && writer.length + envelope.length + settleBytes > this.#maxBytes) this.#complete();
    writePublish(writer, number, flags, envelope);
    this.#schedule();
  }

  settle(consumer: number, delivery: number, outcome: Outcome, detail?: SettleDetail): void {
    this.#settlements.add(consumer, delivery, outcome, detail);
    this.#schedule();
  }

  /** Sends what has gathered, without waiting for the end of the tick. */
  flush(): void {
    if (this.#closed) return;
    this.#settlements.drain((consumer, first, last, outcome, detail) => {
      const bytes = settleBytes + (detail === undefined ? 0 : detailBytes);
      if (this.#writer.length + bytes > this.#maxBytes) this.#complete();
      if (detail === undefined) writeSettle(this.#writer, consumer, first, last, outcome);
      else writeDetailedSettle(this.#writer, consumer, first, last, outcome, detail);
    });
    if (this.#writer.length > 0) this.#complete();
  }

  /** Sends nothing any more. */
  close(): void {
    this.#batch.bytes = this.#writer.take();
    this.#closed = true;
  }

  #complete(): void {
    // The bytes are kept by the publishes in them until they are confirmed, so each batch has its own. Its size
    // follows the last one's: most ticks are like the tick before.
    const bytes = this.#writer.take(
      Math.max(smallestBatchBytes, Math.min(this.#writer.length, this.#maxBytes)),
    );
    this.#batch.bytes = bytes;
    this.#batch = { bytes: nothing };
    this.#send(bytes);
  }

  #schedule(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    this.#runtime.defer(() => {
      this.#scheduled = false;
      this.flush();
    });
  }
}
