import { type GroupBy, groupKey } from "../protocol/group-key.ts";
import { Fifo } from "./fifo.ts";
import type { ReceivedMessage } from "./message.ts";

/**
 * Keeps the messages of a group in order while handlers run side by side: of each group one is at work, the others wait
 * behind it.
 */
export class GroupOrder {
  readonly #by: GroupBy;
  /** Groups of which a message is at work, with those that wait behind it. */
  readonly #behind = new Map<string, Fifo<ReceivedMessage>>();

  constructor(by: GroupBy) {
    this.#by = by;
  }

  /** Whether work on the message may begin. If not, it waits until {@link next} gives it out. */
  begin(message: ReceivedMessage): boolean {
    const key = this.#keyOf(message);
    if (key === undefined) return true;
    const behind = this.#behind.get(key);
    if (behind === undefined) this.#behind.set(key, new Fifo());
    else behind.push(message);
    return behind === undefined;
  }

  /** Work on the message is over: the next one of its group, on which work begins. */
  next(message: ReceivedMessage): ReceivedMessage | undefined {
    const key = this.#keyOf(message);
    const behind = key === undefined ? undefined : this.#behind.get(key);
    let next = behind?.shift();
    while (next?.expired) next = behind?.shift();
    if (next === undefined && key !== undefined) this.#behind.delete(key);
    return next;
  }

  /** Removes and returns those that wait behind the message, which goes back itself. */
  takeBehind(message: ReceivedMessage): ReceivedMessage[] {
    const key = this.#keyOf(message);
    return key === undefined ? [] : (this.#behind.get(key)?.clear() ?? []);
  }

  /** Removes and returns all that wait. */
  clear(): ReceivedMessage[] {
    return [...this.#behind.values()].flatMap((behind) => behind.clear());
  }

  #keyOf(message: ReceivedMessage): string | undefined {
    return groupKey(this.#by, {
      routingKey: message.routingKey,
      property: (name) => message.properties[name],
      headers: () => message.headers,
    });
  }
}
