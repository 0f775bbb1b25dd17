import { backlog } from "./backlog.ts";
import { confirm } from "./confirm.ts";
import { idleConnections } from "./connections.ts";
import { atMostOnce, endToEnd } from "./end-to-end.ts";
import { fanoutDurable } from "./fanout-durable.ts";
import { fanoutLatency, fanoutLive } from "./fanout-live.ts";
import { latency } from "./latency.ts";
import { mixed } from "./mixed.ts";
import { routing } from "./routing.ts";
import type { Workload } from "./workload.ts";

export const workloads: readonly Workload[] = [
  confirm("confirm-100B", 100),
  confirm("confirm-1KiB", 1024),
  confirm("confirm-16KiB", 16_384),
  endToEnd("e2e-100B", 100),
  endToEnd("e2e-1KiB", 1024),
  atMostOnce,
  fanoutDurable,
  fanoutLive(1000, false),
  fanoutLive(1000, true),
  fanoutLive(5000, false),
  fanoutLatency(1000),
  routing,
  latency,
  idleConnections,
  backlog(500_000),
  backlog(5_000_000),
  mixed,
];

/**
 * Those whose names contain one of `parts`; without parts all but the optional ones, which are run when a part is their
 * whole name. @throws Error that names a part that fits none.
 */
export function chooseWorkloads(parts: readonly string[]): Workload[] {
  if (parts.length === 0) return workloads.filter(({ optional }) => optional !== true);
  for (const part of parts) {
    if (!workloads.some(({ name }) => name.includes(part))) {
      throw new Error(
        `No workload is called like ${part}. There are: ${workloads.map(({ name }) => name).join(", ")}.`,
      );
    }
  }
  return workloads.filter(({ name, optional }) =>
    parts.some((part) => (optional === true ? name === part : name.includes(part))),
  );
}
