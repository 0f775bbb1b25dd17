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
/** When so many in a row were made for one consumer only, consumers have nothing in common. */
const hopelessBatches = 64;
/** Of as many, so many are tried all the same: those for consumers with the same interests come one after another. */
const triedBatches = 4;
const maxFrameHeadBytes = 16;

/**
 * Deliveries that are not numbered depend on the message and on the consumer's number in its session alone, and that is 1 for
 * most. So of a thousand dashboards on one exchange the first one's frames are made, and all others get the very same bytes.
 */
export class SharedDeliveries {
  /** The latest first. Envelopes are told apart by identity: a message has one, in however many queues it is. */
  #batches: Batch[] = [];
  /** Batches made since one was shared. */
  #unshared = 0;

  /**
   * The frames of unnumbered deliveries, one after another. Nobody may change them. `undefined` if nobody has shared of late:
   * then it is not worth a try, but for a few now and then.
   */
  frames(consumer: number, deliveries: readonly Delivery[]): SharedFrames | undefined {
    if (this.#unshared >= hopelessBatches && this.#unshared % hopelessBatches >= triedBatches) {
      this.#unshared++;
      return undefined;
    }
    const known = this.#batches.find((batch) => isBatchOf(batch, consumer, deliveries));
    if (known !== undefined) {
      this.#unshared = 0;
      return known.frames;
    }
    this.#unshared++;
    const envelopes = deliveries.map(({ envelope }) => envelope);
    const bytes = deliveries.reduce(
      (sum, { envelope, history }) => sum + envelope.length + (history?.length ?? 0) + maxFrameHeadBytes,
      0,
    );
    const writer = new ByteWriter(bytes);
    for (const delivery of deliveries) writeDeliver(writer, consumer, 0, delivery);
    const frames = new SharedFrames(writer.written());
    if (deliveries.every(isNew)) {
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
    if (envelopes[i] !== delivery.envelope || !isNew(delivery)) return false;
  }
  return true;
}

/** What happened to a message before differs from queue to queue. */
function isNew({ redelivered, history }: Delivery): boolean {
  return !redelivered && history === undefined;
}
