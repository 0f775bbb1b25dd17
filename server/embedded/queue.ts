import type { Headers } from "../../protocol/header-value.ts";
import { type QueueSettings, queueSettings } from "../../protocol/queue-settings.ts";
import type { Owner, QueueDeclaration, QueueStatus } from "../engine/engine.ts";
import type { Consumer } from "./consumer.ts";
import { ConsumerRoster } from "./consumer-roster.ts";
import { Entry } from "./entry.ts";
import type { Binding } from "./exchange.ts";
import { Message } from "./message.ts";
import { type MemoryBudget, ReadyList } from "./ready-list.ts";
import {
  type DroppedRange,
  entryFlags,
  type LoadedEntry,
  type QueueCounters,
  type QueueId,
  type Store,
} from "./store/store.ts";

/** What a queue needs of its surroundings. */
export interface QueueHost {
  readonly store: Pick<Store, "load">;
  readonly memory: MemoryBudget;
  /** Messages with lower ids were there when the broker crashed: nobody knows which of them had been handed out. */
  uncertainBelow: number;
  /** The queue has something for the next commit. */
  changed(queue: Queue): void;
  /** A delivery from the queue may have become possible. */
  wake(queue: Queue): void;
}

/** What a queue has for the next commit. */
export interface PendingChanges {
  /** Entries to write. Those done meanwhile are passed over. */
  appended: Entry[];
  /** Written entries that are done. */
  settled: Entry[];
  /** Written entries whose attempts have changed. */
  attempted: Entry[];
  /** Written entries whose note has changed. */
  noted: Entry[];
  dropped: DroppedRange[];
}

/** One queue: its messages in order, what it counts, and what of that the next commit has to write. */
export class Queue {
  readonly id: QueueId;
  readonly name: string;
  /** Its persistent messages survive a restart. Never true for an exclusive queue. */
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly arguments: Headers;
  /** What {@link arguments} come to. */
  readonly settings: QueueSettings;
  /** Whom an exclusive queue belongs to. */
  readonly owner: Owner | undefined;
  readonly bindings = new Set<Binding>();
  readonly consumers: ConsumerRoster;
  deleted = false;
  /** A row of this queue could not be read: nothing is delivered from it until someone has looked. */
  damage: unknown;
  /** In the dispatcher's list already. */
  isAwake = false;
  /** In the committer's list already. */
  isChanged = false;

  readonly #ready: ReadyList;
  readonly #host: QueueHost;
  #pending: PendingChanges = { appended: [], settled: [], attempted: [], noted: [], dropped: [] };
  #nextSeq = 1;
  #unsettled = 0;
  #everWritten = false;
  #writtenMessages = 0;
  #writtenBytes = 0;

  constructor(id: QueueId, declaration: QueueDeclaration, owner: Owner | undefined, host: QueueHost) {
    this.id = id;
    this.name = declaration.name;
    this.durable = declaration.durable && owner === undefined;
    this.autoDelete = declaration.autoDelete;
    this.arguments = declaration.arguments;
    this.settings = queueSettings(declaration.arguments);
    this.consumers = new ConsumerRoster(this.settings.singleActiveConsumer, () => host.wake(this));
    this.owner = owner;
    this.#host = host;
    this.#ready = new ReadyList(host.memory, (fromSeq, toSeq, maxEntries, maxBytes) =>
      host.store.load(id, fromSeq, toSeq, maxEntries, maxBytes).map((loaded) => this.#fromDisk(loaded)),
    );
  }

  /** Takes over what an earlier run of the broker has written. */
  recover(counters: QueueCounters): void {
    this.#nextSeq = counters.nextSeq;
    this.#everWritten = true;
    this.#writtenMessages = counters.messages;
    this.#writtenBytes = counters.bytes;
    this.#ready.recover(counters.messages, counters.bytes, counters.nextSeq - 1);
  }

  get readyCount(): number {
    return this.#ready.length;
  }

  get unsettledCount(): number {
    return this.#unsettled;
  }

