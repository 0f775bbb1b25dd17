import type { DeathReason } from "../protocol/delivery-history.ts";
import type { Reply } from "../protocol/frames.ts";
import type { Connection } from "./connection.ts";
import { filterContent, type MessageFilter } from "./message-filter.ts";
import type { QueueName } from "./queue-name.ts";

export interface RedriveOptions {
  /** Name of the queue that the messages go to. Default: for each the queue of its latest death. */
  readonly to?: string;
  /** Which messages. Delayed and parked ones only if `state` asks for them. Default: all that are ready. */
  readonly filter?: MessageFilter;
  /** Most messages that are redriven, at least 1. Default: no limit. */
  readonly limit?: number;
  /** How many messages a second, 1 to 1,000,000, by the broker's clock. Default: as fast as it goes. */
  readonly ratePerSecond?: number;
  /** `copy` leaves the messages here as well. Default `move`. */
  readonly mode?: "move" | "copy";
  /** Only count what would happen. Default false. */
  readonly dryRun?: boolean;
  /** Called after each step with the figures so far. */
  readonly onProgress?: (progress: RedriveProgress) => void;
  /** Ends it after the step under way, with the error `aborted`. */
  readonly signal?: AbortSignal;
}

/** Messages with the same target and reason. */
export interface RedriveCount {
  /** The queue that they go to; `undefined` if they have no death history, and so none is known. */
  readonly target: string | undefined;
  /** Of their latest death; `undefined` if they have none. */
  readonly reason: DeathReason | undefined;
  /** `missing`: they stay where they are, as there is no such queue, or none is known. */
  readonly outcome: "redriven" | "missing";
  readonly messages: number;
}

export interface RedriveReport {
  /** Messages that went to another queue; in a dry run, that would. */
  readonly redriven: number;
  /** Messages that stayed for want of a target. */
  readonly missing: number;
  /** Messages that the broker looked at. */
  readonly examined: number;
  readonly counts: readonly RedriveCount[];
}

export type RedriveProgress = RedriveReport;

/** Most messages in one step: few enough that progress is seen, and that others have their turn. */
const stepMessages = 256;

export async function redrive(
  connection: Connection,
  queue: QueueName,
  { to, filter, limit = Infinity, ratePerSecond, mode, dryRun = false, onProgress, signal }: RedriveOptions,
): Promise<RedriveReport> {
  const content = {
    queue: queue.current,
    ...filterContent(filter),
    ...(to !== undefined && { to }),
    ...(mode !== undefined && { mode }),
    ...(dryRun && { dryRun }),
    ...(ratePerSecond !== undefined && { ratePerSecond }),
  };
  let report: RedriveReport = { redriven: 0, missing: 0, examined: 0, counts: [] };
  let cursor: string | undefined;
  do {
    const step = {
      ...content,
      limit: Math.min(limit - report.redriven, stepMessages),
      ...(cursor !== undefined && { cursor }),
    };
    // Sent twice, it could redrive more than was asked for.
    const reply = await connection.request("queue.redrive", step, { signal, repeatable: dryRun });
    report = sum(report, reply);
    onProgress?.(report);
    cursor = reply.cursor;
  } while (cursor !== undefined && report.redriven < limit);
  return report;
}

function sum(before: RedriveReport, step: Reply<"queue.redrive">): RedriveReport {
  const counts = before.counts.map((count) => ({ ...count }));
  for (const { target, reason, outcome, messages } of step.counts) {
    const known = counts.find(
      (count) => count.target === target && count.reason === reason && count.outcome === outcome,
    );
    if (known === undefined) counts.push({ target, reason, outcome, messages });
    else known.messages += messages;
  }
  return {
    redriven: before.redriven + step.redriven,
    missing: counts.reduce(
      (total, { outcome, messages }) => total + (outcome === "missing" ? messages : 0),
      0,
    ),
    examined: before.examined + step.examined,
    counts,
  };
}
