import { envelopeAddress } from "../../protocol/envelope.ts";
import type { Delivery } from "../engine/engine.ts";
import type { Outbox } from "./outbox.ts";

/** What a kept message costs besides its bytes: its places in lists, its key. */
const overheadBytes = 256;

interface Kept extends Delivery {
  readonly consumer: number;
}

/**
 * Live feeds for a client that reads too slowly. While it has no room, the newest message of each address (exchange and
 * routing key) waits here for each of its consumers that want that, and takes the place of the one before. When the memory
 * for all of them is used up, the oldest go. What is dropped is counted, and told before the next delivery.
 */
export class Conflation {
  readonly #outbox: Outbox;
  readonly #maxBytes: number;
  /** In the order in which they came. */
  readonly #kept = new Map<string, Kept>();
  #keptBytes = 0;
  /** By consumer, since it was told last. */
  readonly #dropped = new Map<number, number>();

  constructor(outbox: Outbox, maxBytes: number) {
    this.#outbox = outbox;
    this.#maxBytes = maxBytes;
  }

  /** Delivers now if there is room, otherwise what is left of it when there is. */
  deliver(consumer: number, deliveries: readonly Delivery[]): void {
    if (this.#kept.size === 0 && this.#outbox.hasRoom()) this.#outbox.deliverUnnumbered(consumer, deliveries);
    else for (const delivery of deliveries) this.#keep(consumer, delivery);
  }

  #keep(consumer: number, { redelivered, attempts, history, envelope }: Delivery): void {
    const key = `${consumer}:${addressOf(envelope)}`;
    this.#drop(key);
    // A copy: a view would keep the whole WebSocket message that it came in.
    const kept = { consumer, redelivered, attempts, history, envelope: new Uint8Array(envelope) };
    this.#kept.set(key, kept);
    this.#keptBytes += bytesOf(kept);
    for (const oldest of this.#kept.keys()) {
      // A single message that is larger than allowed is kept all the same: it is no larger than any message may be.
      if (this.#keptBytes <= this.#maxBytes || this.#kept.size === 1) break;
      this.#drop(oldest);
    }
  }

  /** There is room again. */
  resume(): void {
    for (const [consumer, dropped] of this.#dropped)
      this.#outbox.control({ type: "consumer.conflated", consumer, dropped });
    this.#dropped.clear();
    for (const [key, kept] of this.#kept) {
      if (!this.#outbox.hasRoom()) return;
      this.#outbox.deliver(kept.consumer, 0, kept);
      this.#remove(key, kept);
    }
  }

  /** The consumer has ended: nothing is delivered to it any more. */
  forget(consumer: number): void {
    for (const [key, kept] of this.#kept) if (kept.consumer === consumer) this.#remove(key, kept);
    this.#dropped.delete(consumer);
  }

  #drop(key: string): void {
    const kept = this.#kept.get(key);
    if (kept === undefined) return;
    this.#remove(key, kept);
    this.#dropped.set(kept.consumer, (this.#dropped.get(kept.consumer) ?? 0) + 1);
  }

  #remove(key: string, kept: Kept): void {
    this.#kept.delete(key);
    this.#keptBytes -= bytesOf(kept);
  }
}

function bytesOf({ envelope, history }: Kept): number {
  return envelope.length + (history?.length ?? 0) + overheadBytes;
}

/** Exchange and routing key as a text to compare: a character a byte, as that is quicker than to decode it. */
function addressOf(envelope: Uint8Array): string {
  const { buffer, byteOffset, length } = envelopeAddress(envelope);
  return Buffer.from(buffer, byteOffset, length).toString("latin1");
}
