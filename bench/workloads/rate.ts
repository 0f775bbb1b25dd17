import type { LoadProcess } from "../load-process.ts";
import type { TaskResult } from "../roles/task.ts";
import { warmRate } from "../roles/warm-mark.ts";
import type { Round } from "../round.ts";
import type { Sample } from "./workload.ts";

/**
 * Lets a producer and its consumers run to the end, and takes the rate of deliveries after the warm-up.
 * @param copies Deliveries of each message, over all consumers.
 * @throws Error if messages are missing, unless `mayLose`.
 */
export async function produceAndConsume(
  round: Round,
  producer: LoadProcess,
  consumer: LoadProcess,
  { copies = 1, mayLose = false }: { copies?: number; mayLose?: boolean } = {},
): Promise<Finished> {
  const cpuBefore = round.brokerCpuSeconds();
  consumer.onConsumed = (count) => producer.tell({ order: "consumed", count: count / copies });
  consumer.tell({ order: "go" });
  producer.tell({ order: "go" });
  const produced = await Promise.race([producer.result, failureOf(consumer)]);
  consumer.tell({ order: "expect", count: produced.count * copies });
  const consumed = await consumer.result;
  const expected = produced.count * copies;
  if (consumed.count < expected && !mayLose) {
    throw new Error(`${expected - consumed.count} of ${expected} messages did not arrive.`);
  }
  // With confirms it is through when both sides are.
  const perSecond = warmRate(consumed, Math.max(consumed.endedAtMs, produced.endedAtMs));
  return { produced, consumed, perSecond, cpuBefore };
}

export interface Finished {
  readonly produced: TaskResult;
  readonly consumed: TaskResult;
  readonly perSecond: number;
  readonly cpuBefore: number | undefined;
}

export function rateSample(round: Round, finished: Finished, more: Sample["values"] = {}): Sample {
  const { produced, consumed, perSecond, cpuBefore } = finished;
  return round.sample({ rate: perSecond, ...more }, consumed.count, cpuBefore, [produced, consumed]);
}

export function latencySample(round: Round, finished: Finished): Sample {
  const { produced, consumed, cpuBefore } = finished;
  if (consumed.latencyMs === undefined) throw new Error("No message arrived.");
  return round.sample({ ...consumed.latencyMs }, consumed.count, cpuBefore, [produced, consumed]);
}

/** Rejects if a load generator fails; never resolves. */
async function failureOf(load: LoadProcess): Promise<never> {
  await load.result;
  return new Promise(() => {});
}
