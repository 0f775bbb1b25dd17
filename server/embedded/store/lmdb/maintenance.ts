import type { QueueId } from "../store.ts";
import type { CommitBuilder } from "./commit-builder.ts";
import { DeadMessages } from "./dead-messages.ts";
import type { DroppedRanges } from "./dropped-ranges.ts";
import type { Environment } from "./environment.ts";
import { GarbageCollection } from "./garbage-collection.ts";
import { MessageMerging } from "./message-merging.ts";
import type { RowCache } from "./row-cache.ts";
import { RunMerging } from "./run-merging.ts";
import type { StoredRows } from "./stored-rows.ts";

export interface MaintenanceOptions {
  /** A row that is mostly dead is rewritten when nothing has touched it for this many steps and commits. */
  readonly quietTicks: number;
  /** Merging begins when this many small rows have been written. */
  readonly smallRows: number;
}

/**
 * The background work, in steps that read and write a few hundred rows at most. Each step is a commit like any other: it
 * takes its place in the order of commits, and goes by the state in the cache, so that it agrees with the commits under way.
 */
export class Maintenance {
  readonly #garbage: GarbageCollection;
  readonly #runs: RunMerging;
  readonly #messages: MessageMerging;
  readonly #dead: DeadMessages;

  constructor(
    environment: Environment,
    rows: StoredRows,
    cache: RowCache,
    dropped: DroppedRanges,
    options: MaintenanceOptions,
    queues: Iterable<QueueId>,
  ) {
    this.#garbage = new GarbageCollection(environment, rows, dropped);
    this.#runs = new RunMerging(environment, rows, options.smallRows, queues);
    this.#messages = new MessageMerging(environment, rows, cache, options.smallRows);
    this.#dead = new DeadMessages(environment, rows, cache, options.quietTicks);
  }

  /** A commit has been handed over. */
  noteCommit(builder: CommitBuilder): void {
    this.#dead.tick();
    this.#dead.noteShrunk(builder.shrunkMessageRows);
    this.#dead.noteRetired(builder.retiredMessageRows);
  }

  noteRun(queue: QueueId, firstSeq: number, entries: number): void {
    this.#runs.noteAppended(queue, firstSeq, entries);
  }

  noteMessages(messages: number): void {
    this.#messages.noteAppended(messages);
  }

  noteDroppedQueue(queue: QueueId): void {
    this.#runs.noteDropped(queue);
  }

  /** Puts one step's writes, if any, into `builder`; says whether there may be more to do. */
  step(builder: CommitBuilder, flushedCommit: number): boolean {
    this.#dead.tick();
    return (
      this.#garbage.step(builder, flushedCommit) ||
      this.#runs.step(builder, flushedCommit) ||
      this.#messages.step(builder, flushedCommit) ||
      this.#dead.step(builder, flushedCommit)
    );
  }
}
