/** What checking a store finds: plain values, which go from process to process and out as JSON. */

export type ProblemKind =
  /** LMDB cannot read a part of its file. */
  | "unreadable"
  /** A row's checksum or shape is wrong. */
  | "damaged-row"
  /** Rows stand out of order, or overlap. */
  | "order"
  /** A queue has entries whose messages are not stored. */
  | "missing-messages"
  /** A queue has entries of which something is known that cannot be read. */
  | "missing-notes"
  /** Messages to which another number of entries refers than is noted. */
  | "references"
  /** A row that belongs to nothing. */
  | "orphan"
  /** A queue's counters are not what is there. */
  | "counters"
  /** An exchange, a queue or a binding makes no sense. */
  | "record"
  /** The row that numbers the commits is damaged or behind. */
  | "head";

export interface Problem {
  readonly kind: ProblemKind;
  /** In words, with everything below. */
  readonly text: string;
  readonly table?: string;
  /** The queue's name; absent if it has none (any more). */
  readonly queue?: string;
  readonly queueId?: number;
  readonly fromSeq?: number;
  /** Absent: to the end. */
  readonly toSeq?: number;
}

export interface TableTotals {
  readonly rows: number;
  /** Keys and values. */
  readonly bytes: number;
}

export interface QueueTotals {
  readonly id: number;
  /** Absent for what is left of a queue that was not to outlive the broker. */
  readonly name?: string;
  /** Unsettled messages that survive a restart. */
  readonly messages: number;
  /** Sum of their envelopes' bytes. */
  readonly bytes: number;
  readonly problems: number;
}

export interface CheckReport {
  readonly sound: boolean;
  /** The last stop was clean. */
  readonly clean: boolean;
  readonly tables: Readonly<Record<string, TableTotals>>;
  readonly queues: readonly QueueTotals[];
  /** At most {@link maxProblems}. */
  readonly problems: readonly Problem[];
  /** All of them. */
  readonly problemCount: number;
}

/** More problems than this are counted but not listed. */
export const maxProblems = 1000;

export interface RepairReport {
  /** What was wrong. */
  readonly before: CheckReport;
  /** What the repaired file is like. */
  readonly after: CheckReport;
  /** What could not be saved, or had to be guessed, in sentences. Empty: nothing was lost. */
  readonly losses: readonly string[];
  /** The file as it was. */
  readonly keptAs: string;
}

/** How far checking has come. */
export interface CheckProgress {
  readonly table: string;
  readonly rows: number;
  readonly bytes: number;
  readonly fileBytes: number;
}

/** Collects problems; bounded. */
export class Problems {
  readonly list: Problem[] = [];
  count = 0;
  /** Queue id → problems. */
  readonly byQueue = new Map<number, number>();

  add(problem: Problem): void {
    this.count++;
    if (problem.queueId !== undefined)
      this.byQueue.set(problem.queueId, (this.byQueue.get(problem.queueId) ?? 0) + 1);
    if (this.list.length < maxProblems) this.list.push(problem);
  }
}
