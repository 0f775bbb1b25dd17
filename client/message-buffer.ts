import { Fifo } from "./fifo.ts";
import type { ReceivedMessage } from "./message.ts";

/**
 * Messages that were delivered and not handed out yet. One that conflates never overflows: behind its first messages, it
 * keeps the newest of each address (exchange and routing key) only.
 */
export class MessageBuffer {
  readonly #maxMessages: number;
  readonly #first = new Fifo<ReceivedMessage>();
  /** By address, in the order in which they came; only with conflation. All came after those in `#first`. */
  readonly #newest: Map<string, ReceivedMessage> | undefined;
  #dropped = 0;

  constructor(maxMessages: number, conflates: boolean) {
    this.#maxMessages = maxMessages;
    this.#newest = conflates ? new Map() : undefined;
  }

  get length(): number {
    return this.#first.length + (this.#newest?.size ?? 0);
  }

  /** Messages that newer ones have taken the place of. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Returns whether there was room. */
  push(message: ReceivedMessage): boolean {
    const newest = this.#newest;
    if (this.#first.length < this.#maxMessages && !newest?.size) {
      this.#first.push(message);
      return true;
    }
    if (newest === undefined) return false;
    const address = `${message.exchange}\0${message.routingKey}`;
    const [oldest] = newest.keys();
    if (newest.delete(address) || (newest.size >= this.#maxMessages && newest.delete(oldest as string)))
      this.#dropped++;
    newest.set(address, message);
    return true;
  }

  shift(): ReceivedMessage | undefined {
    let message = this.#first.shift();
    while (message?.expired) message = this.#first.shift();
    if (message !== undefined || !this.#newest?.size) return message;
    const [address, oldest] = this.#newest.entries().next().value as [string, ReceivedMessage];
    this.#newest.delete(address);
    return oldest;
  }

  /** Empties the buffer and returns what was in it. */
  clear(): ReceivedMessage[] {
    const all = [...this.#first.clear(), ...(this.#newest?.values() ?? [])];
    this.#newest?.clear();
    return all;
  }
}
