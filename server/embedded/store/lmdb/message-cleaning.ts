import type { CommitBuilder } from "./commit-builder.ts";
import { DeadMessages } from "./dead-messages.ts";
import type { Environment } from "./environment.ts";
import { messageKey, readMessageKey } from "./keys.ts";
import type { MessageRowState } from "./message-row-state.ts";
import { rewriteMessageRows } from "./rewriting.ts";
import type { RowCache } from "./row-cache.ts";
import type { StepBudget } from "./step-budget.ts";
import type { StoredRows } from "./stored-rows.ts";

const lookedAtRows = 256;
/** With time to spare rows are written again of which this many sixths are dead, when there is too much of it all others too. */
const mostlyDeadLevel = 4;
/** There is too much of it when this share of what messages take up is dead. */
const maxDeadShare = 1 / 4;
/** What is left of neighbouring rows is put together up to about this many bytes. */
const rewrittenBytes = 64 * 1024;
const maxNeighbours = 32;
/** A row that is no longer than this is put together with neighbours whether anything in it is dead or not. */
const smallRowBytes = 16 * 1024;

/**
 * Gives back the room of messages that are no longer referred to, in rows that stay because of others. With time to spare it
 * does so in rows that are mostly dead and have been left alone for a while: a row that is being consumed in order will be
 * gone as a whole before long. When the dead bytes outgrow their share, it goes on with whatever row has the largest dead
 * part, and says that it is behind.
 */
export class MessageCleaning {
  readonly #environment: Environment;
  readonly #rows: StoredRows;
  readonly #cache: RowCache;
  readonly #quietTicks: number;
  readonly #slackBytes: number;
  readonly #dead = new DeadMessages();
  /** Where to go on in `refs`, until after a start all have been looked at. */
  #from: number | undefined = 0;
  #clock = 0;

  constructor(
    environment: Environment,
    rows: StoredRows,
    cache: RowCache,
    options: { readonly quietTicks: number; readonly slackBytes: number },
  ) {
    this.#environment = environment;
    this.#rows = rows;
    this.#cache = cache;
    this.#quietTicks = options.quietTicks;
    this.#slackBytes = options.slackBytes;
  }

  /** So much is dead that it has to go, however busy the store is. */
  get isBehind(): boolean {
    const { bytes } = this.#dead;
    return bytes > this.#slackBytes && bytes > maxDeadShare * this.#environment.tableBytes("messages");
  }

  /** A commit or a step of background work has gone by. */
  tick(): void {
    this.#clock++;
  }

  noteCommit(builder: CommitBuilder): void {
    this.tick();
    for (const { first } of builder.retiredMessageRows) this.#dead.forget(first);
    for (const { first } of builder.replacedMessageRows) this.#dead.forget(first);
    for (const { first, rowBytes, deadBytes, commit } of builder.shrunkMessageRows)
      this.#dead.note(first, rowBytes, deadBytes, commit, this.#clock);
  }

  /** One step; false if there is nothing to do. */
  step(builder: CommitBuilder, flushedCommit: number, budget: StepBudget): boolean {
    if (this.#from !== undefined) {
      this.#look(this.#from);
      return true;
    }
    const { isBehind } = this;
    for (let cleaned = 0; cleaned === 0 || !budget.isSpent; cleaned++) {
      const firstId = this.#next(flushedCommit, isBehind);
      if (firstId === undefined) return cleaned > 0;
      this.#clean(firstId, builder, flushedCommit, budget);
    }
    return true;
  }

  #next(flushedCommit: number, isBehind: boolean): number | undefined {
    const isQuiet = (row: { readonly commit: number; readonly touchedAt: number }) =>
      row.commit <= flushedCommit && this.#clock - row.touchedAt >= this.#quietTicks;
    if (!isBehind) return this.#dead.next(mostlyDeadLevel, isQuiet);
    return this.#dead.next(0, isQuiet) ?? this.#dead.next(0, ({ commit }) => commit <= flushedCommit);
  }

  #clean(firstId: number, builder: CommitBuilder, flushedCommit: number, budget: StepBudget): void {
    this.#dead.forget(firstId);
    this.#environment.endLongRead();
    const row = this.#rows.messageRowAt(firstId);
    if (row === undefined || row.commit > flushedCommit) return;
    const group = this.#withNeighbours(row, flushedCommit);
    for (const { first, rowBytes } of group) {
      this.#dead.forget(first);
      budget.spend(rowBytes);
    }
    rewriteMessageRows(builder, group, this.#environment, this.#cache);
  }

  /** The row with those next to it of which little is left too. */
  #withNeighbours(row: MessageRowState, flushedCommit: number): MessageRowState[] {
    const group = [row];
    let bytes = liveBytes(row);
    const isTaken = (firstId: number) => {
      const next = this.#looseRow(firstId, flushedCommit);
      if (next === undefined || bytes + liveBytes(next) > rewrittenBytes) return false;
      group.push(next);
      bytes += liveBytes(next);
      return true;
    };
    if (bytes > rewrittenBytes / 2) return group;
    for (const key of this.#environment.keys("messages", messageKey(row.first + 1), maxNeighbours))
      if (!isTaken(readMessageKey(key))) break;
    for (let first = row.first; group.length < maxNeighbours; ) {
      const key = this.#environment.floorKey("messages", messageKey(first - 1));
      if (key === undefined) break;
      first = readMessageKey(key);
      if (!isTaken(first)) break;
    }
    return group.sort((a, b) => a.first - b.first);
  }

  /** The row, if there is little left of it, and that is known without reading it. */
  #looseRow(firstId: number, flushedCommit: number): MessageRowState | undefined {
    const row = this.#rows.knownMessageRowAt(firstId);
    if (row === undefined || row.commit > flushedCommit) return undefined;
    return this.#dead.has(firstId) || row.rowBytes <= smallRowBytes ? row : undefined;
  }

  #look(from: number): void {
    const keys = this.#environment.keys("refs", messageKey(from), lookedAtRows);
    for (const key of keys) {
      const row = this.#rows.knownMessageRowAt(readMessageKey(key));
      if (row !== undefined) this.#dead.note(row.first, row.rowBytes, row.deadBytes, row.commit, this.#clock);
    }
    this.#from = keys.length < lookedAtRows ? undefined : readMessageKey(keys.at(-1)!) + 1;
  }
}

function liveBytes(row: MessageRowState): number {
  return row.rowBytes - row.deadBytes;
}
