import type { Environment, Row, TableName } from "../environment.ts";
import { readU64, writeU64 } from "../u64.ts";
import type { Problems } from "./check-report.ts";

/** Bytes of a key; records have any. */
export const keyBytes: Readonly<Partial<Record<TableName, number>>> = {
  messages: 8,
  refs: 8,
  index: 16,
  state: 16,
  notes: 16,
  counters: 8,
  garbage: 24,
};

/** Rows of messages are large, and a step is held in memory. */
const stepRows: Readonly<Record<TableName, number>> = {
  messages: 16,
  refs: 256,
  index: 256,
  state: 256,
  notes: 256,
  counters: 1024,
  records: 1024,
  garbage: 1024,
};

/**
 * The rows of a table in order, read in steps. Where LMDB cannot go on, that is a problem, and the walk goes on behind it:
 * the next place that can be read is felt for.
 */
export function* walkTable(
  environment: Environment,
  table: TableName,
  problems: Problems | undefined,
): Generator<Row> {
  if (environment.missingTables.includes(table)) return;
  let start: Uint8Array = Buffer.from([0]);
  let previous: Uint8Array | undefined;
  for (;;) {
    const { rows, error } = readStep(environment, table, start);
    for (const row of rows) {
      const expected = keyBytes[table];
      const isOrdered = previous === undefined || Buffer.compare(previous, row.key) < 0;
      if ((expected !== undefined && row.key.length !== expected) || !isOrdered) {
        const what = isOrdered ? "has a key of the wrong length" : "stands out of order";
        problems?.add({ kind: "order", table, text: `table ${table}: the row ${hex(row.key)} ${what}` });
        continue;
      }
      previous = row.key;
      yield row;
    }
    let next = rows.length === 0 ? start : after(previous ?? start);
    if (error !== undefined) {
      const resumed = skipAhead(environment, table, next);
      const where = resumed === undefined ? "to its end" : `to ${hex(resumed)}`;
      const text = `table ${table} cannot be read from ${hex(next)} ${where}: ${error.message}`;
      problems?.add({ kind: "unreadable", table, text });
      if (resumed === undefined) return;
      next = resumed;
    } else if (rows.length < stepRows[table] || Buffer.compare(next, start) <= 0) return;
    start = next;
  }
}

function readStep(
  environment: Environment,
  table: TableName,
  start: Uint8Array,
): { rows: Row[]; error: Error | undefined } {
  const rows: Row[] = [];
  try {
    for (const row of environment.rows(table, start, stepRows[table])) rows.push(row);
    return { rows, error: undefined };
  } catch (error) {
    return { rows, error: error as Error };
  } finally {
    environment.endRead();
  }
}

/** The next key above `from` at which reading works again: ever larger jumps, then back in halves. */
function skipAhead(environment: Environment, table: TableName, from: Uint8Array): Uint8Array | undefined {
  const length = keyBytes[table];
  if (length === undefined) return undefined;
  const base = Buffer.alloc(length);
  base.set(from.subarray(0, length));
  for (let at = length - 8; at >= 0; at -= 8) {
    const jumped = (distance: number): Uint8Array => {
      const key = Buffer.from(base);
      writeU64(key, at, readU64(base, at) + distance);
      if (at + 8 < length) key.fill(0, at + 8);
      return key;
    };
    let failing = 0;
    let found: Uint8Array | undefined;
    for (let distance = 1; distance < 2 ** 52 - readU64(base, at); distance *= 2) {
      found = firstKey(environment, table, jumped(distance));
      if (found !== undefined) {
        let working = distance;
        while (working - failing > 1) {
          const middle = Math.floor((working + failing) / 2);
          const key = firstKey(environment, table, jumped(middle));
          if (key === undefined) failing = middle;
          else {
            working = middle;
            found = key;
          }
        }
        return found;
      }
      failing = distance;
    }
  }
  return undefined;
}

/** undefined if it cannot be read, or there is none. */
function firstKey(environment: Environment, table: TableName, start: Uint8Array): Uint8Array | undefined {
  try {
    for (const row of environment.rows(table, start, 1)) return row.key;
    return undefined;
  } catch {
    return undefined;
  } finally {
    environment.endRead();
  }
}

function after(key: Uint8Array): Uint8Array {
  return Buffer.concat([key, Buffer.from([0])]);
}

export function hex(key: Uint8Array): string {
  return Buffer.from(key).toString("hex");
}
