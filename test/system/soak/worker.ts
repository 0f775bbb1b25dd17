/** What one process of clients does in a soak. */
export interface WorkerTask {
  readonly url: string;
  readonly seed: number;
  /** A producer for each. */
  readonly produces: readonly string[];
  /** Two consumers for each: those of another process's producers, so that a backlog grows when this one is killed. */
  readonly consumes: readonly string[];
  /** Every queue's producer publishes so many a second. */
  readonly perSecond: number;
  /** Everybody's topic exchange. */
  readonly feed: string;
  /** Live feeds that come and go. */
  readonly dashboards: number;
}

/**
 * - `drop`: cut one of the connections, whichever.
 * - `finish`: publish no more, and go on consuming.
 * - `leave`: close everything and exit.
 */
export type WorkerOrder = "drop" | "finish" | "leave";

export type WorkerMessage =
  /** Every second: how many there were in it. */
  | { readonly confirmed: number; readonly acked: number; readonly requeued: number; readonly live: number }
  | "finished";
