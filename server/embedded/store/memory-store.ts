import {
  type Changes,
  entryFlags,
  type LoadedEntry,
  type MaintenanceNeed,
  maxNoteBytes,
  type QueueChanges,
  type QueueCounters,
  type QueueId,
  type Recovered,
  type Room,
  type Scan,
  type Store,
  type StoredEntry,
} from "./store.ts";

export interface MemoryStoreOptions {
  /** Commits wait for {@link MemoryStore.flush} instead of being flushed by themselves. Default: false. */
  readonly manualFlush?: boolean;
}

interface StoredMessage {
  readonly envelope: Uint8Array;
  references: number;
}

interface HeldEntry {
  readonly seq: number;
  readonly messageId: number;
  readonly flags: number;
  readonly bytes: number;
  readonly priority: number;
  readonly expiresAt: number;
  attempts: number;
  note: Uint8Array | undefined;
  /** Settled or dropped; taken out of the list now and then. */
  isGone: boolean;
  /** A commit under way settles it. */
  isGoing: boolean;
}

/** In order of seq. */
interface StoredQueue {
  entries: HeldEntry[];
  gone: number;
}

interface PendingCommit {
  /** The store's own copy. */
  readonly changes: Changes;
  readonly resolve: () => void;
}

/**
 * Keeps everything in memory, under the same contract as the store on disk: what is committed is seen once it is flushed,
 * which here is a moment later. "Disk" is the object itself: it can be opened again after `close` or `crash`.
 */
export class MemoryStore implements Store {
  /** What {@link room} says the disk has left. A test sets it to play a disk that fills up. */
  roomBytes = Number.POSITIVE_INFINITY;
  readonly #manualFlush: boolean;
  readonly #messages = new Map<number, StoredMessage>();
  readonly #queues = new Map<QueueId, StoredQueue>();
  readonly #counters = new Map<QueueId, QueueCounters>();
  /** As JSON, so that a record comes back as it would from disk. */
  readonly #records = new Map<string, string>();
  #pending: PendingCommit[] = [];
  /** Queue → seqs settled by commits under way whose entries are under way too. */
  #settledBeforeFlush = new Map<QueueId, Set<number>>();
  #nextMessageId = 1;
  #clean = true;
  #isOpen = false;
  #idle: () => void = () => {};

  constructor(options: MemoryStoreOptions = {}) {
    this.#manualFlush = options.manualFlush ?? false;
  }

  /** Commits that are not flushed. */
  get pendingCommits(): number {
    return this.#pending.length;
  }

