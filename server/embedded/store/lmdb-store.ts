import { statfsSync } from "node:fs";
import { join, resolve } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { CommitBuilder } from "./lmdb/commit-builder.ts";
import { DirectoryLock } from "./lmdb/directory-lock.ts";
import { DroppedRanges } from "./lmdb/dropped-ranges.ts";
import { EntryLoader } from "./lmdb/entry-loader.ts";
import { Environment, type ReadObserver, type Row, type TableName, Writes } from "./lmdb/environment.ts";
import { beginStore, finishStore, prepareDirectory } from "./lmdb/format-marker.ts";
import { endOfTime, readRunQueue } from "./lmdb/keys.ts";
import { Maintenance, type MaintenanceOptions } from "./lmdb/maintenance.ts";
import { NotesUnderWay } from "./lmdb/notes-under-way.ts";
import { RowCache } from "./lmdb/row-cache.ts";
import { decodeCounters, decodeRecord } from "./lmdb/small-rows.ts";
import { StoredRows } from "./lmdb/stored-rows.ts";
import { readU64 } from "./lmdb/u64.ts";
import {
  type Changes,
  type DroppedRange,
  type LoadedEntry,
  type MaintenanceNeed,
  type QueueCounters,
  type QueueId,
  type Recovered,
  type Room,
  type Scan,
  type Store,
  StoreError,
} from "./store.ts";

export interface LmdbStoreOptions {
  /** Is made if it does not exist. */
  readonly directory: string;
  /** Memory for what is known of rows that were touched lately. Default: 32 MiB. */
  readonly cacheBytes?: number;
  /** When the background work sets in. The defaults suit everything but tests. */
  readonly maintenance?: Partial<MaintenanceOptions>;
  /** After so many milliseconds a read transaction is ended where it can be. Default: 2. */
  readonly longReadMs?: number;
  /** For measuring: is told of each read transaction. */
  readonly reads?: ReadObserver;
}

const defaultCacheBytes = 32 * 1024 * 1024;
const defaultMaintenance: MaintenanceOptions = {
  quietTicks: 64,
  smallRows: 64,
  slackBytes: 16 * 1024 * 1024,
  stepMs: 2,
};
/** How many rows recovery reads in one turn. */
const recoveryStepRows = 1024;

interface FileSystemFigures {
  /** Blocks left for processes without privileges. */
  readonly bavail: number;
  readonly blocks: number;
  readonly bsize: number;
}

/** What is there while the store is open. */
interface Open {
  readonly lock: DirectoryLock;
  readonly environment: Environment;
  readonly cache: RowCache;
  readonly rows: StoredRows;
  readonly notes: NotesUnderWay;
  readonly dropped: DroppedRanges;
  readonly loader: EntryLoader;
  readonly maintenance: Maintenance;
}

/** The store on disk; docs/design/0002-storage.md explains it. */
export class LmdbStore implements Store {
  readonly #options: LmdbStoreOptions;
  #open: Open | undefined;
  #lastCommit = 0;
  #flushedCommit = 0;
  #nextMessageId = 1;
  #failure: StoreError | undefined;
  /** Commits under way, each by what rejects it. */
  readonly #underWay = new Map<number, (error: StoreError) => void>();
  #idle: () => void = () => {};
  #lastFigures: FileSystemFigures = { bavail: Number.POSITIVE_INFINITY, blocks: 0, bsize: 1 };

  constructor(options: LmdbStoreOptions) {
    this.#options = { ...options, directory: resolve(options.directory) };
  }

  /** The longest time that a read transaction was held, in milliseconds. */
  get longestReadMs(): number {
    return this.#open?.environment.longestReadMs ?? 0;
  }

  /** Memory taken by what is known of rows that were touched lately. */
  get cacheBytes(): number {
    return this.#open?.cache.bytes ?? 0;
  }

