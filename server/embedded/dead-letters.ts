import { copyKeysOf } from "../../protocol/copy-keys.ts";
import type { DeathReason, NackReason } from "../../protocol/delivery-history.ts";
import { EnvelopeHead } from "../../protocol/envelope.ts";
import type { DeadLetterTarget } from "../../protocol/queue-settings.ts";
import type { RoutedMessage } from "../routing/routed-message.ts";
import { isCycle, readHistory, withDeath } from "./death-history.ts";
import type { Entry } from "./entry.ts";
import { Message } from "./message.ts";
import type { Queue } from "./queue.ts";

/** What dead-lettering needs of its surroundings. */
export interface DeadLettersHost {
  /** Milliseconds since 1970 as the system's clock says, for people to read. */
  now(): number;
  findQueue(name: string): Queue | undefined;
  /** The queues that a message from an exchange goes to; `undefined` if there is no such exchange. */
  route(exchange: string, message: RoutedMessage): readonly Queue[] | undefined;
  /** A message was added to a queue. */
  added(message: Message, queue: Queue): void;
  /** The dead-letter target of a queue is not there. */
  missing(argument: "deadLetterExchange" | "deadLetterQueue", target: string, queue: Queue): void;
}

/**
 * Moves messages that died in their queue to the queue's dead-letter target (SEMANTICS 78–82). What is added there and
 * taken away here goes into the same commit, and the message itself is not written again: after a crash it is in one of
 * the two places. It keeps the exchange and routing key that it was published with; what happened stands in its history.
 */
export class DeadLetters {
  readonly #host: DeadLettersHost;
  readonly #head = new EnvelopeHead();

  constructor(host: DeadLettersHost) {
    this.#host = host;
  }

  /**
   * Ends an entry that is neither ready nor with a consumer any more, and moves its message on if there is a target.
   * Returns whether a queue has taken it.
   */
  move(entry: Entry, reason: DeathReason, nackReason?: NackReason): boolean {
    const { queue, message, isStored, history } = entry;
    const isTaken = this.#copy(queue, { message, isStored, history }, reason, nackReason);
    entry.lane.end(entry);
    return isTaken;
  }

  /** As {@link move}, but the entry is only ended if a queue has taken its message. Returns whether one has. */
  tryMove(entry: Entry, reason: DeathReason, nackReason?: NackReason): boolean {
    const { queue, message, isStored, history } = entry;
    const isTaken = this.#copy(queue, { message, isStored, history }, reason, nackReason);
    if (isTaken) entry.lane.end(entry);
    return isTaken;
  }

  /** Moves a message on that never got into the queue. Returns whether a queue has taken it. */
  divert(message: Message, from: Queue, reason: DeathReason): boolean {
    return this.#copy(from, { message, isStored: false, history: undefined }, reason, undefined);
  }

  #copy(
    from: Queue,
    dead: Pick<Entry, "message" | "isStored" | "history">,
    reason: DeathReason,
    nackReason: NackReason | undefined,
  ): boolean {
    const target = from.settings.deadLetter;
    if (target === undefined) return false;
    const head = this.#head;
    head.read(dead.message.envelope);
    const copyKeys = copyKeysOf(head.headers());
    const queues = this.#queuesFor(target, from, copyKeys);
    if (queues.length === 0) return false;
    const history = withDeath(dead.history, {
      queue: from.name,
      reason,
      exchange: head.exchange,
      routingKeys: [head.routingKey, ...copyKeys],
      time: this.#host.now(),
      ...(head.expiration >= 0 && { originalExpiration: head.expiration }),
      ...(nackReason !== undefined && { nackReason }),
    });
    const { deaths } = readHistory(history);
    const moved = asPublished(dead, head.persistent);
    let isTaken = false;
    for (const queue of queues) {
      if (reason !== "rejected" && isCycle({ deaths: deaths! }, queue.name)) continue;
      queue.addDeadLetter(moved, history);
      this.#host.added(moved, queue);
      isTaken = true;
    }
    return isTaken;
  }

  #queuesFor(target: DeadLetterTarget, from: Queue, copyKeys: readonly string[]): readonly Queue[] {
    if ("queue" in target) {
      const queue = this.#host.findQueue(target.queue);
      if (queue !== undefined) return [queue];
      this.#host.missing("deadLetterQueue", target.queue, from);
      return [];
    }
    const head = this.#head;
    const { exchange, routingKey } = target;
    const queues = this.#host.route(exchange, {
      routingKey: routingKey ?? head.routingKey,
      copyKeys: routingKey === undefined ? copyKeys : [],
      headers: () => head.headers(),
      property: (name) => head.property(name),
    });
    if (queues === undefined) this.#host.missing("deadLetterExchange", exchange, from);
    return queues ?? [];
  }
}

/**
 * The message of an entry for another queue.
 *
 * What was read back for a queue that is not durable says nothing about how the message was published. And the message is in the store
 * for certain only as long as the entry is: one that is in memory may have been written for another queue, and be gone from there.
 */
export function asPublished(
  { message, isStored }: Pick<Entry, "message" | "isStored">,
  persistent: boolean,
): Message {
  const { id, envelope, bodyBytes, priority } = message;
  if (message.persistent === persistent && (isStored || id === 0)) return message;
  const copy = new Message(envelope, bodyBytes, persistent, priority);
  if (isStored) copy.id = id;
  return copy;
}
