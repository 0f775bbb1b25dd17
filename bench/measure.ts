import { driverFor } from "./drivers/driver-for.ts";
import { Round } from "./round.ts";
import type { OpenTarget } from "./targets/target.ts";
import type { Sample, Workload } from "./workloads/workload.ts";

/** Tidying up after a round may take so long: a queue of some gigabytes is deleted, for example. */
const cleanUpLimitMs = 30_000;

/**
 * One round of a workload against one target. Whatever happens, its load generators are gone and its queues deleted
 * afterwards. @throws Error if it fails, takes too long, or is interrupted.
 */
export async function measure(
  workload: Workload,
  target: OpenTarget,
  scale: number,
  interrupted: AbortSignal,
): Promise<Sample> {
  const driver = await driverFor(target.address.kind);
  const client = await driver.connect(target.address);
  const round = new Round(target, client, scale);
  const limitMs = workload.timeLimitSeconds * 1000 * Math.max(1, scale);
  try {
    return await within(workload.run(round), limitMs, interrupted);
  } catch (error) {
    round.kill();
    throw error;
  } finally {
    const over = round.end().then(() => client.close());
    await within(over, cleanUpLimitMs, new AbortController().signal).catch(() => round.kill());
  }
}

async function within<T>(work: Promise<T>, limitMs: number, interrupted: AbortSignal): Promise<T> {
  // Once it is given up, how it fails is no news.
  work.catch(() => {});
  let timer: NodeJS.Timeout | undefined;
  let interrupt = () => {};
  const givenUp = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${limitMs / 1000} s`)), limitMs);
    interrupt = () => reject(new Error("interrupted"));
    if (interrupted.aborted) interrupt();
    interrupted.addEventListener("abort", interrupt);
  });
  try {
    return await Promise.race([work, givenUp]);
  } finally {
    clearTimeout(timer);
    interrupted.removeEventListener("abort", interrupt);
  }
}
