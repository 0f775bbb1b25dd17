import type { MaintenanceNeed, QueueId } from "../store.ts";
import type { CommitBuilder } from "./commit-builder.ts";
import type { DroppedRanges } from "./dropped-ranges.ts";
import type { Environment } from "./environment.ts";
import { GarbageCollection } from "./garbage-collection.ts";
import { MessageCleaning } from "./message-cleaning.ts";
import { MessageMerging } from "./message-merging.ts";
import type { RowCache } from "./row-cache.ts";
import { RunMerging } from "./run-merging.ts";
import { StepBudget } from "./step-budget.ts";
import type { StoredRows } from "./stored-rows.ts";

export interface MaintenanceOptions {
  /** A row that is mostly dead is rewritten when nothing has touched it for this many steps and commits. */
  readonly quietTicks: number;
  /** Merging begins when this many small rows have been written. */
  readonly smallRows: number;
  /** So many bytes may be dead in rows that stay, before giving them back is urgent. */
  readonly slackBytes: number;
  /** After so many milliseconds a step ends. */
  readonly stepMs: number;
}

interface Task {
  /** Puts what it writes into `builder`, until the budget is spent; false if there is nothing to do. */
  step(builder: CommitBuilder, flushedCommit: number, budget: StepBudget): boolean;
}

/**
 * The background work, in short steps. Each step is a commit like any other: it takes its place in the order of commits, and
 * goes by the state in the cache, so that it agrees with the commits under way. The tasks take turns, so that none that
 * always has something to do keeps the others from their work.
 */
export class Maintenance {
  readonly #environment: Environment;
  readonly #garbage: GarbageCollection;
  readonly #runs: RunMerging;
  readonly #merging: MessageMerging;
  readonly #cleaning: MessageCleaning;
  readonly #tasks: readonly Task[];
  readonly #stepMs: number;
  /** Whose turn it is. */
  #turn = 0;
  /** So many have had nothing to do, one after the other. */
  #idleTasks = 0;

  constructor(
    environment: Environment,
    rows: StoredRows,
    cache: RowCache,
    dropped: DroppedRanges,
    options: MaintenanceOptions,
    queues: Iterable<QueueId>,
  ) {
    this.#environment = environment;
    this.#garbage = new GarbageCollection(environment, rows, dropped);
    this.#runs = new RunMerging(environment, rows, options.smallRows, queues);
    this.#merging = new MessageMerging(environment, rows, cache, options.smallRows);
    this.#cleaning = new MessageCleaning(environment, rows, cache, options);
    this.#stepMs = options.stepMs;
    this.#tasks = [this.#garbage, this.#runs, this.#merging, this.#cleaning];
  }

  /** A commit has been handed over, or a step has been done. */
  noteCommit(builder: CommitBuilder): void {
    this.#merging.noteCommit(builder);
    this.#cleaning.noteCommit(builder);
  }

  noteRun(queue: QueueId, firstSeq: number, entries: number): void {
    this.#runs.noteAppended(queue, firstSeq, entries);
  }

  noteDroppedQueue(queue: QueueId): void {
    this.#runs.noteDropped(queue);
  }

  /** Puts one step's writes, if any, into `builder`; says what is still to be done. */
  step(builder: CommitBuilder, flushedCommit: number): MaintenanceNeed {
    const budget = new StepBudget(this.#stepMs);
    this.#cleaning.tick();
    let tasks = 0;
    do {
      const task = this.#tasks[this.#turn]!;
      this.#turn = (this.#turn + 1) % this.#tasks.length;
      this.#idleTasks = task.step(builder, flushedCommit, budget) ? 0 : this.#idleTasks + 1;
      this.#environment.endLongRead();
    } while (++tasks < this.#tasks.length && !budget.isSpent);
    if (this.#idleTasks >= this.#tasks.length) return "nothing";
    return this.#garbage.isWaiting(flushedCommit) || this.#cleaning.isBehind ? "behind" : "more";
  }
}
