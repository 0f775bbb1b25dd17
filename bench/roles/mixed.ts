import type { Address, Driver, Publisher } from "../drivers/driver.ts";
import { monotonicMs } from "../monotonic-clock.ts";
import { cpuSecondsSince } from "./cpu-seconds.ts";
import type { Stage } from "./stage.ts";
import type { MixedConsumeTask, MixedProduceTask, TaskResult } from "./task.ts";
import { WarmMark } from "./warm-mark.ts";

const bodyBytes = 1024;

/** One connection a queue, all flat out within their windows. */
export async function mixedProduce(
  driver: Driver,
  address: Address,
  task: MixedProduceTask,
  stage: Stage,
): Promise<TaskResult> {
  const body = Buffer.alloc(bodyBytes, "x");
  const publishers: Publisher[] = [];
  for (const name of task.queues) {
    const client = await driver.connect(address);
    publishers.push(
      await client.publisher({ to: "queue", name }, { persistent: true, confirm: true, window: task.window }),
    );
  }
  await stage.ready();
  const cpuBefore = process.cpuUsage();
  const startedAtMs = monotonicMs();
  const endAtMs = startedAtMs + task.ms;
  let count = 0;
  const warm = new WarmMark(task.ms);
  const publish = async (publisher: Publisher) => {
    while (monotonicMs() < endAtMs) {
      await publisher.untilRoom();
      warm.look(count);
      while (publisher.hasRoom) {
        publisher.publish("bench", body);
        count++;
      }
    }
    await publisher.flush();
  };
  await Promise.all(publishers.map(publish));
  const cpuSeconds = cpuSecondsSince(cpuBefore);
  return { count, startedAtMs, endedAtMs: monotonicMs(), cpuSeconds, warm: warm.mark };
}

/** Of ten consumers, seven settle at once, two after some time, one slowly; every hundredth message is requeued once. */
function delayMsOf(consumer: number): number {
  const turn = consumer % 10;
  if (turn < 7) return 0;
  return turn < 9 ? 5 : 50;
}

const requeueEvery = 100;
const prefetch = 100;

export async function mixedConsume(
  driver: Driver,
  address: Address,
  task: MixedConsumeTask,
  stage: Stage,
): Promise<TaskResult> {
  const cpuBefore = process.cpuUsage();
  let handled = 0;
  let acked = 0;
  const warm = new WarmMark(task.ms);
  let firstAtMs = 0;
  const start = async (queue: string, consumer: number) => {
    const client = await driver.connect(address);
    const delayMs = delayMsOf(consumer);
    await client.consumeEach(queue, { prefetch }, (_body, settle) => {
      if (handled++ === 0) firstAtMs = monotonicMs();
      warm.look(acked);
      const outcome = handled % requeueEvery === 0 ? "requeue" : "ack";
      const settleNow = () => {
        if (outcome === "ack") acked++;
        settle(outcome);
      };
      if (delayMs === 0) settleNow();
      else setTimeout(settleNow, delayMs);
    });
  };
  for (const [index, queue] of task.queues.entries()) {
    await start(queue, 2 * index);
    await start(queue, 2 * index + 1);
  }
  await stage.ready();
  // Whatever is left in the queues then does not count: the slow ones never catch up.
  await new Promise<void>((resolve) => {
    stage.onChange(() => {
      if (stage.expected !== Number.POSITIVE_INFINITY) resolve();
    });
  });
  return {
    count: acked,
    startedAtMs: firstAtMs,
    endedAtMs: monotonicMs(),
    cpuSeconds: cpuSecondsSince(cpuBefore),
    warm: warm.mark,
  };
}