  async open(): Promise<Recovered> {
    if (this.#open !== undefined) throw new Error("the store is open already");
    const { directory, longReadMs, reads } = this.#options;
    prepareDirectory(directory);
    const lock = await DirectoryLock.acquire(directory);
    let environment: Environment | undefined;
    try {
      const isNew = beginStore(directory);
      environment = new Environment(join(directory, "store.mdb"), { longReadMs, reads });
      const recovered = await this.#recover(lock, environment);
      if (isNew) finishStore(directory);
      return recovered;
    } catch (error) {
      this.#open = undefined;
      await environment?.close();
      lock.release();
      if (error instanceof StoreError) throw error;
      throw new StoreError("io", `cannot open ${directory}: ${(error as Error).message}`, { cause: error });
    }
  }

  commit(changes: Changes): Promise<void> {
    const { dropped, maintenance } = this.#opened();
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return this.#submit((builder) => {
      builder.append(changes.messages, changes.queues);
      for (const queue of changes.queues) {
        for (let i = 0; i < queue.settled.length; i++) {
          const entry = queue.settled[i]!;
          builder.settle(queue.queue, entry.seq, entry.messageId);
        }
        for (const { seq, attempts } of queue.attempted) builder.attempt(queue.queue, seq, attempts);
        for (const { seq, note } of queue.noted) builder.note(queue.queue, seq, note);
        // What a queue that is dropped still sends must not bring its counters back.
        if (!dropped.hasWhole(queue.queue)) builder.putCounters(queue);
        const first = queue.appended[0];
        if (first !== undefined) maintenance.noteRun(queue.queue, first.seq, queue.appended.length);
      }
      for (const range of changes.dropped) this.#drop(builder, range, changes);
      for (const record of changes.records) builder.record(record);
      const last = changes.messages.at(-1);
      if (last !== undefined) {
        this.#nextMessageId = Math.max(this.#nextMessageId, last.id + 1);
      }
    });
  }

  load(queue: QueueId, fromSeq: number, toSeq: number, maxEntries: number, maxBytes: number): LoadedEntry[] {
    return this.#read(queue, (loader) => loader.load(queue, fromSeq, toSeq, maxEntries, maxBytes));
  }

  loadOne(queue: QueueId, seq: number): LoadedEntry | undefined {
    return this.load(queue, seq, seq, 1, 0)[0];
  }

  scan(queue: QueueId, fromSeq: number, toSeq: number, maxEntries: number): Scan {
    return this.#read(queue, (loader) => loader.scan(queue, fromSeq, toSeq, maxEntries));
  }

  /**
   * What the file system has left, and of the free pages inside LMDB's file those that can be counted on: rows of many
   * pages need neighbouring ones, and the emptier the file, the likelier they are. So a file that is free by half counts
   * half of its free pages, one that is free by a tenth a tenth.
   */
  room(): Room {
    const { environment } = this.#opened();
    const { bavail, bsize } = this.#fileSystem();
    const { fileBytes, freeBytes } = environment.space();
    return { diskBytes: bavail * bsize, reusableBytes: (freeBytes * freeBytes) / fileBytes };
  }

  capacityBytes(): number {
    const { blocks, bsize } = this.#fileSystem();
    return blocks * bsize;
  }

  async maintain(): Promise<MaintenanceNeed> {
    const { maintenance } = this.#opened();
    if (this.#failure !== undefined) throw this.#failure;
    let need: MaintenanceNeed = "nothing";
    const flushedCommit = this.#flushedCommit;
    await this.#submit((builder) => {
      need = maintenance.step(builder, flushedCommit);
    }, "only if there is anything to write");
    return need;
  }

  async close({ clean }: { clean: boolean }): Promise<void> {
    const { environment, lock } = this.#opened();
    while (this.#underWay.size > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    try {
      if (clean && this.#failure === undefined) await this.#writeClean(environment, true);
    } finally {
      this.#open = undefined;
      await environment.close();
      lock.release();
    }
  }

  #read<Result>(queue: QueueId, read: (loader: EntryLoader) => Result): Result {
    const { loader, environment } = this.#opened();
    try {
      return read(loader);
    } catch (error) {
      if (error instanceof StoreError) throw error;
      const text = `queue ${queue} cannot be read: ${(error as Error).message}`;
      throw new StoreError("io", text, { cause: error });
    } finally {
      environment.endRead();
    }
  }

  #fileSystem(): FileSystemFigures {
    try {
      this.#lastFigures = statfsSync(this.#options.directory);
    } catch {
      // Not to know the room is no reason to stop: if the disk is in trouble, the next commit says so.
    }
    return this.#lastFigures;
  }

  #opened(): Open {
    if (this.#open === undefined) throw new Error("the store is not open");
    return this.#open;
  }

  async #recover(lock: DirectoryLock, environment: Environment): Promise<Recovered> {
    const head = environment.head();
    this.#lastCommit = head?.commit ?? 0;
    this.#flushedCommit = this.#lastCommit;
    this.#nextMessageId = head?.nextMessageId ?? 1;
    this.#failure = undefined;

    const records = new Map<string, unknown>();
    for await (const { key, value } of allRows(environment, "records")) {
      const name = Buffer.from(key).toString();
      const record = decodeRecord(value);
      if (record === undefined) throw new StoreError("damaged", `the record ${name} is damaged`);
      records.set(name, record.value);
    }
    const queues = new Map<QueueId, QueueCounters>();
    const transientBefore = new Map<QueueId, number>();
    for await (const { key, value } of allRows(environment, "counters")) {
      const queue = readRunQueue(key);
      const counters = decodeCounters(value, queue);
      if (counters === undefined)
        throw new StoreError("damaged", `the counters of queue ${queue} are damaged`);
      queues.set(queue, counters);
      transientBefore.set(queue, counters.nextSeq);
    }
    const dropped = new DroppedRanges();
    for await (const { key } of allRows(environment, "garbage")) {
      const range = { queue: readRunQueue(key), fromSeq: readU64(key, 8), toSeq: readU64(key, 16) };
      dropped.add(range, this.#lastCommit);
    }

    const cache = new RowCache(this.#options.cacheBytes ?? defaultCacheBytes);
    const rows = new StoredRows(environment, cache, transientBefore);
    const notes = new NotesUnderWay();
    const options = { ...defaultMaintenance, ...this.#options.maintenance };
    const maintenance = new Maintenance(environment, rows, cache, dropped, options, queues.keys());
    const loader = new EntryLoader(environment, rows, notes, dropped);
    this.#open = { lock, environment, cache, rows, notes, dropped, loader, maintenance };
    await this.#writeClean(environment, false);
    return { records, queues, nextMessageId: this.#nextMessageId, clean: head?.clean ?? true };
  }

  async #writeClean(environment: Environment, clean: boolean): Promise<void> {
    const commit = ++this.#lastCommit;
    try {
      await environment.commit(new Writes(), { commit, nextMessageId: this.#nextMessageId, clean });
    } catch (cause) {
      throw new StoreError("io", `the store cannot be written: ${(cause as Error).message}`, { cause });
    }
    this.#flushedCommit = commit;
  }

  #drop(builder: CommitBuilder, range: DroppedRange, changes: Changes): void {
    const { dropped, maintenance } = this.#opened();
    // Only entries of earlier commits are meant.
    const first = changes.queues.find(({ queue }) => queue === range.queue)?.appended[0]?.seq ?? endOfTime;
    const toSeq = Math.min(range.toSeq, range.toSeq === Number.POSITIVE_INFINITY ? endOfTime : first - 1);
    if (toSeq < range.fromSeq) return;
    const bounded = { queue: range.queue, fromSeq: range.fromSeq, toSeq };
    builder.drop(bounded);
    dropped.add(bounded, builder.commit);
    if (toSeq === endOfTime) maintenance.noteDroppedQueue(range.queue);
  }

  /** Builds a commit and hands it over; resolves when it is flushed. */
  #submit(
    build: (builder: CommitBuilder) => void,
    condition?: "only if there is anything to write",
  ): Promise<void> {
    const { environment, rows, cache, notes, maintenance } = this.#opened();
    const builder = new CommitBuilder(this.#lastCommit + 1, rows, cache, notes);
    try {
      build(builder);
      builder.finish();
    } catch (error) {
      // The cache is ahead of the disk now, for something that will never be written.
      return Promise.reject(this.#fail(error));
    } finally {
      environment.endRead();
    }
    if (condition !== undefined && builder.writes.isEmpty) return Promise.resolve();
    const { commit } = builder;
    this.#lastCommit = commit;
    maintenance.noteCommit(builder);
    const flushed = environment.commit(builder.writes, {
      commit,
      nextMessageId: this.#nextMessageId,
      clean: false,
    });
    return new Promise((resolve, reject) => {
      this.#underWay.set(commit, reject);
      flushed.then(
        () => {
          if (!this.#underWay.delete(commit)) return;
          this.#flushedCommit = commit;
          for (const run of builder.retiredRuns) cache.removeRun(run);
          for (const row of builder.retiredMessageRows) cache.removeMessageRow(row);
          notes.flushed(commit);
          cache.tick(commit);
          resolve();
          if (this.#underWay.size === 0) this.#idle();
        },
        (error: unknown) => this.#fail(error),
      );
    });
  }

  /** Ends the store: everything under way is rejected, also what LMDB might never answer. */
  #fail(cause: unknown): StoreError {
    if (this.#failure === undefined) {
      const message = `a commit failed: ${(cause as Error).message}`;
      this.#failure = cause instanceof StoreError ? cause : new StoreError("io", message, { cause });
    }
    const failure = this.#failure;
    const rejections = [...this.#underWay.values()];
    this.#underWay.clear();
    for (const reject of rejections) reject(failure);
    this.#idle();
    return failure;
  }
}

/** All rows of a table, a bounded number in each turn of the event loop. */
async function* allRows(environment: Environment, table: TableName): AsyncGenerator<Row> {
  let start: Uint8Array = Buffer.from([0]);
  for (;;) {
    const rows = [...environment.rows(table, start, recoveryStepRows)];
    environment.endRead();
    yield* rows;
    if (rows.length < recoveryStepRows) return;
    start = Buffer.concat([rows.at(-1)!.key, Buffer.from([0])]);
    await nextTurn();
  }
}
