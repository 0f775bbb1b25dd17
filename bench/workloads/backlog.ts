import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { monotonicMs } from "../monotonic-clock.ts";
import { processMemoryBytes } from "../process-figures.ts";
import type { ConsumeTask, ProduceTask } from "../roles/task.ts";
import type { Round } from "../round.ts";
import type { Sample, Workload } from "./workload.ts";

const bytes = 1024;
const mib = 2 ** 20;
/** So many pass before memory is measured: the compiler and the first pages of the heap are not the backlog's. */
const warmUpMessages = 20_000;

export function backlog(messages: number): Workload {
  return {
    name: `backlog-${messages.toLocaleString("en").replaceAll(",", "_")}`,
    summary: `${messages.toLocaleString("en")} messages (times the scale) of ${bytes} bytes queued, the broker restarted if it is ours, then drained in order with acks, prefetch 1000.`,
    needs: ["queue"],
    metrics: [
      { key: "fill", title: "queued msg/s", better: "higher", digits: 0 },
      { key: "memory", title: "anonymous memory, MiB more", better: "lower", digits: 0 },
      { key: "disk", title: "disk, × the bodies", better: "lower", digits: 2 },
      { key: "restart", title: "restart to first delivery, s", better: "lower", digits: 2 },
      { key: "drain", title: "drained msg/s", better: "higher", digits: 0 },
    ],
    warmsUp: false,
    ...(messages > 1_000_000 && { optional: true }),
    timeLimitSeconds: messages / 4000 + 60,
    run: (round) => measure(round, round.scaled(messages)),
  };
}

async function measure(round: Round, messages: number): Promise<Sample> {
  const queue = round.name();
  await round.client.declareQueue(queue, { durable: true });
  round.onEnd(() => round.client.deleteQueue(queue));
  await warmUp(round, queue);
  const memoryBefore = anonymousBytes(round);
  const cpuBefore = round.brokerCpuSeconds();
  const producer = await round.start(produceTask(queue, messages));
  producer.tell({ order: "go" });
  const produced = await producer.result;
  const memoryAfter = anonymousBytes(round);
  const { dataDirectory, restart } = round.target;
  const disk = dataDirectory === undefined ? undefined : directoryBytes(dataDirectory);
  const fillCpu = round.sample({}, messages, cpuBefore, [produced]);

  const stoppedAtMs = monotonicMs();
  await restart?.();
  // The consumer's own start is not the broker's restart: it is left out.
  const restartMs = monotonicMs() - stoppedAtMs;
  const consumer = await round.start(consumeTask(queue));
  const { consumesSinceMs = Number.NaN } = await consumer.ready();
  consumer.tell({ order: "go" });
  consumer.tell({ order: "expect", count: messages });
  const firstAtMs = await consumer.firstAtMs;
  const drained = await consumer.result;
  if (drained.count < messages) throw new Error(`${messages - drained.count} messages did not come back.`);
  return {
    ...fillCpu,
    values: {
      fill: (messages * 1000) / (produced.endedAtMs - produced.startedAtMs),
      ...(memoryBefore !== undefined && { memory: ((memoryAfter ?? 0) - memoryBefore) / mib }),
      ...(disk !== undefined && { disk: disk / (messages * bytes) }),
      ...(restart !== undefined && { restart: (restartMs + firstAtMs - consumesSinceMs) / 1000 }),
      drain: (messages * 1000) / (drained.endedAtMs - drained.startedAtMs),
    },
  };
}

async function warmUp(round: Round, queue: string): Promise<void> {
  const consumer = await round.start(consumeTask(queue));
  const producer = await round.start(produceTask(queue, warmUpMessages));
  consumer.tell({ order: "go" });
  consumer.tell({ order: "expect", count: warmUpMessages });
  producer.tell({ order: "go" });
  await Promise.all([producer.result, consumer.result]);
  await Promise.all([producer.end(), consumer.end()]);
}

function produceTask(queue: string, messages: number): ProduceTask {
  return {
    role: "produce",
    destination: { to: "queue", name: queue },
    bytes,
    persistent: true,
    confirm: true,
    window: 1000,
    stopAfter: { messages },
    keys: "one",
    timed: false,
  };
}

function consumeTask(queue: string): ConsumeTask {
  return {
    role: "consume",
    queues: [queue],
    prefetch: 1000,
    acks: true,
    timed: false,
    reports: false,
    ms: 0,
  };
}

function anonymousBytes({ target: { pid } }: Round): number | undefined {
  return pid === undefined ? undefined : processMemoryBytes(pid, "RssAnon");
}

/** What the files take of the disk: holes do not count. */
function directoryBytes(directory: string): number {
  const sizes = readdirSync(directory, { withFileTypes: true })
    .filter((file) => file.isFile())
    .map((file) => statSync(join(directory, file.name)).blocks * 512);
  return sizes.reduce((sum, size) => sum + size, 0);
}
