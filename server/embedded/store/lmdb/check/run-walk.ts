import type { QueueId } from "../../store.ts";
import { runSeed } from "../checksum.ts";
import type { Environment } from "../environment.ts";
import { IndexRowReader } from "../index-row.ts";
import { readRunFirstSeq, readRunQueue } from "../keys.ts";
import { decodeState, type RunState } from "../small-rows.ts";
import type { Problems } from "./check-report.ts";
import { walkTable } from "./table-walk.ts";

/** A sound row of the index with what is known of its entries. */
export interface StoredRun {
  readonly queue: QueueId;
  readonly firstSeq: number;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly row: IndexRowReader;
  readonly state: RunState | undefined;
  /** The state row as it stands; undefined if there is none, or it is damaged. */
  readonly stateValue: Uint8Array | undefined;
  /** Which entries are settled cannot be read. */
  readonly isStateLost: boolean;
}

export function isSettled(state: RunState | undefined, ordinal: number): boolean {
  return state !== undefined && (state.settled[ordinal >>> 3]! & (1 << (ordinal & 7))) !== 0;
}

export function hasNote(state: RunState | undefined, ordinal: number): boolean {
  const noted = state?.noted;
  return noted !== undefined && (noted[ordinal >>> 3]! & (1 << (ordinal & 7))) !== 0;
}

/** Distinguishes runs. */
export function runName(queue: QueueId, firstSeq: number): string {
  return `${queue}/${firstSeq}`;
}

/** A row of the index that has to go. */
export interface DamagedRun {
  readonly queue: QueueId;
  readonly fromSeq: number;
  /** Infinity: how far it reached is not known, as it is the queue's last. */
  readonly toSeq: number;
  readonly what: string;
}

/**
 * The sound runs of all queues, in order.
 *
 * @param onDamage is told of the others, and of sound ones that overlap the one before.
 */
export function* walkRuns(
  environment: Environment,
  problems?: Problems,
  onDamage?: (run: DamagedRun) => void,
): Generator<StoredRun> {
  let previous: IndexRowReader | undefined;
  let damaged: { queue: QueueId; fromSeq: number; what: string } | undefined;
  const endDamage = (queue: QueueId, firstSeq: number) => {
    if (damaged !== undefined) {
      const toSeq = queue === damaged.queue ? firstSeq - 1 : Number.POSITIVE_INFINITY;
      onDamage?.({ ...damaged, toSeq });
    }
    damaged = undefined;
  };
  for (const { key, value } of walkTable(environment, "index", problems)) {
    const queue = readRunQueue(key);
    const firstSeq = readRunFirstSeq(key);
    endDamage(queue, firstSeq);
    const row = IndexRowReader.read(value, queue, firstSeq);
    if (!row?.isWellFormed) {
      damaged = { queue, fromSeq: firstSeq, what: "the row is damaged" };
      continue;
    }
    if (previous?.queue === queue && previous.lastSeq >= firstSeq) {
      damaged = { queue, fromSeq: firstSeq, what: "the row overlaps the one before" };
      continue;
    }
    previous = row;
    const found = stateOf(environment, row, key);
    yield { queue, firstSeq, key, value, row, ...found };
  }
  endDamage(-1, 0);
}

function stateOf(
  environment: Environment,
  row: IndexRowReader,
  key: Uint8Array,
): Pick<StoredRun, "state" | "stateValue" | "isStateLost"> {
  try {
    const stored = environment.get("state", key);
    if (stored === undefined) return { state: undefined, stateValue: undefined, isStateLost: false };
    const stateValue = new Uint8Array(stored);
    const state = decodeState(stateValue, row.count, runSeed(row.queue, row.firstSeq));
    if (state !== undefined) return { state, stateValue, isStateLost: false };
  } catch {
    // As if it were damaged.
  } finally {
    environment.endRead();
  }
  return { state: undefined, stateValue: undefined, isStateLost: true };
}
