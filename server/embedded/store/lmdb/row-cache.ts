import type { QueueId } from "../store.ts";
import type { IndexRun } from "./index-run.ts";
import type { MessageRowState } from "./message-row-state.ts";
import { SortedRows } from "./sorted-rows.ts";

interface Cached {
  readonly commit: number;
  readonly usedAt: number;
  readonly memoryBytes: number;
}

/**
 * The runs and message rows that were touched lately. Bounded, but for one thing: what a commit under way has changed is
 * never given up, because until that commit is flushed it can be read nowhere else.
 */
export class RowCache {
  readonly #budgetBytes: number;
  readonly #runs = new Map<QueueId, SortedRows<IndexRun>>();
  readonly #messages = new SortedRows<MessageRowState>();
  /** As of when the rows were added: attempts and the like are not followed. */
  #bytes = 0;
  #clock = 0;

  constructor(budgetBytes: number) {
    this.#budgetBytes = budgetBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The run whose range holds `seq`; a merged one instead of its parts. */
  run(queue: QueueId, seq: number): IndexRun | undefined {
    const found = this.#runs.get(queue)?.floor(seq);
    if (found === undefined || seq > found.last) return undefined;
    const run = found.mergedInto ?? found;
    run.usedAt = this.#clock;
    return run;
  }

  /** The run with this key, be it merged or not. */
  runAt(queue: QueueId, firstSeq: number): IndexRun | undefined {
    const found = this.#runs.get(queue)?.floor(firstSeq);
    return found?.first === firstSeq ? found : undefined;
  }

  addRun(run: IndexRun): void {
    let runs = this.#runs.get(run.queue);
    if (runs === undefined) {
      runs = new SortedRows();
      this.#runs.set(run.queue, runs);
    }
    run.usedAt = this.#clock;
    const replaced = runs.set(run);
    this.#bytes += run.memoryBytes - (replaced?.memoryBytes ?? 0);
  }

  removeRun(run: IndexRun): void {
    const runs = this.#runs.get(run.queue);
    if (runs?.remove(run)) this.#bytes -= run.memoryBytes;
    if (runs?.rows.length === 0) this.#runs.delete(run.queue);
  }

  /** The row that holds the message. */
  message(id: number): MessageRowState | undefined {
    const row = this.#messages.floor(id);
    if (row === undefined || id > row.last) return undefined;
    row.usedAt = this.#clock;
    return row;
  }

  messageRowAt(firstId: number): MessageRowState | undefined {
    const row = this.#messages.floor(firstId);
    return row?.first === firstId ? row : undefined;
  }

  addMessageRow(row: MessageRowState): void {
    row.usedAt = this.#clock;
    const replaced = this.#messages.set(row);
    this.#bytes += row.memoryBytes - (replaced?.memoryBytes ?? 0);
  }

  removeMessageRow(row: MessageRowState): void {
    if (this.#messages.remove(row)) this.#bytes -= row.memoryBytes;
  }

  /**
   * Time passes; if too much is held, the half that was used longest ago is let go, except for what commits after
   * `flushedCommit` have changed. Going through everything costs little for each row that was added since the last time.
   */
  tick(flushedCommit: number): void {
    this.#clock++;
    if (this.#bytes <= this.#budgetBytes) return;
    const loose: Cached[] = [];
    for (const runs of this.#runs.values()) addLoose(runs.rows, flushedCommit, loose);
    addLoose(this.#messages.rows, flushedCommit, loose);
    loose.sort((a, b) => a.usedAt - b.usedAt);
    const going = new Set<Cached>();
    let excess = this.#bytes - this.#budgetBytes / 2;
    for (const row of loose) {
      if (excess <= 0) break;
      excess -= row.memoryBytes;
      going.add(row);
    }
    for (const [queue, runs] of this.#runs) {
      keep(runs.rows, going);
      if (runs.rows.length === 0) this.#runs.delete(queue);
    }
    keep(this.#messages.rows, going);
    this.#bytes = 0;
    for (const runs of this.#runs.values()) for (const run of runs.rows) this.#bytes += run.memoryBytes;
    for (const row of this.#messages.rows) this.#bytes += row.memoryBytes;
  }
}

function addLoose(rows: readonly Cached[], flushedCommit: number, loose: Cached[]): void {
  for (const row of rows) if (row.commit <= flushedCommit) loose.push(row);
}

/** Removes in place. */
function keep(rows: Cached[], going: ReadonlySet<Cached>): void {
  let kept = 0;
  for (const row of rows) if (!going.has(row)) rows[kept++] = row;
  rows.length = kept;
}
