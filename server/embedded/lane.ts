import { AsideEntries, type AsideHost, type AsideState } from "./aside-entries.ts";
import { Entry, immediately } from "./entry.ts";
import { decodeNote } from "./entry-note.ts";
import { EntryWindow, type WindowContent } from "./entry-window.ts";
import { Expiry, type ExpiryHost } from "./expiry.ts";
import { Message } from "./message.ts";
import type { Queue } from "./queue.ts";
import { type LanesMemory, type LoadEntries, ReadyList } from "./ready-list.ts";
import {
  type DroppedRange,
  entryFlags,
  type LoadedEntry,
  type QueueCounters,
  type QueueId,
  type Scan,
  type Store,
  type StoredEntry,
} from "./store/store.ts";
import { UnsettledEntries } from "./unsettled-entries.ts";

/** How many places on disk are looked at in one step. */
const scannedEntries = 64;
/** The same when all of them are looked at. */
const lookedThrough = 4096;

/** What a lane needs of its surroundings. */
export interface LaneHost extends ExpiryHost, AsideHost {
  readonly store: Pick<Store, "load" | "scan">;
  /** Messages with lower ids were there when the broker crashed: nobody knows which of them had been handed out. */
  uncertainBelow: number;
  /** The lane has something for the next commit. */
  changed(lane: Lane): void;
}

/** What a lane has for the next commit. */
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

function noChanges(): PendingChanges {
  return { appended: [], settled: [], attempted: [], noted: [], dropped: [] };
}

/**
 * A run of messages in order, under a number of its own in the store: what of it is ready, and what of it the next commit
 * has to write. A queue has one, or one for each priority.
 */
export class Lane {
  readonly id: QueueId;
  readonly queue: Queue;
  readonly ready: ReadyList;
  readonly unsettled = new UnsettledEntries();
  /** In the committer's list already. */
  isChanged = false;

  readonly #host: LaneHost;
  /** Of a lane of which messages were set aside. */
  #aside: AsideEntries | undefined;
  /** Of a lane in which messages expire, or did. */
  #expiry: Expiry | undefined;
  /** Ready again in their places on disk, which may know better only from the next commit on. */
  readonly #backOnDisk = new Map<number, Entry>();
  #pending = noChanges();
  #nextSeq = 1;
  #everWritten = false;
  #writtenMessages = 0;
  #writtenBytes = 0;

