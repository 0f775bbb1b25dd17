import { type ErrorCode, PosthornError } from "../../protocol/errors.ts";
import type { Delivery, LeaseSink } from "../engine/engine.ts";
import { Conflation } from "./conflation.ts";
import { rangesOf } from "./number-ranges.ts";
import type { Outbox } from "./outbox.ts";
import { SessionConsumer, type SessionConsumerListener } from "./session-consumer.ts";
import type { ConsumerRequest, SessionConsumers } from "./session-context.ts";
import { type SlowConsumerLimits, whenSlowFor } from "./slow-consumer.ts";

export interface ConsumerTableLimits extends SlowConsumerLimits {
  readonly maxConsumers: number;
  /** As much as may wait in the outbox is kept for consumers that conflate, too. */
  readonly highWaterBytes: number;
}

/** The consumers of one session. Those that have ended stay until all they were given is settled. */
export class ConsumerTable implements SessionConsumers, SessionConsumerListener {
  readonly #outbox: Outbox;
  readonly #limits: ConsumerTableLimits;
  readonly #byNumber = new Map<number, SessionConsumer>();
  readonly #running = new Map<string, SessionConsumer>();
  /** Consumer 0: the deliveries of `queue.get`. */
  readonly #pulled: SessionConsumer;
  /** Made for the first consumer that needs it. */
  #conflation: Conflation | undefined;
  #lastNumber = 0;
  #hasEnded = false;

  constructor(outbox: Outbox, limits: ConsumerTableLimits) {
    this.#outbox = outbox;
    this.#limits = limits;
    this.#pulled = new SessionConsumer({
      number: 0,
      tag: "",
      noAck: false,
      whenSlow: "pause",
      outbox,
      listener: this,
    });
    this.#byNumber.set(0, this.#pulled);
  }

  open({ tag, noAck, whenSlow: asked }: ConsumerRequest): SessionConsumer {
    const whenSlow = whenSlowFor(asked, noAck, this.#limits);
    if (this.#running.has(tag)) {
      const message = `This session has a consumer ${JSON.stringify(tag)}.`;
      throw new PosthornError("consumer-tag-in-use", message, { consumerTag: tag });
    }
    // Those that have ended count too while they have unsettled deliveries, or there could be any number of these.
    const { maxConsumers, highWaterBytes } = this.#limits;
    if (this.#running.size >= maxConsumers || this.#byNumber.size > 2 * maxConsumers) {
      const limit = { limit: "maxConsumers", maximum: maxConsumers };
      throw new PosthornError("limit-exceeded", `A session may have ${maxConsumers} consumers.`, limit);
    }
    if (whenSlow === "conflate") this.#conflation ??= new Conflation(this.#outbox, highWaterBytes);
    const number = ++this.#lastNumber;
    const consumer = new SessionConsumer({
      number,
      tag: tag || this.#newTag(number),
      noAck,
      whenSlow,
      outbox: this.#outbox,
      conflation: whenSlow === "conflate" ? this.#conflation : undefined,
      listener: this,
    });
    this.#byNumber.set(number, consumer);
    this.#running.set(consumer.tag, consumer);
    return consumer;
  }

  discard(consumer: SessionConsumer): void {
    this.#end(consumer);
  }

  cancel(number: number): void {
    const consumer = this.#byNumber.get(number);
    if (consumer === undefined || consumer === this.#pulled) return;
    this.#end(consumer);
  }

  assertRoomForPulled(maximum: number): void {
    if (this.#pulled.window.size < maximum) return;
    const message = `A session may have ${maximum} unsettled messages of queue.get.`;
    throw new PosthornError("limit-exceeded", message, { limit: "maxPrefetch", maximum });
  }

  pulled(delivery: Delivery): number | undefined {
    return this.#hasEnded ? undefined : this.#pulled.window.add(delivery);
  }

  /**
   * Takes what a client has settled.
   * @throws PosthornError `unknown-delivery`; then nothing was taken.
   */
  settle(number: number, first: number, last: number): Delivery[] {
    const consumer = this.#byNumber.get(number);
    const deliveries = consumer?.window.settle(first, last);
    if (consumer === undefined || deliveries === undefined) {
      const details = { consumer: number, first, last };
      const message = `Delivery ${last} of consumer ${number} is not outstanding.`;
      throw new PosthornError("unknown-delivery", message, details);
    }
    const late = consumer.window.takeExpired(first, last);
    if (late.length > 0) this.#refuseLate(number, late);
    this.#forgetIfDone(consumer);
    return deliveries;
  }

  get leaseSink(): LeaseSink {
    return this.#pulled;
  }

  outstanding(number: number, first: number, last: number): Delivery[] {
    return this.#byNumber.get(number)?.window.outstanding(first, last) ?? [];
  }

  /** Whether the session is to end when its client reads too slowly. */
  get closesWhenSlow(): boolean {
    for (const { whenSlow } of this.#running.values()) if (whenSlow === "close") return true;
    return false;
  }

  /** There is room for deliveries again. */
  resumeAll(): void {
    this.#conflation?.resume();
    for (const consumer of this.#running.values()) consumer.resume();
  }

  /** No delivery follows to any consumer. What they were given can still be settled. */
  stopAll(): void {
    for (const consumer of this.#running.values()) consumer.end();
  }

  /** Ends all consumers and takes what they have not settled. */
  endAll(): Delivery[] {
    this.#hasEnded = true;
    for (const consumer of this.#running.values()) consumer.end();
    const unsettled = [...this.#byNumber.values()].flatMap((consumer) => consumer.window.takeAll());
    this.#running.clear();
    this.#byNumber.clear();
    return unsettled;
  }

  onCancelled(consumer: SessionConsumer, code: ErrorCode, message: string): void {
    const { number, tag: consumerTag } = consumer;
    this.#end(consumer);
    this.#outbox.control({ type: "consumer.cancelled", consumer: number, consumerTag, code, message });
  }

  onActiveChanged({ number }: SessionConsumer, isActive: boolean): void {
    this.#outbox.control({ type: "consumer.active", consumer: number, active: isActive });
  }

  onExpired(consumer: SessionConsumer, numbers: readonly number[]): void {
    for (const [first, last] of rangesOf(numbers))
      this.#outbox.control({ type: "delivery.expired", consumer: consumer.number, first, last });
    this.#forgetIfDone(consumer);
  }

  #refuseLate(consumer: number, numbers: readonly number[]): void {
    for (const [first, last] of rangesOf(numbers)) {
      const message = `Delivery ${last} of consumer ${consumer} was not settled in time: its message has gone back.`;
      const details = { consumer, first, last };
      this.#outbox.control({ type: "error", code: "delivery-expired", message, details });
    }
  }

  /** Clients may choose tags that look like ours. */
  #newTag(number: number): string {
    let tag = `amq.ctag-${number}`;
    for (let suffix = 1; this.#running.has(tag); suffix++) tag = `amq.ctag-${number}.${suffix}`;
    return tag;
  }

  #isRunning(consumer: SessionConsumer): boolean {
    return consumer === this.#pulled || this.#running.get(consumer.tag) === consumer;
  }

  #end(consumer: SessionConsumer): void {
    consumer.end();
    if (this.#isRunning(consumer)) this.#running.delete(consumer.tag);
    this.#forgetIfDone(consumer);
  }

  #forgetIfDone(consumer: SessionConsumer): void {
    if (consumer.window.size === 0 && !this.#isRunning(consumer)) this.#byNumber.delete(consumer.number);
  }
}
