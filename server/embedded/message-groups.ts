import { EnvelopeHead } from "../../protocol/envelope.ts";
import { groupKey } from "../../protocol/group-key.ts";
import type { GroupSettings } from "../../protocol/queue-settings.ts";
import { Deque } from "./deque.ts";
import type { Entry } from "./entry.ts";
import type { Holder } from "./holder.ts";
import type { Lane } from "./lane.ts";
import { MessageGroup, type Place } from "./message-group.ts";
import type { MemoryBudget } from "./ready-list.ts";

/** Where messages come from that are sorted by groups. */
export interface GroupSource extends Pick<Lane, "takeReady" | "putBack"> {
  /** Some have come back, and are not sorted. */
  readonly hasReturned: boolean;
}

/** Groups that can deliver, the one that has waited longest first. Places that groups have left are passed over. */
type Line = Deque<Place>;

/**
 * The messages of one queue by groups (`messageGroups`): those with the same key go out in order, those of one group to one
 * holder at a time, and the groups take turns.
 *
 *     ready list ──look ahead──▶ waiting, by group ──▶ unsettled ──▶ done
 *                                    ▲                     │
 *                                    └──────came back──────┘
 *
 * A bounded number of the queue's first messages is taken off the ready list and sorted by groups. A group that can deliver
 * stands in line: for everybody if nothing of it is unsettled, otherwise for its holder.
 */
export class MessageGroups {
  #settings: GroupSettings;
  readonly #ready: GroupSource;
  readonly #memory: MemoryBudget;
  /** All that have messages here; a message without a key is a group by itself. */
  readonly #groups = new Set<MessageGroup>();
  readonly #byKey = new Map<string, MessageGroup>();
  readonly #forEverybody: Line = new Deque();
  readonly #forHolders = new WeakMap<Holder, Line>();
  readonly #head = new EnvelopeHead();
  /** Messages that were out before there were these groups: whose are the same keys nobody knows. */
  #strangers: number;
  #lastTurn = 0;
  #waiting = 0;
  #memoryBytes = 0;
  /** Of the bodies. */
  #waitingBytes = 0;

  /** Nothing is handed out until so many messages that are out already are settled. */
  constructor(settings: GroupSettings, ready: GroupSource, memory: MemoryBudget, strangers: number) {
    this.#settings = settings;
    this.#ready = ready;
    this.#memory = memory;
    this.#strangers = strangers;
  }

