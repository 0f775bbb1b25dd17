import type { ModelDeath } from "./model-queue.ts";

/** The latest first, one for each queue and reason. */
export function withDeath(deaths: readonly ModelDeath[], latest: Omit<ModelDeath, "count">): ModelDeath[] {
  const isSame = ({ queue, reason }: ModelDeath) => queue === latest.queue && reason === latest.reason;
  const count = (deaths.find(isSame)?.count ?? 0) + 1;
  return [{ ...latest, count }, ...deaths.filter((other) => !isSame(other))];
}

/** Whether a message has died in this queue, and nobody has rejected it since. */
export function isCircle(deaths: readonly ModelDeath[], queue: string): boolean {
  const since = deaths.findIndex((death) => death.queue === queue);
  return since >= 0 && deaths.slice(0, since + 1).every(({ reason }) => reason !== "rejected");
}
