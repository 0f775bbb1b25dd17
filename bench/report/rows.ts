import { medianRatio, type Summary, summarize } from "../statistics.ts";
import type { Metric, Sample } from "../workloads/workload.ts";
import type { TargetResults, WorkloadResults } from "./results.ts";

/** One line of a report: a target's figures for one metric of a workload. */
export interface Row {
  readonly metric: Metric;
  readonly label: string;
  /** Undefined: nothing was measured, and `remark` says why. */
  readonly summary: Summary | undefined;
  readonly remark: string;
  readonly brokerCpu: number | undefined;
  readonly clientCpu: number | undefined;
  /** Posthorn's figure divided by this one. Undefined for Posthorn itself. */
  readonly ratio: number | undefined;
}

/** The rows of a workload, metric by metric; the first target is the one that the others are compared with. */
export function rowsOf({ metrics, targets }: WorkloadResults): Row[] {
  const ours = targets[0] === undefined ? [] : samplesOf(targets[0]);
  return metrics.flatMap((metric) =>
    targets.map((target, position) => rowOf(metric, target, position === 0 ? undefined : ours)),
  );
}

function rowOf(metric: Metric, target: TargetResults, ours: readonly Sample[] | undefined): Row {
  const samples = samplesOf(target);
  const theirs = samples.map(({ values }) => values[metric.key]);
  const known = theirs.filter((value) => value !== undefined);
  return {
    metric,
    label: target.label,
    summary: known.length === 0 ? undefined : summarize(known),
    remark: target.outcome.kind === "failed" ? `failed: ${target.outcome.reason}` : "–",
    brokerCpu: medianOf(samples.map(({ brokerCpu }) => brokerCpu)),
    clientCpu: medianOf(samples.map(({ clientCpu }) => clientCpu)),
    ratio:
      ours &&
      medianRatio(
        ours.map(({ values }) => values[metric.key]),
        theirs,
      ),
  };
}

function samplesOf({ outcome }: TargetResults): readonly Sample[] {
  return outcome.kind === "measured" ? outcome.samples : [];
}

function medianOf(numbers: readonly (number | undefined)[]): number | undefined {
  const known = numbers.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : summarize(known).median;
}

/** Thousands apart, as many decimals as asked. */
export function formatNumber(value: number, digits: number): string {
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export function formatRatio(ratio: number | undefined): string {
  if (ratio === undefined) return "";
  return `${formatNumber(ratio, Math.abs(ratio) < 10 ? 2 : 0)}×`;
}