  async open(): Promise<Recovered> {
    if (this.#isOpen) throw new Error("the store is open already");
    this.#isOpen = true;
    const clean = this.#clean;
    this.#clean = false;
    for (const queue of this.#queues.values()) {
      for (const entry of queue.entries) if (entry.flags & entryFlags.transient) this.#remove(queue, entry);
    }
    const records = new Map<string, unknown>();
    for (const [key, json] of this.#records) records.set(key, JSON.parse(json));
    return { records, queues: new Map(this.#counters), nextMessageId: this.#nextMessageId, clean };
  }

  commit(changes: Changes): Promise<void> {
    this.#checkOpen();
    return new Promise((resolve) => {
      const copy = copyOf(changes);
      for (const { queue, settled } of copy.queues)
        for (const { seq } of settled) this.#noteSettling(queue, seq);
      this.#pending.push({ changes: copy, resolve });
      if (!this.#manualFlush) queueMicrotask(() => this.#flushOne());
    });
  }

  /** Flushes the oldest `commits` pending commits. Default: all. */
  flush(commits = this.#pending.length): void {
    for (let i = 0; i < commits; i++) this.#flushOne();
  }

  /** Loses all commits that are not flushed; their promises never settle. The store can then be opened again. */
  crash(): void {
    this.#pending = [];
    this.#settledBeforeFlush = new Map();
    for (const queue of this.#queues.values()) for (const entry of queue.entries) entry.isGoing = false;
    this.#isOpen = false;
  }

  load(queue: QueueId, fromSeq: number, toSeq: number, maxEntries: number, maxBytes: number): LoadedEntry[] {
    const loaded: LoadedEntry[] = [];
    let loadedBytes = 0;
    for (const entry of this.#stored(queue, fromSeq, toSeq)) {
      const envelope = new Uint8Array(this.#messages.get(entry.messageId)!.envelope);
      loaded.push({ ...entry, envelope });
      loadedBytes += envelope.length;
      if (loaded.length >= maxEntries || loadedBytes > maxBytes) break;
    }
    return loaded;
  }

  loadOne(queue: QueueId, seq: number): LoadedEntry | undefined {
    return this.load(queue, seq, seq, 1, 0)[0];
  }

  scan(queue: QueueId, fromSeq: number, toSeq: number, maxEntries: number): Scan {
    const entries: StoredEntry[] = [];
    for (const entry of this.#stored(queue, fromSeq, toSeq)) {
      if (entries.length >= Math.max(1, maxEntries)) return { entries, nextSeq: entry.seq };
      entries.push(entry);
    }
    return { entries, nextSeq: undefined };
  }

  room(): Room {
    return { diskBytes: this.roomBytes, reusableBytes: 0 };
  }

  capacityBytes(): number {
    return Number.POSITIVE_INFINITY;
  }

  async maintain(): Promise<MaintenanceNeed> {
    this.#checkOpen();
    return "nothing";
  }

  async close({ clean }: { clean: boolean }): Promise<void> {
    this.#checkOpen();
    while (this.#pending.length > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    this.#isOpen = false;
    this.#clean = clean;
  }

  /** The unsettled entries of a range, as the commits handed over have left them. */
  *#stored(queue: QueueId, fromSeq: number, toSeq: number): Generator<StoredEntry> {
    this.#checkOpen();
    const entries = this.#queues.get(queue)?.entries ?? [];
    for (let i = indexFrom(entries, fromSeq); i < entries.length; i++) {
      const { isGone, isGoing, ...entry } = entries[i]!;
      if (entry.seq > toSeq) return;
      if (isGone || isGoing || this.#isDropping(queue, entry.seq)) continue;
      for (const { changes } of this.#pending) {
        for (const { queue: changed, attempted, noted } of changes.queues) {
          if (changed !== queue) continue;
          for (const { seq, attempts } of attempted) if (seq === entry.seq) entry.attempts = attempts;
          for (const { seq, note } of noted) if (seq === entry.seq) entry.note = note;
        }
      }
      yield { ...entry, note: entry.note && new Uint8Array(entry.note) };
    }
  }

  #checkOpen(): void {
    if (!this.#isOpen) throw new Error("the store is not open");
  }

  #noteSettling(queue: QueueId, seq: number): void {
    const entry = this.#entry(queue, seq);
    if (entry !== undefined) {
      entry.isGoing = true;
      return;
    }
    const settled = this.#settledBeforeFlush.get(queue);
    if (settled === undefined) this.#settledBeforeFlush.set(queue, new Set([seq]));
    else settled.add(seq);
  }

  /** Whether a commit under way drops the entry. */
  #isDropping(queue: QueueId, seq: number): boolean {
    return this.#pending.some(({ changes }) =>
      changes.dropped.some((range) => range.queue === queue && range.fromSeq <= seq && seq <= range.toSeq),
    );
  }

  #entry(queue: QueueId, seq: number): HeldEntry | undefined {
    const entries = this.#queues.get(queue)?.entries ?? [];
    const entry = entries[indexFrom(entries, seq)];
    return entry?.seq === seq && !entry.isGone ? entry : undefined;
  }

  #flushOne(): void {
    const commit = this.#pending[0];
    if (commit === undefined) return;
    const { messages, queues, dropped, records } = commit.changes;
    for (const { id, envelope } of messages) {
      this.#messages.set(id, { envelope, references: 0 });
      this.#nextMessageId = Math.max(this.#nextMessageId, id + 1);
    }
    // What is dropped are entries of earlier commits: so it goes before what is added. A message that moves from one queue to
    // another, which may be dropped or settled there, is held by both for a moment.
    for (const { appended } of queues)
      for (const { messageId } of appended) this.#messages.get(messageId)!.references++;
    for (const { queue, fromSeq, toSeq } of dropped) this.#drop(queue, fromSeq, toSeq);
    for (const changes of queues) this.#append(changes);
    for (const changes of queues) this.#settle(changes);
    for (const { queue, toSeq } of dropped)
      if (toSeq === Number.POSITIVE_INFINITY) this.#counters.delete(queue);
    for (const { key, value } of records) {
      if (value === null) this.#records.delete(key);
      else this.#records.set(key, value as string);
    }
    this.#pending.shift();
    commit.resolve();
    if (this.#pending.length === 0) this.#idle();
  }

  #append({ queue: id, counters, appended }: QueueChanges): void {
    this.#counters.set(id, counters);
    if (appended.length === 0) return;
    let queue = this.#queues.get(id);
    if (queue === undefined) {
      queue = { entries: [], gone: 0 };
      this.#queues.set(id, queue);
    }
    const settling = this.#settledBeforeFlush.get(id);
    for (const entry of appended) {
      const isGoing = settling?.delete(entry.seq) ?? false;
      queue.entries.push({ ...entry, attempts: 0, isGone: false, isGoing });
    }
    if (settling?.size === 0) this.#settledBeforeFlush.delete(id);
  }

  #settle({ queue: id, settled, attempted, noted }: QueueChanges): void {
    const queue = this.#queues.get(id);
    if (queue === undefined) return;
    for (const { seq } of settled) {
      const entry = this.#entry(id, seq);
      if (entry !== undefined) this.#remove(queue, entry);
    }
    for (const { seq, attempts } of attempted) {
      const entry = this.#entry(id, seq);
      if (entry !== undefined) entry.attempts = attempts;
    }
    for (const { seq, note } of noted) {
      const entry = this.#entry(id, seq);
      if (entry !== undefined) entry.note = note;
    }
    compact(queue);
  }

  #drop(id: QueueId, fromSeq: number, toSeq: number): void {
    const queue = this.#queues.get(id);
    if (queue === undefined) return;
    for (let i = indexFrom(queue.entries, fromSeq); i < queue.entries.length; i++) {
      const entry = queue.entries[i]!;
      if (entry.seq > toSeq) break;
      this.#remove(queue, entry);
    }
    if (toSeq === Number.POSITIVE_INFINITY) this.#queues.delete(id);
  }

  #remove(queue: StoredQueue, entry: HeldEntry): void {
    if (entry.isGone) return;
    entry.isGone = true;
    queue.gone++;
    const message = this.#messages.get(entry.messageId)!;
    if (--message.references === 0) this.#messages.delete(entry.messageId);
  }
}

