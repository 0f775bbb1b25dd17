import type { PublishSink } from "../engine/engine.ts";
import type { Lane, PendingChanges } from "./lane.ts";
import type { Message } from "./message.ts";
import type { NewMessage, QueueChanges, RecordChange, Store } from "./store/store.ts";

export interface CommitterOptions {
  readonly store: Store;
  /** Calls back at the end of the present turn of the event loop. */
  readonly defer: (callback: () => void) => void;
  /** Congested above this many bytes that are not on disk yet; relieved at half. */
  readonly maxUncommittedBytes: number;
  /** A commit failed: nothing may be confirmed any more. Called once. */
  readonly onFailure: (error: unknown) => void;
}

interface Batch {
  messages: Message[];
  bytes: number;
  lanes: Lane[];
  records: RecordChange[];
  /** Runs of publish numbers to confirm, as parallel lists: one entry a run, not one a message. */
  sinks: PublishSink[];
  firsts: number[];
  lasts: number[];
  waiters: (() => void)[];
}

function emptyBatch(): Batch {
  return { messages: [], bytes: 0, lanes: [], records: [], sinks: [], firsts: [], lasts: [], waiters: [] };
}

/**
 * Group commit. What changes piles up in a batch; a commit takes the whole batch at the end of the turn, or, when one is under
 * way, as soon as that is flushed. So a lone publish waits for one flush, and under load the batches grow by themselves. No timers.
 *
 * One at a time: with several, LMDB's writer puts those that wait into one transaction all the same, and what was consumed meanwhile
 * has been written already.
 */
export class Committer {
  readonly #options: CommitterOptions;
  #batch = emptyBatch();
  #isUnderWay = false;
  /** The batch holds something. */
  #hasWork = false;
  /** A commit is built at the end of this turn. */
  #isBuildDue = false;
  #failed = false;
  #failure: unknown;
  #nextMessageId = 1;
  #unflushedBytes = 0;
  #congested = false;
  readonly #reliefListeners: (() => void)[] = [];
  #idleWaiters: (() => void)[] = [];

  constructor(options: CommitterOptions) {
    this.#options = options;
  }

  /** The number of the next message that is written; earlier ones were given out before. Called before the first is written. */
  continueFrom(nextMessageId: number): void {
    this.#nextMessageId = nextMessageId;
  }

  get congested(): boolean {
    return this.#congested;
  }

  /** Size of the messages that are not on disk yet. */
  get unflushedBytes(): number {
    return this.#unflushedBytes;
  }

  /** Nothing waits and nothing is under way. */
  get isIdle(): boolean {
    return !this.#isUnderWay && !this.#hasWork;
  }

  onRelief(listener: () => void): void {
    this.#reliefListeners.push(listener);
  }

  /** The lane has changes for the next commit. */
  changed(lane: Lane): void {
    if (lane.isChanged) return;
    lane.isChanged = true;
    this.#batch.lanes.push(lane);
    this.#schedule();
  }

  /** The message is to be written, unless all its entries are done before the commit is built. */
  write(message: Message): void {
    message.isQueued = true;
    this.#batch.messages.push(message);
    this.#batch.bytes += message.envelope.length;
    this.#unflushedBytes += message.envelope.length;
    if (this.#unflushedBytes > this.#options.maxUncommittedBytes) this.#congested = true;
    this.#schedule();
  }

  /** Confirms a publish once everything noted so far is on disk. */
  confirm(sink: PublishSink, number: number): void {
    const { sinks, firsts, lasts } = this.#batch;
    const at = sinks.length - 1;
    if (sinks[at] === sink && lasts[at] === number - 1) {
      lasts[at] = number;
      return;
    }
    sinks.push(sink);
    firsts.push(number);
    lasts.push(number);
    this.#schedule();
  }

  /** Writes records; resolves once they and everything noted before are on disk. */
  record(changes: readonly RecordChange[]): Promise<void> {
    this.#batch.records.push(...changes);
    return this.flushed();
  }

  /** Resolves once everything noted so far is on disk. */
  flushed(): Promise<void> {
    return new Promise((resolve) => {
      this.#batch.waiters.push(resolve);
      this.#schedule();
    });
  }

  /** Resolves when nothing is left to write. Rejects with what made a commit fail. */
  async idle(): Promise<void> {
    while (!this.isIdle) {
      if (this.#failed) throw this.#failure;
      await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
    }
  }

  #schedule(): void {
    this.#hasWork = true;
    this.#deferBuild();
  }

  /** Called again when a commit is flushed, as none is built while one is under way. */
  #deferBuild(): void {
    if (!this.#hasWork || this.#isBuildDue || this.#isUnderWay) return;
    this.#isBuildDue = true;
    this.#options.defer(() => this.#build());
  }

  #build(): void {
    const batch = this.#batch;
    this.#batch = emptyBatch();
    this.#hasWork = false;
    const messages = this.#numbered(batch.messages);
    const lastSeqs: number[] = [];
    const queues: QueueChanges[] = [];
    const dropped = [];
    for (const lane of batch.lanes) {
      lane.isChanged = false;
      const changes = lane.takeChanges();
      dropped.push(...changes.dropped);
      lastSeqs.push(changes.appended.at(-1)?.seq ?? 0);
      if (!lane.queue.deleted && !isNothing(changes)) queues.push({ queue: lane.id, ...changes });
    }
    this.#isBuildDue = false;
    const isEmpty = messages.length + queues.length + dropped.length + batch.records.length === 0;
    if (isEmpty) {
      // Everything was consumed before it was written.
      this.#complete(batch, lastSeqs);
      return;
    }
    this.#isUnderWay = true;
    this.#options.store.commit({ messages, queues, dropped, records: batch.records }).then(
      () => {
        this.#isUnderWay = false;
        this.#complete(batch, lastSeqs);
      },
      (error: unknown) => this.#fail(error),
    );
  }

  #numbered(messages: readonly Message[]): NewMessage[] {
    const written: NewMessage[] = [];
    for (const message of messages) {
      message.isQueued = false;
      if (message.unwritten === 0) continue;
      message.id = this.#nextMessageId++;
      written.push(message);
    }
    return written;
  }

  #complete(batch: Batch, lastSeqs: readonly number[]): void {
    for (let i = 0; i < batch.lanes.length; i++) {
      const seq = lastSeqs[i]!;
      if (seq > 0) batch.lanes[i]!.flushed(seq);
    }
    for (let i = 0; i < batch.sinks.length; i++) batch.sinks[i]!.confirmed(batch.firsts[i]!, batch.lasts[i]!);
    for (const resolve of batch.waiters) resolve();
    this.#unflushedBytes -= batch.bytes;
    if (this.#congested && this.#unflushedBytes <= this.#options.maxUncommittedBytes / 2) {
      this.#congested = false;
      for (const listener of this.#reliefListeners) listener();
    }
    this.#deferBuild();
    if (this.isIdle) for (const resolve of this.#idleWaiters.splice(0)) resolve();
  }

  /** Nothing follows: the commit that failed stays the one that is under way. */
  #fail(error: unknown): void {
    this.#failed = true;
    this.#failure = error;
    for (const resolve of this.#idleWaiters.splice(0)) resolve();
    this.#options.onFailure(error);
  }
}

/** Everything the lane had to write was settled before it was written. */
function isNothing({ appended, settled, attempted, noted, dropped }: PendingChanges): boolean {
  return appended.length + settled.length + attempted.length + noted.length + dropped.length === 0;
}
