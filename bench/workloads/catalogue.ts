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
 * A part that is a whole name chooses that workload, any other part those whose names contain it. The optional ones want
 * their whole name; without parts it is all the others. @throws Error that names a part that fits none.
 */
export function chooseWorkloads(parts: readonly string[]): Workload[] {
  if (parts.length === 0) return workloads.filter(({ optional }) => optional !== true);
  const chosen = new Set(parts.flatMap(workloadsLike));
  return workloads.filter((workload) => chosen.has(workload));
}

function workloadsLike(part: string): Workload[] {
  const named = workloads.find(({ name }) => name === part);
  if (named !== undefined) return [named];
  const alike = workloads.filter(({ name, optional }) => optional !== true && name.includes(part));
  if (alike.length > 0) return alike;
  throw new Error(
    `No workload is called like ${part}. There are: ${workloads.map(({ name }) => name).join(", ")}.`,
  );
}
