import { type ErrorCode, PosthornError } from "../../protocol/errors.ts";
import type { Delivery } from "../engine/engine.ts";
import type { Outbox } from "./outbox.ts";
import { SessionConsumer } from "./session-consumer.ts";
import type { SessionConsumers } from "./session-context.ts";

/** The consumers of one session. Those that have ended stay until all they were given is settled. */
export class ConsumerTable implements SessionConsumers {
  readonly pulled: SessionConsumer;
  readonly #outbox: Outbox;
  readonly #maxConsumers: number;
  readonly #byNumber = new Map<number, SessionConsumer>();
  readonly #running = new Map<string, SessionConsumer>();
  #lastNumber = 0;

  constructor(outbox: Outbox, maxConsumers: number) {
    this.#outbox = outbox;
    this.#maxConsumers = maxConsumers;
    this.pulled = new SessionConsumer(0, "", false, outbox, () => {});
    this.#byNumber.set(0, this.pulled);
  }

  get(number: number): SessionConsumer | undefined {
    return this.#byNumber.get(number);
  }

  open(tag: string, noAck: boolean): SessionConsumer {
    if (this.#running.has(tag)) {
      throw new PosthornError("consumer-tag-in-use", `This session has a consumer ${JSON.stringify(tag)}.`, { consumerTag: tag });
    }
    if (this.#running.size >= this.#maxConsumers) {
      const limit = { limit: "maxConsumers", maximum: this.#maxConsumers };
      throw new PosthornError("limit-exceeded", `A session may have ${this.#maxConsumers} consumers.`, limit);
    }
    const number = ++this.#lastNumber;
    const consumer = new SessionConsumer(number, tag || `amq.ctag-${number}`, noAck, this.#outbox, (ended, code, message) =>
      this.cancelled(ended, code, message),
    );
    this.#byNumber.set(number, consumer);
    this.#running.set(consumer.tag, consumer);
    return consumer;
  }

  discard(consumer: SessionConsumer): void {
    this.#running.delete(consumer.tag);
    this.#byNumber.delete(consumer.number);
  }

  cancel(number: number): void {
    const consumer = this.#byNumber.get(number);
    if (consumer === undefined || number === 0) return;
    consumer.subscription?.cancel();
    this.#end(consumer);
  }

  cancelled(consumer: SessionConsumer, code: ErrorCode, message: string): void {
    const { number, tag: consumerTag } = consumer;
    this.#end(consumer);
    this.#outbox.control({ type: "consumer.cancelled", consumer: number, consumerTag, code, message });
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
      throw new PosthornError("unknown-delivery", `Delivery ${last} of consumer ${number} is not outstanding.`, details);
    }
    if (consumer.window.size === 0 && number !== 0 && !this.#running.has(consumer.tag)) this.#byNumber.delete(number);
    return deliveries;
  }

  /** There is room for deliveries again. */
  resumeAll(): void {
    for (const consumer of this.#running.values()) consumer.subscription?.resume();
  }

  /** Ends all consumers and takes what they have not settled. */
  endAll(): Delivery[] {
    for (const consumer of this.#running.values()) consumer.subscription?.cancel();
    const unsettled = [...this.#byNumber.values()].flatMap((consumer) => consumer.window.takeAll());
    this.#running.clear();
    this.#byNumber.clear();
    return unsettled;
  }

  #end(consumer: SessionConsumer): void {
    if (this.#running.get(consumer.tag) === consumer) this.#running.delete(consumer.tag);
    if (consumer.window.size === 0) this.#byNumber.delete(consumer.number);
  }
}
