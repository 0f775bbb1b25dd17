import type { Consumer } from "./consumer.ts";
import type { MessageGroups } from "./message-groups.ts";

/** Consumers of one priority, in the order in which they came. */
interface Level {
  readonly priority: number;
  readonly consumers: Consumer[];
  /** Whose turn it is. */
  turn: number;
}

/**
 * The consumers of one queue, and who of them is next.
 *
 * Those of the highest priority get everything while one of them can take it; equals take turns (SEMANTICS 68). With a
 * single active consumer (70) one gets everything: the one with the highest priority, and of those the one that came
 * first. When it goes, the next takes over at once, and what it was given stays its own. When one of higher priority comes,
 * that takes over as soon as the active one has settled what it has, so that the order is kept.
 */
export class ConsumerRoster {
  #isSingle: boolean;
  readonly #onTakeOver: () => void;
  /** In the order in which they came. */
  readonly #all: Consumer[] = [];
  /** Who gets messages, highest priority first. */
  #served: Level[] = [];
  #active: Consumer | undefined;
  /** No longer active, but not through with what they were given: the next active one waits for that. */
  readonly #leaving = new Set<Consumer>();

  /** `onTakeOver` is called when someone gets messages who did not before, other than by {@link add}. */
  constructor(isSingle: boolean, onTakeOver: () => void) {
    this.#isSingle = isSingle;
    this.#onTakeOver = onTakeOver;
  }

  get size(): number {
    return this.#all.length;
  }

  /** Nobody gets messages. */
  get isIdle(): boolean {
    return this.#served.length === 0;
  }

  /** The single active consumer. */
  get active(): Consumer | undefined {
    return this.#active;
  }

  get hasExclusive(): boolean {
    return this.#all[0]?.options.exclusive === true;
  }

  /** Whether one consumer gets everything, from now on. Each is told what it is then. */
  setSingle(isSingle: boolean): void {
    if (isSingle === this.#isSingle) return;
    this.#isSingle = isSingle;
    this.#served = [];
    if (isSingle) {
      for (const consumer of this.#all) this.#awaitIdle(consumer);
      this.#elect();
      for (const consumer of this.#all) if (consumer !== this.#active) consumer.sink.activeChanged(false);
      return;
    }
    const former = this.#active;
    this.#active = undefined;
    this.#leaving.clear();
    for (const consumer of this.#all) {
      this.#serve(consumer);
      if (consumer !== former) consumer.sink.activeChanged(true);
    }
    this.#onTakeOver();
  }

  add(consumer: Consumer): void {
    this.#all.push(consumer);
    if (!this.#isSingle) {
      this.#serve(consumer);
      return;
    }
    this.#elect();
    if (consumer !== this.#active) consumer.sink.activeChanged(false);
  }

  /** Returns whether it was there. */
  remove(consumer: Consumer): boolean {
    const at = this.#all.indexOf(consumer);
    if (at < 0) return false;
    this.#all.splice(at, 1);
    if (!this.#isSingle) this.#unserve(consumer);
    else {
      this.#leaving.delete(consumer);
      if (consumer === this.#active) this.#activate(undefined);
      this.#elect();
    }
    return true;
  }

  /** Removes and returns all. */
  clear(): Consumer[] {
    this.#served = [];
    this.#active = undefined;
    this.#leaving.clear();
    return this.#all.splice(0);
  }

  /** The next consumer that can take a message; with groups one for which there is one. */
  next(groups?: MessageGroups): Consumer | undefined {
    const served = this.#served;
    for (let i = 0; i < served.length; i++) {
      const level = served[i]!;
      const { consumers } = level;
      for (let tried = 0; tried < consumers.length; tried++) {
        if (level.turn >= consumers.length) level.turn = 0;
        const consumer = consumers[level.turn++]!;
        if ((groups === undefined || groups.hasFor(consumer)) && consumer.canTake()) return consumer;
      }
    }
    return undefined;
  }

  /** Whether any can take a message. */
  get canTake(): boolean {
    return this.#served.some(({ consumers }) => consumers.some((consumer) => consumer.canTake()));
  }

  #serve(consumer: Consumer): void {
    const { priority } = consumer.options;
    const at = this.#served.findIndex((level) => level.priority <= priority);
    if (this.#served[at]?.priority === priority) this.#served[at].consumers.push(consumer);
    else
      this.#served.splice(at < 0 ? this.#served.length : at, 0, { priority, consumers: [consumer], turn: 0 });
  }

  #unserve(consumer: Consumer): void {
    const level = this.#served.find(({ priority }) => priority === consumer.options.priority)!;
    const at = level.consumers.indexOf(consumer);
    level.consumers.splice(at, 1);
    // The turn stays with whose it was.
    if (at < level.turn) level.turn--;
    if (level.consumers.length === 0) this.#served.splice(this.#served.indexOf(level), 1);
  }

  #elect(): void {
    const [first] = this.#all;
    if (first === undefined) return;
    const best = this.#all.reduce(
      (one, other) => (other.options.priority > one.options.priority ? other : one),
      first,
    );
    if (best === this.#active) return;
    if (this.#active !== undefined) this.#depose(this.#active);
    const waitsFor = this.#leaving.size - (this.#leaving.has(best) ? 1 : 0);
    if (waitsFor === 0) this.#activate(best);
  }

  #depose(consumer: Consumer): void {
    this.#activate(undefined);
    consumer.sink.activeChanged(false);
    this.#awaitIdle(consumer);
  }

  #awaitIdle(consumer: Consumer): void {
    if (consumer.unsettled === 0) return;
    this.#leaving.add(consumer);
    consumer.onIdle = () => {
      consumer.onIdle = undefined;
      if (this.#leaving.delete(consumer)) this.#elect();
    };
  }

  #activate(consumer: Consumer | undefined): void {
    this.#active = consumer;
    this.#leaving.clear();
    this.#served = [];
    if (consumer === undefined) return;
    this.#serve(consumer);
    consumer.sink.activeChanged(true);
    this.#onTakeOver();
  }
}
