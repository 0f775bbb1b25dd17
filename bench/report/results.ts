import type { Metric, Sample } from "../workloads/workload.ts";

/** What `--json` writes, and all that the reports show. */
export interface Results {
  readonly environment: Environment;
  /** The first is Posthorn, which the others are compared with. */
  readonly targets: readonly string[];
  readonly workloads: readonly WorkloadResults[];
}

export interface Environment {
  readonly date: string;
  readonly commit: string;
  readonly node: string;
  readonly machine: string;
  readonly commandLine: string;
  readonly rounds: number;
  readonly scale: number;
}

export interface WorkloadResults {
  readonly name: string;
  readonly summary: string;
  readonly metrics: readonly Metric[];
  readonly targets: readonly TargetResults[];
}

export interface TargetResults {
  readonly label: string;
  readonly outcome:
    | { readonly kind: "measured"; readonly samples: readonly Sample[] }
    /** Its driver cannot do what the workload needs. */
    | { readonly kind: "unsupported" }
    | { readonly kind: "failed"; readonly reason: string };
}