  get status(): QueueStatus {
    return { name: this.name, messages: this.#ready.length, consumers: this.consumers.size };
  }

  /** Whether a message that is added now has to be written. */
  wouldWrite(persistent: boolean): boolean {
    return (persistent && this.durable) || this.#ready.willPage;
  }

  /** Adds a message at the end. */
  enqueue(message: Message): void {
    const write = this.wouldWrite(message.persistent);
    const entry = new Entry(this, message, this.#nextSeq++, write ? "waiting" : "memory");
    if (write) {
      message.unwritten++;
      this.#pending.appended.push(entry);
      this.#host.changed(this);
    }
    this.#ready.push(entry);
  }

  /**
   * Hands out the first ready message. The entry is the caller's to settle.
   * @throws StoreError if it cannot be read back from disk.
   */
  take(consumer: Consumer | undefined): Entry | undefined {
    const entry = this.#ready.take();
    if (entry === undefined) return undefined;
    entry.state = "unsettled";
    this.#unsettled++;
    consumer?.took(entry);
    return entry;
  }

  /** The caller has not passed the entry on: it is as if it had never been taken. */
  undoTake(entry: Entry): void {
    if (!this.#leaveConsumer(entry)) return;
    entry.state = "ready";
    this.#ready.putBack(entry);
  }

  /** A message that was handed out is done with. */
  finish(entry: Entry): void {
    if (!this.#leaveConsumer(entry)) return;
    this.#end(entry);
  }

  /** A message that was handed out goes back to its place. */
  putBack(entry: Entry): void {
    if (!this.#leaveConsumer(entry)) return;
    entry.state = "ready";
    entry.redelivered = true;
    entry.attempts++;
    if (entry.storage === "written") {
      this.#pending.attempted.push(entry);
      this.#host.changed(this);
    }
    this.#ready.putBack(entry);
  }

  /** Deletes every ready message, readable or not, and says how many there were. */
  purge(): number {
    this.damage = undefined;
    const count = this.#ready.length;
    const { entries, disk } = this.#ready.clear();
    for (const entry of entries) this.#end(entry);
    if (disk !== undefined) {
      this.#writtenMessages -= disk.durableMessages;
      this.#writtenBytes -= disk.durableBytes;
      this.#pending.dropped.push({ queue: this.id, fromSeq: disk.fromSeq, toSeq: disk.toSeq });
      this.#host.changed(this);
    }
    return count;
  }

  /** The queue has gone, and all its messages with it. Those handed out can still be settled, to no effect. */
  delete(): void {
    this.deleted = true;
    this.#ready.clear();
    for (const entry of this.#pending.appended) this.#unwrite(entry);
    const dropped = this.#everWritten
      ? [{ queue: this.id, fromSeq: 0, toSeq: Number.POSITIVE_INFINITY }]
      : [];
    this.#pending = { appended: [], settled: [], attempted: [], noted: [], dropped };
    if (this.#everWritten) this.#host.changed(this);
  }

  /** Hands the pending changes over to a commit; entries to append are `written` from here on. */
  takeChanges(): PendingChanges & { counters: QueueCounters } {
    const { appended, settled, attempted, noted, dropped } = this.#pending;
    this.#pending = { appended: [], settled: [], attempted: [], noted: [], dropped: [] };
    const written: Entry[] = [];
    for (const entry of appended) {
      if (entry.storage !== "waiting") continue;
      entry.storage = "written";
      this.#everWritten = true;
      written.push(entry);
      this.#countWritten(entry, 1);
      // An entry can come back before it is written; its attempts follow in the next commit.
      if (entry.attempts > 0) this.#pending.attempted.push(entry);
    }
    if (this.#pending.attempted.length > 0) this.#host.changed(this);
    for (const entry of settled) this.#countWritten(entry, -1);
    const counters = { nextSeq: this.#nextSeq, messages: this.#writtenMessages, bytes: this.#writtenBytes };
    const isStillThere = (entry: Entry) => entry.state !== "done";
    return {
      appended: written,
      settled,
      attempted: attempted.filter(isStillThere),
      noted: noted.filter(isStillThere),
      dropped,
      counters,
    };
  }

  /** A commit that had entries up to `seq` is on disk. */
  flushed(seq: number): void {
    this.#ready.flushed(seq);
  }

  #leaveConsumer(entry: Entry): boolean {
    if (entry.state !== "unsettled") return false;
    this.#unsettled--;
    entry.consumer?.released(entry);
    return !this.deleted;
  }

  #end(entry: Entry): void {
    entry.state = "done";
    if (entry.storage === "written") {
      this.#pending.settled.push(entry);
      this.#host.changed(this);
    } else this.#unwrite(entry);
  }

  #unwrite(entry: Entry): void {
    if (entry.storage !== "waiting") return;
    entry.storage = "memory";
    entry.message.unwritten--;
  }

  #countWritten(entry: Entry, change: 1 | -1): void {
    if (!entry.durable) return;
    this.#writtenMessages += change;
    this.#writtenBytes += change * entry.bytes;
  }

  #fromDisk(loaded: LoadedEntry): Entry {
    const persistent = (loaded.flags & entryFlags.transient) === 0;
    const message = new Message(loaded.envelope, persistent, loaded.priority);
    message.id = loaded.messageId;
    const entry = new Entry(this, message, loaded.seq, "written");
    entry.attempts = loaded.attempts;
    entry.redelivered = loaded.attempts > 0 || loaded.messageId < this.#host.uncertainBelow;
    return entry;
  }
}
