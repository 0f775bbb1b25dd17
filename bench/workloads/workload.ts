import type { Operation } from "../drivers/driver.ts";
import type { Round } from "../round.ts";

export interface Metric {
  readonly key: string;
  /** With its unit. */
  readonly title: string;
  readonly better: "higher" | "lower";
  readonly digits: number;
}

/** What one round of a workload found. */
export interface Sample {
  /** By the metric's key; what a target does not tell is left out. */
  readonly values: Readonly<Record<string, number>>;
  /** CPU seconds per million messages or deliveries. */
  readonly brokerCpu?: number;
  readonly clientCpu?: number;
}

export interface Workload {
  readonly name: string;
  /** One sentence: what happens. */
  readonly summary: string;
  readonly needs: readonly Operation[];
  readonly metrics: readonly Metric[];
  /** A short round before the measured ones, so that code is compiled and pages are there. */
  readonly warmsUp: boolean;
  /** Only when it is asked for by name. */
  readonly optional?: true;
  /** A round that takes longer has failed. */
  readonly timeLimitSeconds: number;
  run(round: Round): Promise<Sample>;
}

export const messagesPerSecond: Metric = { key: "rate", title: "msg/s", better: "higher", digits: 0 };
export const deliveriesPerSecond: Metric = {
  key: "rate",
  title: "deliveries/s",
  better: "higher",
  digits: 0,
};
export const latencyMetrics: readonly Metric[] = [
  { key: "p50", title: "p50 ms", better: "lower", digits: 2 },
  { key: "p99", title: "p99 ms", better: "lower", digits: 2 },
  { key: "p999", title: "p99.9 ms", better: "lower", digits: 2 },
];
