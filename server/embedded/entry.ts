import type { Delivery } from "../engine/engine.ts";
import type { AsideState } from "./aside-entries.ts";
import { encodeNote } from "./entry-note.ts";
import type { Holder } from "./holder.ts";
import type { Lane } from "./lane.ts";
import type { Message } from "./message.ts";
import type { MessageGroup } from "./message-group.ts";
import type { Queue } from "./queue.ts";
import { entryFlags } from "./store/store.ts";

/** What an entry costs in memory besides its envelope's bytes: itself, its message and their places in lists. */
export const entryOverheadBytes = 256;

/** As `expiresAt`: at the end of the turn, unless somebody takes it before. On disk that is long ago. */
export const immediately = 1;

interface Particulars {
  history: Uint8Array | undefined;
  group: MessageGroup | undefined;
  delayedUntil: number;
  isOverdue: boolean;
}

/**
 * One message's place in one queue:
 *
 *     ready ──hand out──▶ unsettled ──ack, reject──▶ done
 *       ▲                     │
 *       ├──requeue, return────┤
 *       ├───── delayed ◀──────┤
 *       └───── parked ◀───────┘
 *
 * and, independently of that, on disk:
 *
 *     memory (never to be written)     waiting ──commit built──▶ written
 */
export class Entry implements Delivery {
  state: "ready" | "unsettled" | AsideState | "done" = "ready";
  storage: "memory" | "waiting" | "written";
  redelivered = false;
  /** How often it was handed out and came back. */
  attempts = 0;
  /** Who has it while it is unsettled; `undefined` for a pulled message that may be kept for any time. */
  holder: Holder | undefined;
  /** When it expires, in milliseconds since 1970; 0: never. See {@link immediately}. */
  expiresAt = 0;
  /** While it is handed out: where it is among the lane's {@link UnsettledEntries}. */
  place = 0;
  /** Entries in memory are many, and most of them have none of this. */
  #particulars: Particulars | undefined;
  readonly lane: Lane;
  readonly message: Message;
  readonly seq: number;

  constructor(lane: Lane, message: Message, seq: number, storage: "memory" | "waiting" | "written") {
    this.lane = lane;
    this.message = message;
    this.seq = seq;
    this.storage = storage;
  }

  get queue(): Queue {
    return this.lane.queue;
  }

  get envelope(): Uint8Array {
    return this.message.envelope;
  }

  get messageId(): number {
    return this.message.id;
  }

  /** Of the body: what a queue's bytes are counted in. */
  get bytes(): number {
    return this.message.bodyBytes;
  }

  get priority(): number {
    return this.message.priority;
  }

  get note(): Uint8Array | undefined {
    return encodeNote(this);
  }

  /** It has been delivered as often as it may. */
  get isLastTry(): boolean {
    return this.attempts >= this.lane.queue.settings.deliveryLimit;
  }

  /** Its time is over. `now`: milliseconds since 1970. */
  isExpired(now: number): boolean {
    return this.expiresAt !== 0 && this.expiresAt <= now;
  }

  /** What happened to the message before it came here, and why it came back: see `encodeHistory`. */
  get history(): Uint8Array | undefined {
    return this.#particulars?.history;
  }

  set history(history: Uint8Array | undefined) {
    if (history !== this.history) this.#own.history = history;
  }

  /** With `messageGroups`: its group, from when it was looked at first. */
  get group(): MessageGroup | undefined {
    return this.#particulars?.group;
  }

  set group(group: MessageGroup | undefined) {
    if (group !== this.group) this.#own.group = group;
  }

  /** While it is delayed: until when, in milliseconds since 1970. */
  get delayedUntil(): number {
    return this.#particulars?.delayedUntil ?? 0;
  }

  set delayedUntil(time: number) {
    if (time !== this.delayedUntil) this.#own.delayedUntil = time;
  }

  /** It was released after its time: it does not expire any more. */
  get isOverdue(): boolean {
    return this.#particulars?.isOverdue ?? false;
  }

  set isOverdue(isOverdue: boolean) {
    if (isOverdue !== this.isOverdue) this.#own.isOverdue = isOverdue;
  }

  get isParked(): boolean {
    return this.state === "parked";
  }

  /** Survives a restart, once it is written. */
  get durable(): boolean {
    return this.message.persistent && this.lane.queue.durable;
  }

  /** Its message is in the store, at least until the next commit. */
  get isStored(): boolean {
    return this.storage === "written";
  }

  get flags(): number {
    return this.durable ? 0 : entryFlags.transient;
  }

  get memoryBytes(): number {
    return this.message.envelope.length + entryOverheadBytes;
  }

  get #own(): Particulars {
    this.#particulars ??= { history: undefined, group: undefined, delayedUntil: 0, isOverdue: false };
    return this.#particulars;
  }
}
