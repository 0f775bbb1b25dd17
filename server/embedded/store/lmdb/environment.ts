import { type Database, open, type RootDatabase } from "lmdb";
import { isIntact, seal } from "./checksum.ts";
import { readU64, writeU64 } from "./u64.ts";

/** The only file that knows lmdb-js. What it relies on is explained, with sources, in docs/design/0002-storage.md. */

const tableNames = ["messages", "refs", "index", "state", "counters", "records", "garbage"] as const;
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

/** What is written with every commit: it numbers the commits, so that none is applied unless the one before was. */
export interface Head {
  readonly commit: number;
  readonly nextMessageId: number;
  readonly clean: boolean;
}

const headKey = Buffer.from("head");
/** Address space only; it doubles by itself when the data outgrow it. */
const initialMapBytes = 2 ** 30;

export class Environment {
  readonly #root: RootDatabase<Uint8Array, Uint8Array>;
  readonly #tables: Record<TableName, Table>;
  readonly #meta: Table;
  #readSince = 0;

  /** The longest time that a read transaction was held, in milliseconds. */
  longestReadMs = 0;

  constructor(path: string) {
    const binary = { encoding: "binary", keyEncoding: "binary" } as const;
    this.#root = open<Uint8Array, Uint8Array>({
      path,
      ...binary,
      maxDbs: tableNames.length + 1,
      mapSize: initialMapBytes,
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

  /** Rows from `start` on, in order, to be gone through at once: no `await` inside the loop. */
  rows(name: TableName, start: Uint8Array, limit: number): Iterable<Row> {
    this.#beginRead();
    return this.#tables[name].getRange({ start, limit });
  }

  /** Ends the read transaction, so that it never outlives the turn that began it. */
  endRead(): void {
    if (this.#readSince === 0) return;
    const heldMs = performance.now() - this.#readSince;
    if (heldMs > this.longestReadMs) this.longestReadMs = heldMs;
    this.#readSince = 0;
    this.#root.resetReadTxn();
  }

  async close(): Promise<void> {
    this.endRead();
    await this.#root.close();
  }

  #beginRead(): void {
    if (this.#readSince === 0) this.#readSince = performance.now();
  }
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
