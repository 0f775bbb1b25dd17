import type { QueueId } from "../../store.ts";
import { runSeed } from "../checksum.ts";
import type { Environment } from "../environment.ts";
import type { IndexRowReader } from "../index-row.ts";
import { readNoteQueue, readNoteSeq } from "../keys.ts";
import { decodeNote } from "../small-rows.ts";
import type { Problems } from "./check-report.ts";
import { hasNote, isSettled, type StoredRun, walkRuns } from "./run-walk.ts";
import { walkTable } from "./table-walk.ts";

/** Notes, of one queue and in order, that are wrong in the same way. */
export interface NoteFinding {
  /** `lost`: an entry's note cannot be read. `orphan`: a note belongs to no entry. */
  readonly kind: "lost" | "orphan";
  readonly queue: QueueId;
  readonly fromSeq: number;
  toSeq: number;
  count: number;
}

export interface NoteCheckOptions {
  readonly environment: Environment;
  readonly problems: Problems;
  /** A row has been looked at. */
  readonly onRow: (bytes: number) => Promise<void>;
}

/** Goes through notes and runs, both in order, and compares them. */
export async function checkNotes({
  environment,
  problems,
  onRow,
}: NoteCheckOptions): Promise<readonly NoteFinding[]> {
  const findings: NoteFinding[] = [];
  const add = (kind: NoteFinding["kind"], queue: QueueId, seq: number) => {
    const last = findings.at(-1);
    if (last?.kind === kind && last.queue === queue) {
      last.toSeq = seq;
      last.count++;
    } else findings.push({ kind, queue, fromSeq: seq, toSeq: seq, count: 1 });
  };
  const notes = walkTable(environment, "notes", problems);
  let note = notes.next();
  for (const run of walkRuns(environment)) {
    const found = new Set<number>();
    for (; note.done !== true; note = notes.next()) {
      const { key, value } = note.value;
      const queue = readNoteQueue(key);
      const seq = readNoteSeq(key);
      if (queue > run.queue || (queue === run.queue && seq > run.row.lastSeq)) break;
      await onRow(key.length + value.length);
      if (queue !== run.queue || !mayHaveNote(run, seq)) add("orphan", queue, seq);
      else if (decodeNote(value, runSeed(queue, seq)) !== undefined) found.add(seq);
    }
    for (let ordinal = 0; run.state?.noted !== undefined && ordinal < run.row.count; ordinal++) {
      const seq = run.row.seqAt(ordinal);
      if (hasNote(run.state, ordinal) && !found.has(seq)) add("lost", run.queue, seq);
    }
  }
  for (; note.done !== true; note = notes.next()) {
    const { key, value } = note.value;
    await onRow(key.length + value.length);
    add("orphan", readNoteQueue(key), readNoteSeq(key));
  }
  return findings;
}

function mayHaveNote({ row, state, isStateLost }: StoredRun, seq: number): boolean {
  const ordinal = ordinalOf(row, seq);
  if (ordinal < 0) return false;
  return isStateLost || (!isSettled(state, ordinal) && hasNote(state, ordinal));
}

function ordinalOf(row: IndexRowReader, seq: number): number {
  const ordinal = row.ordinalFrom(seq);
  return ordinal < row.count && row.seqAt(ordinal) === seq ? ordinal : -1;
}
