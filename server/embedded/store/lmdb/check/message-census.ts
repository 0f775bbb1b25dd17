import type { Environment } from "../environment.ts";
import { messageKey, readMessageKey } from "../keys.ts";
import { MessageRowReader } from "../message-row.ts";
import { decodeReferences, type ReferencesRow } from "../references-row.ts";
import type { Problems } from "./check-report.ts";
import { isSettled, runName, type StoredRun } from "./run-walk.ts";
import { walkTable } from "./table-walk.ts";

/** So many messages are compared with the index at a time; each takes eight bytes, or up to sixteen. */
const defaultWindowMessages = 4_000_000;

/** A sound row of messages and who refers to it. */
export interface CountedRow {
  readonly firstId: number;
  readonly lastId: number;
  readonly count: number;
  readonly idDeltas: Uint32Array | undefined;
  readonly lengths: Uint32Array | number;
  readonly rowBytes: number;
  /** References as noted. */
  readonly noted: Uint32Array;
  /** References as found. */
  readonly found: Uint32Array;
  /** There is a row in `refs`. */
  readonly hasReferencesRow: boolean;
  /** That row is damaged: `noted` is what the messages began with. */
  readonly isReferencesRowDamaged: boolean;
}

/** Entries of one run that refer to nothing: a bit for each. */
export interface DeadEntries {
  readonly bits: Uint8Array;
  /** Without those of which it only is not known whether they were settled. */
  lost: { readonly seq: number; readonly messageId: number }[];
}

export interface Census {
  /** `runName` → the run's entries without a message. */
  readonly dead: Map<string, DeadEntries>;
  readonly highestId: number;
}

export interface CensusOptions {
  readonly environment: Environment;
  readonly problems: Problems | undefined;
  /** Begins a walk through the runs that count. */
  readonly runs: () => Iterable<StoredRun>;
  /** All references to the row have been counted. */
  readonly onRow: (row: CountedRow) => void | Promise<void>;
  readonly onStep?: (rows: number, bytes: number) => Promise<void>;
  readonly windowMessages?: number;
}

/**
 * Counts the references to each message. The table of messages is gone through once and taken in windows, and the index,
 * which is small beside it, once for each window: so memory is bounded however much is stored.
 */
export async function takeCensus(options: CensusOptions): Promise<Census> {
  const { environment, problems, runs, onRow, onStep } = options;
  const windowMessages = options.windowMessages ?? defaultWindowMessages;
  const dead = new Map<string, DeadEntries>();
  let window: CountedRow[] = [];
  let messages = 0;
  let fromId = 0;
  let previousId = -1;
  let highestId = 0;
  const endWindow = async (toId: number) => {
    countReferences(window, runs(), fromId, toId, dead);
    for (const row of window) await onRow(row);
    window = [];
    messages = 0;
    fromId = toId;
  };
  for (const { key, value } of walkTable(environment, "messages", problems)) {
    const firstId = readMessageKey(key);
    await onStep?.(1, key.length + value.length);
    if (messages >= windowMessages) await endWindow(firstId);
    const row = MessageRowReader.read(value, firstId);
    if (!row?.isWellFormed || firstId <= previousId) {
      const what = row?.isWellFormed ? "overlaps the one before" : "is damaged";
      const text = `table messages: the row of message ${firstId} ${what}`;
      problems?.add({ kind: "damaged-row", table: "messages", text });
      continue;
    }
    const counted = countedRow(environment, row);
    if (counted.isReferencesRowDamaged) {
      const text = `table refs: the row of message ${firstId} is damaged`;
      problems?.add({ kind: "damaged-row", table: "refs", text });
    }
    window.push(counted);
    messages += row.count;
    previousId = counted.lastId;
    highestId = counted.lastId;
  }
  await endWindow(Number.POSITIVE_INFINITY);
  return { dead, highestId };
}

function countedRow(environment: Environment, row: MessageRowReader): CountedRow {
  const { firstId, count } = row;
  let noted: ReferencesRow | undefined;
  let hasReferencesRow = false;
  try {
    const stored = environment.get("refs", messageKey(firstId));
    hasReferencesRow = stored !== undefined;
    noted = stored && decodeReferences(stored, firstId);
  } catch {
    hasReferencesRow = true;
  } finally {
    environment.endRead();
  }
  const isReferencesRowDamaged = hasReferencesRow && !(noted !== undefined && saysSame(noted, row));
  return {
    firstId,
    lastId: row.idAt(count - 1),
    count,
    idDeltas: row.idDeltas(),
    lengths: row.lengths(),
    rowBytes: row.bytes,
    noted: isReferencesRowDamaged || noted === undefined ? row.references() : noted.remaining,
    found: new Uint32Array(count),
    hasReferencesRow,
    isReferencesRowDamaged,
  };
}

/** Whether what is kept beside the row is of this row: each reads as the other does. */
function saysSame(noted: ReferencesRow, row: MessageRowReader): boolean {
  const { idDeltas, remaining, lengths, rowBytes } = noted;
  if (remaining.length !== row.count || rowBytes !== row.bytes) return false;
  for (let ordinal = 0; ordinal < row.count; ordinal++) {
    const length = typeof lengths === "number" ? lengths : lengths[ordinal];
    const id = row.firstId + (idDeltas === undefined ? ordinal : idDeltas[ordinal]!);
    if (length !== row.lengthAt(ordinal) || id !== row.idAt(ordinal)) return false;
  }
  return true;
}

function countReferences(
  window: readonly CountedRow[],
  runs: Iterable<StoredRun>,
  fromId: number,
  toId: number,
  dead: Map<string, DeadEntries>,
): void {
  for (const run of runs) {
    const { row } = run;
    let holder: CountedRow | undefined;
    for (let ordinal = 0; ordinal < row.count; ordinal++) {
      if (isSettled(run.state, ordinal)) continue;
      const id = row.messageIdAt(ordinal);
      if (id < fromId || id >= toId) continue;
      if (holder === undefined || id < holder.firstId || id > holder.lastId) holder = rowOf(window, id);
      const at = holder === undefined ? -1 : ordinalOf(holder, id);
      if (at < 0) noteDead(dead, run, ordinal, !run.isStateLost);
      // An entry whose state is lost was settled, if its message has no reference left.
      else if (run.isStateLost && holder!.noted[at] === 0) noteDead(dead, run, ordinal, false);
      else holder!.found[at]!++;
    }
  }
}

function rowOf(window: readonly CountedRow[], id: number): CountedRow | undefined {
  let low = 0;
  let high = window.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (window[middle]!.firstId <= id) low = middle + 1;
    else high = middle;
  }
  const row = window[low - 1];
  return row !== undefined && id <= row.lastId ? row : undefined;
}

function ordinalOf({ firstId, idDeltas }: CountedRow, id: number): number {
  const delta = id - firstId;
  if (idDeltas === undefined) return delta;
  let low = 0;
  let high = idDeltas.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const found = idDeltas[middle]!;
    if (found === delta) return middle;
    if (found < delta) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

function noteDead(dead: Map<string, DeadEntries>, run: StoredRun, ordinal: number, isLost: boolean): void {
  const name = runName(run.queue, run.firstSeq);
  let entries = dead.get(name);
  if (entries === undefined) {
    entries = { bits: new Uint8Array(((run.row.count + 31) >>> 5) << 2), lost: [] };
    dead.set(name, entries);
  }
  entries.bits[ordinal >>> 3]! |= 1 << (ordinal & 7);
  if (isLost) entries.lost.push({ seq: run.row.seqAt(ordinal), messageId: run.row.messageIdAt(ordinal) });
}
