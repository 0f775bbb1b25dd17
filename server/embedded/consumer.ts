import type { DeliverySink, Owner, SubscribeOptions, Subscription } from "../engine/engine.ts";
import type { Entry } from "./entry.ts";
import type { Queue } from "./queue.ts";

/** What a consumer asks of the engine that made it. */
export interface ConsumerHost {
  wake(queue: Queue): void;
  removeConsumer(consumer: Consumer): void;
}

/** A subscription inside the engine: who gets deliveries, and each reason not to give one. */
export class Consumer implements Subscription {
  /** Deliveries handed out and not settled, and the bytes of their envelopes. */
  unsettled = 0;
  #unsettledBytes = 0;
  /** It has room for the next message by its number but not by its size, until it settles something. */
  #isFull = false;
  /** Called when none is left of them. */
  onIdle: (() => void) | undefined;
  /** Entries of the present dispatch turn, until they are handed to the sink together. */
  readonly batch: Entry[] = [];
  #running = false;
  #cancelled = false;
  readonly #queue: Queue;
  readonly #host: ConsumerHost;
  readonly options: SubscribeOptions;
  readonly owner: Owner;
  readonly sink: DeliverySink;
  readonly prefetchBytes: number;

  constructor(
    queue: Queue,
    options: SubscribeOptions,
    prefetchBytes: number,
    owner: Owner,
    sink: DeliverySink,
    host: ConsumerHost,
  ) {
    this.#queue = queue;
    this.options = options;
    this.prefetchBytes = options.noAck ? Number.POSITIVE_INFINITY : prefetchBytes;
    this.owner = owner;
    this.sink = sink;
    this.#host = host;
  }

  get queue(): string {
    return this.#queue.name;
  }

  get attachedTo(): Queue {
    return this.#queue;
  }

  get isCancelled(): boolean {
    return this.#cancelled;
  }

  /** Every reason not to deliver, each by its name. */
  canTake(): boolean {
    return this.#running && this.#hasCredit() && this.#receiverHasRoom();
  }

  /** It has been given more bytes than it may have: the last message is to be taken back (SEMANTICS 65). */
  get isOverdrawn(): boolean {
    return this.#unsettledBytes > this.prefetchBytes && this.unsettled > 1;
  }

  /** A message is handed to it. */
  took(entry: Entry): void {
    entry.consumer = this;
    this.unsettled++;
    this.#unsettledBytes += entry.envelope.length;
  }

  /** What it was handed is settled, or has been taken back. */
  released(entry: Entry): void {
    entry.consumer = undefined;
    this.#unsettledBytes -= entry.envelope.length;
    this.#isFull = false;
    if (--this.unsettled === 0 && this.onIdle !== undefined) this.onIdle();
  }

  /** The last message did not fit into what is left of its bytes. Another one may, when it has settled something. */
  noteFull(): void {
    this.#isFull = true;
  }

  resume(): void {
    if (this.#cancelled || this.#running) return;
    this.#running = true;
    this.#host.wake(this.#queue);
  }

  cancel(): void {
    if (this.#cancelled) return;
    this.stop();
    this.#host.removeConsumer(this);
  }

  /** Ends deliveries without telling the queue. */
  stop(): void {
    this.#cancelled = true;
    this.#running = false;
  }

  #hasCredit(): boolean {
    return this.options.noAck || (this.unsettled < this.options.prefetch && !this.#isFull);
  }

  #receiverHasRoom(): boolean {
    if (this.sink.hasRoom()) return true;
    // The receiver says when: see `resume`.
    this.#running = false;
    return false;
  }
}
