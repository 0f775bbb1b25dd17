import type { Delivery } from "../engine/engine.ts";
import type { Consumer } from "./consumer.ts";
import type { Entry } from "./entry.ts";
import type { MessageGroups } from "./message-groups.ts";
import type { Queue } from "./queue.ts";

/** Most messages and bytes that one queue hands out before the other queues have their turn. */
const turnMessages = 256;
const turnBytes = 256 * 1024;
/** Most turns that a queue has in a row before what nobody has taken goes. */
const maxUntidyTurns = 16;
/** Most messages that all queues together hand out before input is looked at again. */
const roundMessages = 4096;

export interface DispatcherOptions {
  /** Calls back at the end of the present turn of the event loop. */
  readonly defer: (callback: () => void) => void;
  /** A queue's messages cannot be read back: it is to stay as it is, and to deliver nothing. */
  readonly onDamage: (queue: Queue, error: unknown) => void;
}

/**
 * Hands ready messages to consumers: in turn among those that can take one, a bounded piece of work for each queue, all
 * queues in turn. Input is handled between two rounds, so no queue and no client can keep the others waiting.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  #awake: Queue[] = [];
  readonly #served: Consumer[] = [];
  /** Messages of the present round. */
  #handedOut = 0;
  #isAtWork = false;

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  /** Something has changed that may make a delivery from this queue possible. */
  wake(queue: Queue): void {
    if (queue.isAwake || ((queue.consumers.isIdle || queue.readyCount === 0) && !queue.isUntidy)) return;
    queue.isAwake = true;
    this.#awake.push(queue);
    if (this.#awake.length === 1) this.#options.defer(() => this.#round());
  }

  /**
   * Hands out what can be handed out now, as much as one turn allows, without waiting for the end of the present turn of the
   * event loop. Returns whether more could be.
   */
  serve(queue: Queue): boolean {
    // Receivers may publish: what that calls for has to wait.
    if (this.#isAtWork || queue.consumers.isIdle) return false;
    this.#isAtWork = true;
    const couldMore = this.#turn(queue);
    this.#isAtWork = false;
    return couldMore;
  }

  #round(): void {
    const queues = this.#awake;
    this.#awake = [];
    let served = 0;
    this.#handedOut = 0;
    this.#isAtWork = true;
    while (served < queues.length && this.#handedOut < roundMessages) {
      const queue = queues[served++]!;
      queue.isAwake = false;
      let couldMore = this.#turn(queue);
      // What has to go otherwise, consumers get first; a queue that is always in need of that has it done all the same.
      for (let turns = 1; couldMore && queue.isUntidy && turns < maxUntidyTurns; turns++)
        couldMore = this.#turn(queue);
      if (queue.isUntidy) this.#tidy(queue);
      if (couldMore) this.wake(queue);
    }
    this.#isAtWork = false;
    if (served === queues.length) return;
    // Those that did not come to their turn are first in the next round.
    if (this.#awake.length === 0) this.#options.defer(() => this.#round());
    this.#awake = [...queues.slice(served), ...this.#awake];
  }

  /** Returns whether the turn ended although more could be delivered. */
  #turn(queue: Queue): boolean {
    if (queue.isPaused || queue.damage !== undefined) return false;
    const { groups, breaker } = queue;
    const most = breaker === undefined ? turnMessages : breaker.allowance(turnMessages);
    let bytes = 0;
    for (let count = 0; count < most && bytes < turnBytes; count++) {
      if (groups !== undefined && queue.damage === undefined) this.#lookAhead(queue, groups);
      const consumer = queue.readyCount === 0 ? undefined : queue.consumers.next(groups);
      const entry = consumer === undefined ? undefined : this.#take(queue, consumer);
      if (consumer === undefined || entry === undefined) {
        this.#deliver(queue);
        return false;
      }
      if (consumer.isOverdrawn) {
        // Whether it fits is seen when it is taken: so nobody has to look ahead for all those that do.
        queue.undoTake(entry);
        consumer.noteFull();
        continue;
      }
      if (consumer.batch.length === 0) this.#served.push(consumer);
      consumer.batch.push(entry);
      breaker?.handedOut(entry);
      this.#handedOut++;
      bytes += entry.envelope.length;
    }
    this.#deliver(queue);
    return most > 0;
  }

  #take(queue: Queue, consumer: Consumer): Entry | undefined {
    try {
      return queue.take(consumer);
    } catch (error) {
      this.#options.onDamage(queue, error);
      return undefined;
    }
  }

  /** What cannot be looked at because of damage does not hold back what has been. */
  #lookAhead(queue: Queue, groups: MessageGroups): void {
    try {
      groups.fill();
    } catch (error) {
      this.#options.onDamage(queue, error);
    }
  }

  /** What is left to be done when those who could take messages have had their turn. */
  #tidy(queue: Queue): void {
    try {
      queue.tidy();
    } catch (error) {
      this.#options.onDamage(queue, error);
    }
    // Of groups more can be looked at when others have gone.
    if (queue.isUntidy || queue.groups !== undefined) this.wake(queue);
  }

  #deliver(queue: Queue): void {
    for (const consumer of this.#served) {
      if (consumer.isCancelled) this.#takeBack(queue, consumer.batch);
      else {
        consumer.sink.deliver(consumer.batch as readonly Delivery[]);
        if (consumer.options.noAck) this.#settle(queue, consumer.batch);
      }
      consumer.batch.length = 0;
    }
    this.#served.length = 0;
  }

  /** What needs no ack is done with when it is sent. */
  #settle(queue: Queue, entries: readonly Entry[]): void {
    for (const entry of entries) queue.finish(entry);
    // Their groups may go on.
    if (queue.groups !== undefined) this.wake(queue);
  }

  /** A receiver served before has ended this subscription: what it was about to get, nobody has had. */
  #takeBack(queue: Queue, entries: readonly Entry[]): void {
    for (const entry of entries) queue.undoTake(entry);
    this.wake(queue);
  }
}
