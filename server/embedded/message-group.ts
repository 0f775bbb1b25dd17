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
  /** Messages that have gone out and come back, and are not done yet. */
  readonly #back = new Set<Entry>();

  constructor(owner: MessageGroups, key: string | undefined) {
    this.owner = owner;
    this.key = key;
  }

  get isDone(): boolean {
    return this.unsettled === 0 && this.#waiting.length === 0;
  }

  /**
   * Whether the next message may go out. One that came back goes alone: when what was out with it is settled, and nothing goes
   * before it is settled itself.
   */
  canDeliver(maxUnsettled: number): boolean {
    if (this.#waiting.length === 0) return false;
    return this.unsettled === 0 || (this.unsettled < maxUnsettled && this.#back.size === 0);
  }

  wait(entry: Entry): void {
    this.#waiting.add(entry);
  }

  cameBack(entry: Entry): void {
    this.#back.add(entry);
    this.#waiting.add(entry);
  }

  /** Removes the first that waits; there must be one. */
  take(): Entry {
    return this.#waiting.takeLowest() as Entry;
  }

  /** The message is done with. */
  forget(entry: Entry): void {
    this.#back.delete(entry);
  }

  /** Those that wait, in no order. */
  entries(): Iterable<Entry> {
    return this.#waiting;
  }

  /** One that waits is done with. */
  remove(entry: Entry): void {
    for (const other of this.#waiting.takeAll()) if (other !== entry) this.#waiting.add(other);
    this.#back.delete(entry);
  }

  /** Removes and returns all that wait, in no order. */
  clear(): Entry[] {
    const entries = this.#waiting.takeAll();
    for (const entry of entries) this.#back.delete(entry);
    return entries;
  }
}
