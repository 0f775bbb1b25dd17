import type { GroupBy } from "../../protocol/group-key.ts";
import type { DeliverySink, SubscribeOptions, Subscription } from "../engine/engine.ts";
import type { Entry } from "./entry.ts";
import type { Holder } from "./holder.ts";
import type { Leases } from "./leases.ts";
import type { Queue } from "./queue.ts";

/** What a consumer asks of the engine that made it. */
export interface ConsumerHost {
  wake(queue: Queue): void;
  removeConsumer(consumer: Consumer): void;
}

export interface ConsumerParts {
  readonly queue: Queue;
  readonly options: SubscribeOptions;
  /** What holds of what was asked for. */
  readonly prefetchBytes: number;
  /** If its messages have to be settled within a time. */
  readonly leases: Leases | undefined;
  readonly sink: DeliverySink;
  readonly host: ConsumerHost;
}

/** A subscription inside the engine: who gets deliveries, and each reason not to give one. */
export class Consumer implements Subscription, Holder {
  /** Deliveries handed out and not settled, and the bytes of their envelopes. */
  unsettled = 0;
  #unsettledBytes = 0;
  /** It has room for the next message by its number but not by its size, until it settles something. */
  #isFull = false;
  /** The message that it was given last has to go alone. */
  #isAlone = false;
  /** Called when none is left of them. */
  onIdle: (() => void) | undefined;
  /** Entries of the present dispatch turn, until they are handed to the sink together. */
  readonly batch: Entry[] = [];
  #running = false;
  #cancelled = false;
  readonly #queue: Queue;
  readonly #host: ConsumerHost;
  readonly #leases: Leases | undefined;
  readonly options: SubscribeOptions;
  readonly sink: DeliverySink;
  readonly prefetchBytes: number;

  constructor({ queue, options, prefetchBytes, leases, sink, host }: ConsumerParts) {
    this.#queue = queue;
    this.#host = host;
    this.#leases = options.noAck ? undefined : leases;
    this.options = options;
    this.sink = sink;
    this.prefetchBytes = options.noAck ? Number.POSITIVE_INFINITY : prefetchBytes;
  }

  get ackTimeout(): number {
    return this.#leases?.timeoutMs ?? Number.POSITIVE_INFINITY;
  }

  get queue(): string {
    return this.#queue.name;
  }

  get attachedTo(): Queue {
    return this.#queue;
  }

  get messageGroups(): GroupBy | undefined {
    return this.#queue.settings.messageGroups;
  }

  get retries(): boolean {
    return this.#queue.settings.retry !== undefined;
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
    return this.unsettled > 1 && (this.#isAlone || this.#unsettledBytes > this.prefetchBytes);
  }

  get hasOne(): boolean {
    return this.unsettled === 1;
  }

  took(entry: Entry): void {
    this.unsettled++;
    // One that came back too often may be why its receivers go away: it goes to one that has nothing else.
    this.#isAlone = entry.attempts > 0 && entry.isLastTry && !this.options.noAck;
    if (this.#isAlone) this.#isFull = true;
    this.#unsettledBytes += entry.envelope.length;
    this.#leases?.begin(entry);
  }

  released(entry: Entry): void {
    this.#unsettledBytes -= entry.envelope.length;
    this.#isFull = false;
    this.#isAlone = false;
    this.#leases?.end(entry);
    if (--this.unsettled === 0 && this.onIdle !== undefined) this.onIdle();
  }

  touch(entry: Entry): void {
    this.#leases?.touch(entry);
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