/** Index of the first entry at or above `seq`. */
function indexFrom(entries: readonly HeldEntry[], seq: number): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (entries[middle]!.seq < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Takes out what is gone, when that is half of the list. */
function compact(queue: StoredQueue): void {
  if (queue.gone * 2 <= queue.entries.length) return;
  queue.entries = queue.entries.filter((entry) => !entry.isGone);
  queue.gone = 0;
}

/** The caller may use everything again; a record's value becomes its JSON. */
function copyOf({ messages, queues, dropped, records }: Changes): Changes {
  return {
    messages: messages.map(({ id, envelope }) => ({ id, envelope: new Uint8Array(envelope) })),
    queues: queues.map(({ queue, counters, appended, settled, attempted, noted }) => ({
      queue,
      counters: { nextSeq: counters.nextSeq, messages: counters.messages, bytes: counters.bytes },
      appended: appended.map(({ seq, messageId, flags, bytes, priority, expiresAt, note }) => ({
        seq,
        messageId,
        flags,
        bytes,
        priority,
        expiresAt,
        note: noteCopy(note),
      })),
      settled: settled.map(({ seq, messageId }) => ({ seq, messageId })),
      attempted: attempted.map(({ seq, attempts }) => ({ seq, attempts })),
      noted: noted.map(({ seq, note }) => ({ seq, note: noteCopy(note) })),
    })),
    dropped: dropped.map(({ queue, fromSeq, toSeq }) => ({ queue, fromSeq, toSeq })),
    records: records.map(({ key, value }) => ({ key, value: value === null ? null : JSON.stringify(value) })),
  };
}

function noteCopy(note: Uint8Array | undefined): Uint8Array | undefined {
  if (note === undefined) return undefined;
  if (note.length > maxNoteBytes) throw new RangeError(`a note takes ${note.length} bytes`);
  return new Uint8Array(note);
}
