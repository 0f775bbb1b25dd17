import type { Deque } from "./deque.ts";
import type { Entry } from "./entry.ts";
import type { Holder } from "./holder.ts";
import type { MessageGroups } from "./message-groups.ts";
import { ReturnedEntries } from "./returned-entries.ts";

/** Where a group stands in line, and since when. */
export interface Place {
  readonly group: MessageGroup;
  readonly line: Deque<Place>;
  readonly turn: number;
}

/** The messages of one group that wait, in order, and what holds them back. */
export class MessageGroup {
  readonly owner: MessageGroups;
  /** `undefined`: a message without a key is a group by itself. */
  readonly key: string | undefined;
  /** Who has its unsettled messages. */
  holder: Holder | undefined;
  unsettled = 0;
  /** Where it stands in line. Places that it had before count no more. */
  place: Place | undefined;
  readonly #waiting = new ReturnedEntries();
  /** Those among `#waiting` that are done with. They are passed over. */
  #gone = 0;
  /** Messages that have gone out and come back, and are not done yet. */
  readonly #back = new Set<Entry>();

  constructor(owner: MessageGroups, key: string | undefined) {
    this.owner = owner;
    this.key = key;
  }

  get isDone(): boolean {
    return this.unsettled === 0 && !this.#isWaiting;
  }

  /**
   * Whether the next message may go out. One that came back goes alone: when what was out with it is settled, and nothing goes
   * before it is settled itself.
   */
  canDeliver(maxUnsettled: number): boolean {
    if (!this.#isWaiting) return false;
    return this.unsettled === 0 || (this.unsettled < maxUnsettled && this.#back.size === 0);
  }

  wait(entry: Entry): void {
    this.#waiting.add(entry);
  }

  /** Nothing goes out before this one, which comes back later. */
  holdBack(entry: Entry): void {
    this.#back.add(entry);
  }

  cameBack(entry: Entry): void {
    this.#back.add(entry);
    this.#waiting.add(entry);
  }

  /** Removes the first that waits; there must be one. */
  take(): Entry {
    for (;;) {
      const entry = this.#waiting.takeLowest()!;
      if (entry.state !== "done") return entry;
      this.#gone--;
    }
  }

  /** The message is done with. */
  forget(entry: Entry): void {
    this.#back.delete(entry);
  }

  /** Those that wait, in no order. */
  *entries(): Iterable<Entry> {
    for (const entry of this.#waiting) if (isWaiting(entry)) yield entry;
  }

  /** One that waits is done with. */
  remove(entry: Entry): void {
    entry.state = "done";
    this.#back.delete(entry);
    this.#gone++;
    if (2 * this.#gone < this.#waiting.length) return;
    this.#waiting.keep(isWaiting);
    this.#gone = 0;
  }

  /** Removes and returns all that wait, in no order. */
  clear(): Entry[] {
    const entries = this.#waiting.takeAll().filter(isWaiting);
    this.#gone = 0;
    for (const entry of entries) this.#back.delete(entry);
    return entries;
  }

  get #isWaiting(): boolean {
    return this.#waiting.length > this.#gone;
  }
}

function isWaiting({ state }: Entry): boolean {
  return state !== "done";
}