  /** @param memory What all lanes of the queue keep in memory. */
  constructor(id: QueueId, queue: Queue, host: LaneHost, memory: LanesMemory) {
    this.id = id;
    this.queue = queue;
    this.#host = host;
    const load = (...range: Parameters<LoadEntries>) =>
      host.store.load(id, ...range).map((loaded) => this.#fromDisk(loaded));
    this.ready = new ReadyList(host.memory, load, memory);
  }

  /** Takes over what an earlier run of the broker has written. */
  recover({ nextSeq, messages, bytes }: QueueCounters): void {
    this.#nextSeq = nextSeq;
    this.#everWritten = true;
    this.#writtenMessages = messages;
    this.#writtenBytes = bytes;
    this.ready.recover(messages, bytes, nextSeq - 1);
  }

  /** Goes on with expiry where all messages are due in their turn. */
  resumeExpiry(): void {
    if (this.ready.length === 0) return;
    this.#expiry = new Expiry(this, this.#host);
    this.#expiry.startBehind(this.#host.now() + this.queue.settings.messageTtl);
    this.#expiry.look();
  }

  /** Looks through what is stored for what cannot be found otherwise. Returns whether there is any. */
  lookThrough(): boolean {
    this.#expiry = new Expiry(this, this.#host);
    let isIrregular = false;
    for (let from: number | undefined = 0; from !== undefined; ) {
      const scan: Scan = this.#host.store.scan(this.id, from, this.#nextSeq - 1, lookedThrough);
      for (const entry of scan.entries) isIrregular = this.#found(entry) || isIrregular;
      from = scan.nextSeq;
    }
    return isIrregular;
  }

  get delayedCount(): number {
    return this.#aside?.delayedCount ?? 0;
  }

  get parkedCount(): number {
    return this.#aside?.parkedCount ?? 0;
  }

  /** What is set aside may come back to its place on disk, in front of what is there by then. */
  get mayFillGaps(): boolean {
    return this.ready.isPaging && this.#aside !== undefined && !this.#aside.isEmpty;
  }

  /** Sets an entry aside that is neither ready nor handed out any more. */
  setAside(entry: Entry, state: AsideState): void {
    this.#aside ??= new AsideEntries(this, this.#host);
    this.#aside.add(entry, state);
    this.noted(entry);
    if (entry.durable) this.queue.noteIrregular();
  }

  /** An entry that was set aside is ready again, in its place. */
  readyFromAside(entry: Entry): void {
    this.#aside?.remove(entry);
    entry.delayedUntil = 0;
    entry.state = "ready";
  }

  /** An entry that was set aside is no longer: it is the caller's to end. */
  endFromAside(entry: Entry): void {
    this.#aside?.remove(entry);
    this.ready.leaveOut(entry.seq);
  }

  /** Delayed entries, which stay in memory from here on. @throws StoreError */
  *delayed(): Iterable<Entry> {
    yield* this.#aside?.delayed() ?? [];
  }

  /** The entry in this place, as it is stored. @throws StoreError */
  load(seq: number): Entry | undefined {
    const [loaded] = this.#host.store.load(this.id, seq, seq, 1, 0);
    return loaded && this.#fromDisk(loaded);
  }

  /** Whether a message that is added now has to be written. */
  wouldWrite(persistent: boolean): boolean {
    return (persistent && this.queue.durable) || this.ready.willPage;
  }

  /** Adds a message at the end. */
  append(message: Message, expiresAt: number, history: Uint8Array | undefined): Entry {
    if (expiresAt !== 0 && this.#expiry === undefined) this.#beginExpiry();
    const write = this.wouldWrite(message.persistent);
    const entry = new Entry(this, message, this.#nextSeq++, write ? "waiting" : "memory");
    entry.expiresAt = expiresAt;
    entry.history = history;
    if (write) {
      message.unwritten++;
      this.#pending.appended.push(entry);
      this.#host.changed(this);
    }
    this.ready.push(entry);
    if (this.#expiry !== undefined) this.#noteExpiry(entry, this.#expiry);
    return entry;
  }

  /**
   * The first ready entry, which is no longer ready: it is the caller's to hand out or to end.
   * @throws StoreError if it cannot be read back from disk.
   */
  take(): Entry | undefined {
    const entry = this.ready.take();
    if (entry !== undefined && entry.expiresAt !== 0) this.doNotExpire(entry);
    return entry;
  }

  /** As {@link take}, for who sorts messages that are ready all the same: they expire when they are due. */
  takeReady(): Entry | undefined {
    const entry = this.ready.take();
    if (entry !== undefined) this.expireInTime(entry);
    return entry;
  }

  /** Puts a ready entry that was taken back at its place. */
  putBack(entry: Entry): void {
    if (this.ready.isOnDisk(entry.seq)) {
      this.ready.returnToDisk(entry);
      this.#backOnDisk.set(entry.seq, entry);
    } else {
      this.ready.putBack(entry);
      this.expireInTime(entry);
    }
  }

  /** The entry, which was taken off the ready list, expires when it is due. */
  expireInTime(entry: Entry): void {
    if (entry.expiresAt > immediately) this.#expiry?.cameBack(entry);
  }

  /** The entry does not expire for now. */
  doNotExpire(entry: Entry): void {
    this.#expiry?.left(entry);
  }

  /**
   * The ready entry in this place if it expires, unless it has come back: it is no longer ready, but the caller's to end.
   * @throws StoreError if it cannot be read back from disk.
   */
  withdraw(seq: number): Entry | undefined {
    const entry = this.ready.findFresh(seq);
    if (entry === undefined || entry.expiresAt === 0) return undefined;
    this.ready.remove(entry);
    return entry;
  }

  /** A ready entry, wherever it is, is no longer ready, but the caller's to end. */
  withdrawThis(entry: Entry): Entry {
    const { groups } = this.queue;
    if (groups?.holds(entry)) groups.remove(entry);
    else this.ready.remove(entry);
    this.doNotExpire(entry);
    return entry;
  }

  /** The first ready entry on disk, without its message. */
  firstOnDisk(): StoredEntry | undefined {
    const { fromSeq, toSeq } = this.ready.diskRange;
    for (let from: number | undefined = fromSeq; from !== undefined; ) {
      const { entries, nextSeq } = this.#host.store.scan(this.id, from, toSeq, scannedEntries);
      const first = entries.find(
        ({ seq }) => !this.ready.wasRemoved(seq) && this.#aside?.stateOf(seq) === undefined,
      );
      if (first !== undefined)
        return { ...first, expiresAt: this.#backOnDisk.get(first.seq)?.expiresAt ?? expiryOf(first) };
      from = nextSeq;
    }
    return undefined;
  }

  /** The entry's attempts have changed. */
  attempted(entry: Entry): void {
    if (entry.storage !== "written") return;
    this.#pending.attempted.push(entry);
    this.#host.changed(this);
  }

  /** The entry's note has changed. One that is not written yet is written with it. */
  noted(entry: Entry): void {
    if (entry.storage !== "written") return;
    this.#pending.noted.push(entry);
    this.#host.changed(this);
  }

  /** The entry is done with. */
  end(entry: Entry): void {
    entry.state = "done";
    if (entry.storage === "written") {
      this.#pending.settled.push(entry);
      this.#host.changed(this);
    } else this.#unwrite(entry);
  }

  /** The number given out last. */
  get lastSeq(): number {
    return this.#nextSeq - 1;
  }

  /**
   * The first entries from `fromSeq` to `toSeq`, in order: at most `maxEntries`, and not many more than `maxBytes` of messages
   * that have to be read. @throws StoreError
   */
  window(fromSeq: number, toSeq: number, maxEntries: number, maxBytes: number): WindowContent {
    const window = new EntryWindow(fromSeq, toSeq, maxEntries);
    this.ready.show(window, maxBytes);
    for (const entry of this.#outside()) window.add(entry);
    // Those whose place is on disk have been shown with what is there.
    this.#aside?.show(window, maxBytes);
    return window.content();
  }

  /** The entry with this number, as it stands. @throws StoreError */
  find(seq: number): Entry | undefined {
    const aside = this.#aside?.find(seq);
    if (aside !== undefined) return aside;
    const ready = this.ready.find(seq);
    if (ready !== undefined) return ready;
    for (const entry of this.#outside()) if (entry.seq === seq) return entry;
    return undefined;
  }

  /** Deletes every ready message, readable or not, and says how many there were. */
  purge(): number {
    const count = this.ready.length;
    const { entries, disk } = this.ready.clear();
    this.#expiry?.clear();
    for (const entry of entries) this.end(entry);
    if (disk !== undefined) {
      this.#writtenMessages -= disk.durableMessages;
      this.#writtenBytes -= disk.durableBytes;
      const { fromSeq, toSeq } = disk;
      // What is set aside stays.
      for (const range of this.#aside?.gaps(fromSeq, toSeq) ?? [{ fromSeq, toSeq }])
        this.#pending.dropped.push({ queue: this.id, ...range });
      this.#host.changed(this);
    }
    return count;
  }

  /** The queue has gone, and all its messages with it. */
  delete(): void {
    this.ready.clear();
    this.#expiry?.clear();
    this.#aside?.clear();
    for (const entry of this.#pending.appended) this.#unwrite(entry);
    this.#pending = noChanges();
    if (!this.#everWritten) return;
    this.#pending.dropped.push({ queue: this.id, fromSeq: 0, toSeq: Number.POSITIVE_INFINITY });
    this.#host.changed(this);
  }

  /** Hands the pending changes over to a commit; entries to append are `written` from here on. */
  takeChanges(): PendingChanges & { counters: QueueCounters } {
    const { appended, settled, attempted, noted, dropped } = this.#pending;
    this.#pending = noChanges();
    this.#backOnDisk.clear();
    this.ready.committed();
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
    this.#aside?.trim(this.ready.flushedSeq);
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
    this.ready.flushed(seq);
  }

  /** What is in no ready list. */
  *#outside(): Iterable<Entry> {
    yield* this.unsettled;
    for (const entry of this.queue.groups?.entries() ?? []) if (entry.lane === this) yield entry;
  }

  #beginExpiry(): void {
    this.#expiry = new Expiry(this, this.#host);
    if (this.ready.length > 0) this.#expiry.startBehind(Number.POSITIVE_INFINITY);
  }

  #noteExpiry(entry: Entry, expiry: Expiry): void {
    const isLatest = entry.expiresAt !== immediately && expiry.added(entry);
    if (entry.expiresAt !== 0 && entry.durable && !(isLatest && this.#expiresInTurn))
      this.queue.noteIrregular();
  }

  /** Messages can be expected to be due in their turn. */
  get #expiresInTurn(): boolean {
    return this.queue.settings.messageTtl < Number.POSITIVE_INFINITY;
  }

  /** Takes note of a stored entry. Returns whether it has to be looked for at the next start, too. */
  #found(entry: StoredEntry): boolean {
    const expiresAt = expiryOf(entry);
    const isLatest = this.#expiry!.added({ seq: entry.seq, expiresAt });
    if (this.#foundAside(entry) || expiresAt !== entry.expiresAt) return true;
    return expiresAt !== 0 && !(isLatest && this.#expiresInTurn);
  }

  #foundAside({ seq, note, flags, bytes, expiresAt }: StoredEntry): boolean {
    if (note === undefined) return false;
    const { isParked, delayedUntil } = decodeNote(note);
    if (!isParked && delayedUntil <= this.#host.now()) return false;
    this.#aside ??= new AsideEntries(this, this.#host);
    this.#aside.found(seq, isParked ? "parked" : "delayed", delayedUntil, expiresAt);
    this.ready.setAsideOnDisk({ durable: (flags & entryFlags.transient) === 0, bytes });
    return true;
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
    if (this.#backOnDisk.size > 0) {
      const known = this.#backOnDisk.get(loaded.seq);
      if (known !== undefined) return known;
    }
    const persistent = (loaded.flags & entryFlags.transient) === 0;
    const message = new Message(loaded.envelope, loaded.bytes, persistent, loaded.priority);
    message.id = loaded.messageId;
    const entry = new Entry(this, message, loaded.seq, "written");
    entry.attempts = loaded.attempts;
    // The turn in which it could have been delivered is over.
    entry.expiresAt = loaded.expiresAt === immediately ? immediately + 1 : loaded.expiresAt;
    if (loaded.note !== undefined) {
      const { history, delayedUntil, isOverdue } = decodeNote(loaded.note);
      entry.history = history;
      if (isOverdue) {
        entry.isOverdue = true;
        entry.expiresAt = 0;
      }
      const state = this.#aside?.stateOf(loaded.seq);
      if (state !== undefined) {
        entry.state = state;
        entry.delayedUntil = delayedUntil;
      }
    }
    entry.redelivered = loaded.attempts > 0 || loaded.messageId < this.#host.uncertainBelow;
    return entry;
  }
}

/** When a stored entry expires, in milliseconds since 1970; 0: never. */
function expiryOf({ expiresAt, note }: Pick<StoredEntry, "expiresAt" | "note">): number {
  return note !== undefined && decodeNote(note).isOverdue ? 0 : expiresAt;
}
