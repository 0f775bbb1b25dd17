import { statSync } from "node:fs";
import { type Database, open, type RootDatabase } from "lmdb";
import { isIntact, seal } from "./checksum.ts";
import { readU64, writeU64 } from "./u64.ts";

/** The only file that knows lmdb-js. What it relies on is explained, with sources, in docs/design/0002-storage.md. */

export const tableNames = [
  "messages",
  "refs",
  "index",
  "state",
  "notes",
  "counters",
  "records",
  "garbage",
] as const;
export type TableName = (typeof tableNames)[number];
type Table = Database<Uint8Array, Uint8Array>;

export interface Row {
  readonly key: Uint8Array;
  /** Its own memory. */
  readonly value: Uint8Array;
}

/** Puts and removals in the order in which they are to be applied. */
export class Writes {
  readonly tables: TableName[] = [];
  readonly keys: Uint8Array[] = [];
  readonly values: (Uint8Array | undefined)[] = [];

  put(table: TableName, key: Uint8Array, value: Uint8Array): void {
    this.tables.push(table);
    this.keys.push(key);
    this.values.push(value);
  }

  remove(table: TableName, key: Uint8Array): void {
    this.tables.push(table);
    this.keys.push(key);
    this.values.push(undefined);
  }

  get isEmpty(): boolean {
    return this.tables.length === 0;
  }
}

export interface Rows {
  readonly rows: readonly Row[];
  /** There are no more behind these. */
  readonly isEnd: boolean;
}

/** What is written with every commit: it numbers the commits, so that none is applied unless the one before was. */
export interface Head {
  readonly commit: number;
  readonly nextMessageId: number;
  readonly clean: boolean;
}

export interface Space {
  readonly fileBytes: number;
  readonly freeBytes: number;
}

/** What LMDB says of one of its trees. */
interface TreeStats {
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
}

/** What lmdb-js adds to a table's figures: those of the root, of the list of free pages, and of the file. */
interface FileStats extends TreeStats {
  readonly root: TreeStats;
  readonly free: TreeStats;
  readonly pageSize: number;
  readonly lastPageNumber: number;
}

/** The two pages at the file's beginning. */
const metaPages = 2;

function pagesOf({ treeBranchPageCount, treeLeafPageCount, overflowPages }: TreeStats): number {
  return treeBranchPageCount + treeLeafPageCount + overflowPages;
}

const headKey = Buffer.from("head");
const defaultReaderCheckMs = 5_000;
const defaultLongReadMs = 2;
/** Address space only; it doubles by itself when the data outgrow it. */
const initialMapBytes = 2 ** 30;

/** For measuring: is told when a read transaction begins and ends. */
export interface ReadObserver {
  begun(): void;
  ended(heldMs: number): void;
}

export interface EnvironmentOptions {
  /** Nothing can be written, and what is not there is not made. Another process may be writing. Default: false. */
  readonly readOnly?: boolean;
  /** After so long a read transaction is ended where nothing depends on it: freed pages wait for it. Default: 2 ms. */
  readonly longReadMs?: number | undefined;
  readonly reads?: ReadObserver | undefined;
  /** How often, at most, readers of other processes are looked after. Default: 5 s. */
  readonly readerCheckMs?: number;
}

export class Environment {
  readonly #root: RootDatabase<Uint8Array, Uint8Array>;
  readonly #tables: Record<TableName, Table>;
  readonly #meta: Table;
  /** Of a file that was opened for reading only: tables that it lacks. */
  readonly missingTables: readonly string[];
  #readSince = 0;
  /** The last commit that is known to be there. */
  #seenCommit = 0;
  readonly #longReadMs: number;
  readonly #reads: ReadObserver | undefined;
  readonly #readerCheckMs: number;
  #readersCheckedAt = performance.now();

  /** The longest time that a read transaction was held, in milliseconds. */
  longestReadMs = 0;