  /** Goes by other settings from now on. Returns whether it can: not if the keys are others. */
  change(settings: GroupSettings): boolean {
    if (settings.by !== this.#settings.by || settings.name !== this.#settings.name) return false;
    this.#settings = settings;
    for (const group of this.#groups) this.#queueUp(group);
    return true;
  }

  /** Messages that have been looked at and are ready. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Bytes of their bodies. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** The one of them that came first. */
  get oldest(): Entry | undefined {
    let oldest: Entry | undefined;
    for (const entry of this.entries()) if (oldest === undefined || entry.seq < oldest.seq) oldest = entry;
    return oldest;
  }

  /** Groups of which a message is waiting here or unsettled. */
  get size(): number {
    return this.#byKey.size;
  }

  /** Looks ahead as far as may be. @throws StoreError if messages cannot be read back from disk. */
  fill(): void {
    const { lookAhead } = this.#settings;
    // What was released has its place among those that were looked at before.
    while (
      (this.#waiting < lookAhead && this.#memoryBytes < this.#memory.queueBytes) ||
      this.#ready.hasReturned
    ) {
      const entry = this.#ready.takeReady();
      if (entry === undefined) return;
      const group = this.#groupOf(entry);
      entry.group = group;
      this.#count(entry, 1);
      group.wait(entry);
      this.#queueUp(group);
    }
  }

  /** Whether there is a message for this holder. */
  hasFor(holder: Holder | undefined): boolean {
    return this.#strangers === 0 && this.#lineFor(holder) !== undefined;
  }

  /** Hands out the next message for this holder. */
  take(holder: Holder | undefined): Entry | undefined {
    const place = this.#strangers === 0 ? this.#lineFor(holder)?.shift() : undefined;
    if (place === undefined) return undefined;
    const { group } = place;
    group.place = undefined;
    const entry = group.take();
    group.unsettled++;
    group.holder = holder;
    this.#count(entry, -1);
    this.#queueUp(group);
    return entry;
  }

  /** A message that was taken has not gone out. */
  undoTake(entry: Entry): void {
    this.#count(entry, 1);
    entry.group!.wait(entry);
    this.#left(entry.group!);
  }

  /** A message that has gone out is back. */
  putBack(entry: Entry): void {
    const group = this.#own(entry);
    if (group === undefined) {
      this.#strangers--;
      this.#ready.putBack(entry);
      return;
    }
    this.#count(entry, 1);
    group.cameBack(entry);
    this.#left(group);
  }

  /** A message that has gone out comes back later: its group waits for it. */
  delay(entry: Entry): void {
    const group = this.#own(entry);
    if (group === undefined) this.#strangers--;
    else group.holdBack(entry);
  }

  /** An earlier run of the broker has delayed this message: its group waits for it. */
  adoptDelayed(entry: Entry): void {
    const group = this.#groupOf(entry);
    entry.group = group;
    group.unsettled++;
    group.holdBack(entry);
  }

  /** A message that has gone out is done with. */
  finish(entry: Entry): void {
    const group = this.#own(entry);
    if (group === undefined) {
      this.#strangers--;
      return;
    }
    group.forget(entry);
    this.#left(group);
  }

  /** Those that wait, in no order. */
  *entries(): Iterable<Entry> {
    for (const group of this.#groups) yield* group.entries();
  }

  /** Whether a message that is ready waits here. */
  holds(entry: Entry): boolean {
    return this.#own(entry) !== undefined;
  }

  /** One that waits here is done with. */
  remove(entry: Entry): void {
    const group = entry.group!;
    this.#count(entry, -1);
    group.remove(entry);
    this.#queueUp(group);
    this.#forgetIfDone(group);
  }

  /** Removes and returns all that wait, in no order. */
  clear(): Entry[] {
    const entries: Entry[] = [];
    for (const group of this.#groups) {
      entries.push(...group.clear());
      this.#forgetIfDone(group);
    }
    for (const entry of entries) this.#count(entry, -1);
    return entries;
  }

  #own({ group }: Entry): MessageGroup | undefined {
    return group?.owner === this ? group : undefined;
  }

  #groupOf(entry: Entry): MessageGroup {
    this.#head.read(entry.envelope);
    const key = groupKey(this.#settings, this.#head);
    let group = key === undefined ? undefined : this.#byKey.get(key);
    if (group === undefined) {
      group = new MessageGroup(this, key);
      this.#groups.add(group);
      if (key !== undefined) this.#byKey.set(key, group);
    }
    return group;
  }

  /** One message of the group less is unsettled. */
  #left(group: MessageGroup): void {
    group.unsettled--;
    if (group.unsettled === 0) group.holder = undefined;
    this.#queueUp(group);
    this.#forgetIfDone(group);
  }

  #forgetIfDone(group: MessageGroup): void {
    if (!group.isDone) return;
    this.#groups.delete(group);
    if (group.key !== undefined) this.#byKey.delete(group.key);
  }

  #count({ memoryBytes, bytes }: Entry, change: 1 | -1): void {
    this.#waiting += change;
    this.#waitingBytes += change * bytes;
    this.#memoryBytes += change * memoryBytes;
    this.#memory.usedBytes += change * memoryBytes;
  }

  /** A group that can deliver gets a place where it belongs. */
  #queueUp(group: MessageGroup): void {
    if (!group.canDeliver(this.#settings.maxUnsettled)) return;
    const line = group.unsettled === 0 ? this.#forEverybody : this.#lineOf(group.holder);
    if (line === undefined || group.place?.line === line) return;
    group.place = { group, line, turn: ++this.#lastTurn };
    line.push(group.place);
  }

  #lineOf(holder: Holder | undefined): Line | undefined {
    if (holder === undefined) return undefined;
    let line = this.#forHolders.get(holder);
    if (line === undefined) {
      line = new Deque();
      this.#forHolders.set(holder, line);
    }
    return line;
  }

  /** The line in which the group stands that is next for this holder. */
  #lineFor(holder: Holder | undefined): Line | undefined {
    const own = holder && this.#forHolders.get(holder);
    const ownFirst = own && this.#first(own);
    const first = this.#first(this.#forEverybody);
    if (ownFirst !== undefined && (first === undefined || ownFirst.turn < first.turn)) return own;
    return first && this.#forEverybody;
  }

  /** The first place in a line whose group is still there and can deliver. */
  #first(line: Line): Place | undefined {
    for (let place = line.first(); place !== undefined; place = line.first()) {
      const { group } = place;
      if (group.place === place) {
        if (group.canDeliver(this.#settings.maxUnsettled)) return place;
        group.place = undefined;
      }
      line.shift();
    }
    return undefined;
  }
}
