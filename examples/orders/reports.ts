import type { Totals } from "./tally.ts";

/** What the processes tell main.ts over Node's IPC channel. */
export interface ServiceReport {
  readonly state: "ready" | "finished";
  /** Different events seen. */
  readonly events: number;
  /** Events that came again and were not counted again. */
  readonly repeats: number;
  readonly totals: Totals;
}

export interface PublisherReport {
  readonly state: "ready" | "finished";
  /** Events that the broker has confirmed. */
  readonly confirmed: number;
  readonly events: number;
}