  constructor(
    path: string,
    {
      readOnly = false,
      longReadMs = defaultLongReadMs,
      reads,
      readerCheckMs = defaultReaderCheckMs,
    }: EnvironmentOptions = {},
  ) {
    this.#longReadMs = longReadMs;
    this.#reads = reads;
    this.#readerCheckMs = readerCheckMs;
    const binary = { encoding: "binary", keyEncoding: "binary" } as const;
    this.#root = open<Uint8Array, Uint8Array>({
      path,
      ...binary,
      readOnly,
      maxDbs: tableNames.length + 1,
      mapSize: readOnly ? Math.max(initialMapBytes, 2 * statSync(path).size) : initialMapBytes,
      // A commit's promise then means "on disk", and a failed one leaves nothing behind.
      overlappingSync: false,
      // Every commit is one explicit batch, which LMDB's writer never splits.
      eventTurnBatching: false,
      commitDelay: 0,
    });
    // The root holds nothing but the tables' names.
    const tables: Partial<Record<TableName, Table>> = {};
    for (const name of tableNames) tables[name] = this.#root.openDB<Uint8Array, Uint8Array>(name, binary);
    this.#tables = tables as Record<TableName, Table>;
    this.#meta = this.#root.openDB<Uint8Array, Uint8Array>("meta", { ...binary, useVersions: true });
    const opened = { ...tables, meta: this.#meta };
    this.missingTables = Object.keys(opened).filter((name) => opened[name as TableName] === undefined);
  }

  /** Calls `read` while no page of the last commit can be written over. Keep it short: see {@link longestReadMs}. */
  holding<Result>(read: () => Result): Result {
    this.#beginRead();
    try {
      // A read transaction begins with the first read.
      this.#root.getBinaryFast(headKey);
      return read();
    } finally {
      this.endRead();
    }
  }

  head(): Head | undefined {
    const entry = this.#meta.getEntry(headKey);
    this.endRead();
    if (entry === undefined) return undefined;
    const { version: commit, value } = entry;
    if (commit === undefined || !isIntact(value, commit))
      throw new Error("the row that numbers the commits is damaged");
    return { commit, nextMessageId: readU64(value, 4), clean: value[12] === 1 };
  }

  /**
   * Applies the writes atomically, provided that commit `head.commit - 1` was applied. Resolves once they are on disk.
   * Returns at once; the memory of keys may be used again, that of values not before the promise has settled.
   */
  commit(writes: Writes, head: Head): Promise<void> {
    this.#forgetDeadReaders();
    const row = Buffer.allocUnsafe(13);
    writeU64(row, 4, head.nextMessageId);
    row[12] = head.clean ? 1 : 0;
    seal(row, head.commit);
    const previous = head.commit === 1 ? null : head.commit - 1;
    const applied = this.#meta.ifVersion(headKey, previous as number, () => {
      for (let i = 0; i < writes.tables.length; i++) {
        const table = this.#tables[writes.tables[i]!];
        const value = writes.values[i];
        if (value === undefined) table.remove(writes.keys[i]!);
        else table.put(writes.keys[i]!, value);
      }
      this.#meta.put(headKey, row, head.commit);
    });
    return applied.then(
      (isApplied) => {
        if (!isApplied) throw new Error(`commit ${head.commit} does not follow on what is stored`);
        if (!this.#isThere(head.commit)) throw new Error(`commit ${head.commit} is not there`);
      },
      async (error: unknown) => {
        throw await causeOf(error);
      },
    );
  }

  /** The row's bytes; they are only valid until the next read. */
  get(name: TableName, key: Uint8Array): Uint8Array | undefined {
    const table = this.#tables[name];
    this.#beginRead();
    const bytes = table.getBinaryFast(key);
    if (bytes === undefined) return undefined;
    // The length that lmdb-js shows on its shared buffer is made up; native code would see the whole buffer.
    return new Uint8Array(
      bytes.buffer,
      bytes.byteOffset,
      (table as unknown as { lastSize: number }).lastSize,
    );
  }

  /** The greatest key that is at most `key`. */
  floorKey(name: TableName, key: Uint8Array): Uint8Array | undefined {
    this.#beginRead();
    for (const found of this.#tables[name].getKeys({ start: key, reverse: true, limit: 1 })) return found;
    return undefined;
  }

  /** Keys from `start` on, in order. */
  keys(name: TableName, start: Uint8Array, limit: number): Uint8Array[] {
    this.#beginRead();
    return this.#tables[name].getKeys({ start, limit }).asArray as unknown as Uint8Array[];
  }

  /** The rows from `start` on, below `end` and in order, up to `maxRows` of them; the one that passes `maxBytes` is the last. */
  readRows(name: TableName, start: Uint8Array, end: Uint8Array, maxRows: number, maxBytes: number): Rows {
    const rows: Row[] = [];
    let bytes = 0;
    this.#beginRead();
    for (const row of this.#tables[name].getRange({ start, end, limit: maxRows })) {
      rows.push(row);
      bytes += row.key.length + row.value.length;
      if (bytes > maxBytes) return { rows, isEnd: false };
    }
    return { rows, isEnd: rows.length < maxRows };
  }

  /** Rows from `start` on, in order, to be gone through at once: no `await` inside the loop. */
  rows(name: TableName, start: Uint8Array, limit: number): Iterable<Row> {
    this.#beginRead();
    return this.#tables[name].getRange({ start, limit });
  }

  /** How long the file is, and how much of it no table uses: LMDB never gives pages back, but uses them again. */
  space(): Space {
    this.#beginRead();
    let usedPages = metaPages;
    let file: FileStats | undefined;
    for (const table of [...Object.values(this.#tables), this.#meta]) {
      file = table.getStats() as FileStats;
      usedPages += pagesOf(file);
    }
    this.endRead();
    const { root, free, lastPageNumber, pageSize } = file!;
    usedPages += pagesOf(root) + pagesOf(free);
    const filePages = lastPageNumber + 1;
    // The figures are of two moments: a commit may have come between.
    const freePages = Math.max(0, filePages - usedPages);
    return { fileBytes: filePages * pageSize, freeBytes: freePages * pageSize };
  }

  /** What a table takes up in the file. */
  tableBytes(name: TableName): number {
    this.#beginRead();
    const stats = this.#tables[name].getStats() as FileStats;
    return pagesOf(stats) * stats.pageSize;
  }

  /** Whether the read transaction has been held for so long that it should end. */
  get isLongRead(): boolean {
    return this.#readSince !== 0 && performance.now() - this.#readSince >= this.#longReadMs;
  }

  /** Ends a long read transaction; the next read begins another. To be called where nothing that was read is needed any more. */
  endLongRead(): void {
    if (this.isLongRead) this.endRead();
  }

  /** Ends the read transaction, so that it never outlives the turn that began it. */
  endRead(): void {
    if (this.#readSince === 0) return;
    const heldMs = performance.now() - this.#readSince;
    if (heldMs > this.longestReadMs) this.longestReadMs = heldMs;
    this.#readSince = 0;
    this.#root.resetReadTxn();
    this.#reads?.ended(heldMs);
  }

  async close(): Promise<void> {
    this.endRead();
    await this.#root.close();
  }

  /** A backup that was killed would hold its snapshot for good, and no freed page would be used again. */
  #forgetDeadReaders(): void {
    const now = performance.now();
    if (now - this.#readersCheckedAt < this.#readerCheckMs) return;
    this.#readersCheckedAt = now;
    this.#root.readerCheck();
  }

  /**
   * Whether a commit is to be seen, and so is on disk. lmdb-js is not believed alone: when several transactions end before it
   * has looked at the first, it may settle the promises of one that failed by how the next one went.
   */
  #isThere(commit: number): boolean {
    if (commit <= this.#seenCommit) return true;
    this.#root.resetReadTxn();
    this.#seenCommit = this.#meta.getEntry(headKey)?.version ?? 0;
    this.#root.resetReadTxn();
    return commit <= this.#seenCommit;
  }

  #beginRead(): void {
    if (this.#readSince !== 0) return;
    this.#reads?.begun();
    this.#readSince = performance.now();
  }
}

/**
 * How long a file should be, by what it says of itself; the last pages may never have been written. Reads nothing else: a
 * page that has been cut off would end the process.
 */
export async function usedBytesOf(path: string): Promise<number> {
  const root = open({ path, readOnly: true, overlappingSync: false });
  const { lastPageNumber, pageSize } = root.getStats() as { lastPageNumber: number; pageSize: number };
  await root.close();
  return (lastPageNumber + 1) * pageSize;
}

/**
 * lmdb-js rejects a write with an error that carries a promise of the true one. That promise has to be handled, or it ends
 * the process; it settles in the same turn, but is not to be trusted with it.
 */
async function causeOf(error: unknown): Promise<unknown> {
  const { commitError } = error as { commitError?: Promise<unknown> };
  if (commitError === undefined) return error;
  const cause = commitError.then(
    () => error,
    (reason: unknown) => reason,
  );
  return Promise.race([cause, new Promise((resolve) => setImmediate(resolve, error))]);
}
