import type { NewEntry } from "../store.ts";
import type { CommitBuilder } from "./commit-builder.ts";
import type { Environment } from "./environment.ts";
import { endOfRun, maxRunSpan } from "./index-row.ts";
import type { IndexRun } from "./index-run.ts";
import { messageKey, runKey } from "./keys.ts";
import { MessageRowReader, maxIdSpan } from "./message-row.ts";
import type { MessageRowState } from "./message-row-state.ts";
import type { RowCache } from "./row-cache.ts";

/** An entry that is still there, how often it was handed out, and whether there is a note to it. */
export interface LiveEntry extends NewEntry {
  readonly attempts: number;
  readonly hasNote: boolean;
}

/**
 * Puts one run in the place of neighbouring ones. It gets the first one's key and covers the same range, and holds only
 * what is not settled. Until the commit is flushed readers still see the old rows: the old runs lead them to the new one.
 *
 * @returns false, without doing anything, if they lie too far apart for one run.
 */
export function mergeRuns(
  builder: CommitBuilder,
  runs: readonly IndexRun[],
  entries: readonly LiveEntry[],
): boolean {
  const { queue, first } = runs[0]!;
  const { last } = runs.at(-1)!;
  if (entries.length === 0 || endOfRun(entries, 0) !== entries.length || last - first > maxRunSpan)
    return false;
  for (const run of runs) {
    const key = runKey(queue, run.first);
    builder.writes.remove("index", key);
    if (run.hasStateRow) builder.writes.remove("state", key);
  }
  const merged = builder.putRun(queue, entries, 0, entries.length, first, last);
  for (const run of runs) {
    if (run.first === first) continue;
    run.mergedInto = merged;
    run.commit = builder.commit;
    builder.retiredRuns.push(run);
  }
  for (const { seq, attempts, hasNote } of entries) {
    if (attempts > 0) builder.attempt(queue, seq, attempts);
    if (hasNote) builder.keepNote(merged, seq);
  }
  return true;
}

/**
 * Puts one row in the place of neighbouring ones, or of a single one, with only the messages that are still referred to.
 * It gets the first one's key, so that a message is still found by looking for the greatest key below its id.
 *
 * @returns false, without doing anything, if a row is damaged, or they lie too far apart for one.
 */
export function rewriteMessageRows(
  builder: CommitBuilder,
  rows: readonly MessageRowState[],
  environment: Environment,
  cache: RowCache,
): boolean {
  const ids: number[] = [];
  const envelopes: Uint8Array[] = [];
  const references: number[] = [];
  for (const row of rows) {
    const stored = environment.get("messages", messageKey(row.first));
    const reader = stored && MessageRowReader.read(stored, row.first);
    if (reader === undefined) return false;
    for (let ordinal = 0; ordinal < row.count; ordinal++) {
      if (row.remaining[ordinal] === 0) continue;
      ids.push(reader.idAt(ordinal));
      envelopes.push(reader.envelopeAt(ordinal));
      references.push(row.remaining[ordinal]!);
    }
  }
  const first = rows[0]!.first;
  if (ids.length === 0 || ids.at(-1)! - first > maxIdSpan) return false;
  for (const row of rows) {
    const key = messageKey(row.first);
    builder.writes.remove("messages", key);
    if (row.hasReferencesRow) builder.writes.remove("refs", key);
    cache.removeMessageRow(row);
    builder.replacedMessageRows.push(row);
  }
  builder.putMessageRow({ ids, envelopes, references }, 0, ids.length, first);
  return true;
}
