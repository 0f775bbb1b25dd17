import { writeDeliver } from "../../protocol/binary-frames.ts";
import { ByteWriter } from "../../protocol/byte-writer.ts";
import type { Delivery } from "../engine/engine.ts";
import { SharedFrames } from "./client-socket.ts";

interface Batch {
  readonly consumer: number;
  readonly envelopes: readonly Uint8Array[];
  readonly frames: SharedFrames;
}

/** Consumers with so many different interests, served in turn, still share. */
const maxBatches = 8;
const maxFrameHeadBytes = 16;

/**
 * Deliveries that are not numbered depend on the message and on the consumer's number in its session alone, and that is 1 for
 * most. So of a thousand dashboards on one exchange the first one's frames are made, and all others get the very same bytes.
 */
export class SharedDeliveries {
  /** The latest first. Envelopes are told apart by identity: a message has one, in however many queues it is. */
  #batches: Batch[] = [];

  /** The frames of unnumbered deliveries, one after another. Nobody may change them. */
  frames(consumer: number, deliveries: readonly Delivery[]): SharedFrames {
    const known = this.#batches.find((batch) => isBatchOf(batch, consumer, deliveries));
    if (known !== undefined) return known.frames;
    const envelopes = deliveries.map(({ envelope }) => envelope);
    const bytes = envelopes.reduce((sum, { length }) => sum + length + maxFrameHeadBytes, 0);
    const writer = new ByteWriter(bytes);
    for (const { redelivered, attempts, envelope } of deliveries) {
      writeDeliver(writer, consumer, 0, redelivered, attempts, envelope);
    }
    const frames = new SharedFrames(writer.written());
    // What has been handed out before differs from queue to queue.
    if (deliveries.every(({ redelivered }) => !redelivered)) {
      if (this.#batches.length === 0) queueMicrotask(this.#forget);
      if (this.#batches.length === maxBatches) this.#batches.pop();
      this.#batches.unshift({ consumer, envelopes, frames });
    }
    return frames;
  }

  /** Messages are not kept in memory for those that might want them later: who shares is served in the same turn. */
  readonly #forget = (): void => {
    this.#batches = [];
  };
}

function isBatchOf({ consumer, envelopes }: Batch, number: number, deliveries: readonly Delivery[]): boolean {
  if (consumer !== number || envelopes.length !== deliveries.length) return false;
  for (let i = 0; i < envelopes.length; i++) {
    const delivery = deliveries[i]!;
    if (envelopes[i] !== delivery.envelope || delivery.redelivered) return false;
  }
  return true;
}
