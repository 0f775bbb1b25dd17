import type { CommitBuilder } from "./commit-builder.ts";
import type { Environment } from "./environment.ts";
import { messageKey, readMessageKey } from "./keys.ts";
import type { MessageRowState } from "./message-row-state.ts";
import { rewriteMessageRows } from "./rewriting.ts";
import type { RowCache } from "./row-cache.ts";
import type { StoredRows } from "./stored-rows.ts";

const stepRows = 128;
/** A smaller row is not worth writing again, */
const leastBytes = 8 * 1024;
/** nor one of which more than this is still needed. */
const maxLiveShare = 1 / 3;

/**
 * Gives back the room of rows in which most messages are no longer referred to. Only of those that have been left alone for
 * a while: a row that is being consumed in order will be gone as a whole before long.
 */
export class DeadMessages {
  readonly #environment: Environment;
  readonly #rows: StoredRows;
  readonly #cache: RowCache;
  readonly #quietTicks: number;
  /** First id → when the row last lost a reference; the one that lost it longest ago first. */
  readonly #mostlyDead = new Map<number, number>();
  /** Where to go on in `refs`, until after a start all have been looked at. */
  #from: number | undefined = 0;
  #clock = 0;

  constructor(environment: Environment, rows: StoredRows, cache: RowCache, quietTicks: number) {
    this.#environment = environment;
    this.#rows = rows;
    this.#cache = cache;
    this.#quietTicks = quietTicks;
  }

  /** A commit or a step of background work has gone by. */
  tick(): void {
    this.#clock++;
  }

  noteShrunk(rows: readonly MessageRowState[]): void {
    for (const row of rows) {
      if (!row.isMostlyDead || row.rowBytes <= leastBytes) continue;
      this.#mostlyDead.delete(row.first);
      this.#mostlyDead.set(row.first, this.#clock);
    }
  }

  noteRetired(rows: readonly MessageRowState[]): void {
    for (const row of rows) this.#mostlyDead.delete(row.first);
  }

  /** One step; false if there is nothing to do. */
  step(builder: CommitBuilder, flushedCommit: number): boolean {
    if (this.#from !== undefined) {
      this.#look(this.#from);
      return true;
    }
    for (const [firstId, touched] of this.#mostlyDead) {
      if (this.#clock - touched < this.#quietTicks) return false;
      const row = this.#rows.messageRowAt(firstId);
      if (row !== undefined && row.commit > flushedCommit) continue;
      this.#mostlyDead.delete(firstId);
      if (row === undefined || !row.isMostlyDead) continue;
      rewriteMessageRows(builder, [row], maxLiveShare, this.#environment, this.#cache);
      return true;
    }
    return false;
  }

  #look(from: number): void {
    const keys = this.#environment.keys("refs", messageKey(from), stepRows);
    for (const key of keys) {
      const row = this.#rows.messageRowAt(readMessageKey(key));
      if (row !== undefined) this.noteShrunk([row]);
    }
    this.#from = keys.length < stepRows ? undefined : readMessageKey(keys.at(-1)!) + 1;
  }
}
