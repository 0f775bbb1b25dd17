import { setTimeout } from "node:timers/promises";
import type { BrokerClient, Publisher } from "../drivers/driver.ts";
import { monotonicMs } from "../monotonic-clock.ts";
import { cpuSecondsSince } from "./cpu-seconds.ts";
import { writePublishTime } from "./publish-time.ts";
import { routingKey } from "./routing-keys.ts";
import type { Stage } from "./stage.ts";
import type { ProduceTask, TaskResult } from "./task.ts";
import { WarmMark } from "./warm-mark.ts";

/** So often a publisher that goes flat out looks at the clock. */
const messagesPerLook = 64;
export const variedBindings = 10_000;

export async function produce(client: BrokerClient, task: ProduceTask, stage: Stage): Promise<TaskResult> {
  const publisher = await client.publisher(task.destination, task);
  await stage.ready();
  const cpuBefore = process.cpuUsage();
  const startedAtMs = monotonicMs();
  const warm = new WarmMark("ms" in task.stopAfter ? task.stopAfter.ms : 0);
  warm.look(0);
  const count =
    task.perSecond === undefined
      ? await flatOut(publisher, task, stage, warm)
      : await paced(publisher, task, task.perSecond);
  await publisher.flush();
  const cpuSeconds = cpuSecondsSince(cpuBefore);
  return { count, startedAtMs, endedAtMs: monotonicMs(), cpuSeconds, warm: warm.mark };
}

async function flatOut(
  publisher: Publisher,
  task: ProduceTask,
  stage: Stage,
  warm: WarmMark,
): Promise<number> {
  const makeBody = bodies(task);
  const { stopAfter, maxAhead = Number.POSITIVE_INFINITY, keys } = task;
  const endAtMs = "ms" in stopAfter ? monotonicMs() + stopAfter.ms : Number.POSITIVE_INFINITY;
  const limit = "messages" in stopAfter ? stopAfter.messages : Number.POSITIVE_INFINITY;
  const untilConsumed = consumedWaiter(stage);
  let count = 0;
  while (count < limit && monotonicMs() < endAtMs) {
    warm.look(count);
    for (let some = 0; some < messagesPerLook && count < limit; some++) {
      if (count - stage.consumed >= maxAhead) await untilConsumed(count - maxAhead, endAtMs);
      if (!publisher.hasRoom) await publisher.untilRoom();
      publisher.publish(keys === "varied" ? routingKey(count, variedBindings) : "bench", makeBody());
      count++;
    }
  }
  return count;
}

/** Evenly in time, as far as timers allow: what fell due since the last look is sent at once. */
async function paced(publisher: Publisher, task: ProduceTask, perSecond: number): Promise<number> {
  if (!("ms" in task.stopAfter)) throw new Error("A paced publisher ends by time.");
  const makeBody = bodies(task);
  const startedAtMs = monotonicMs();
  let count = 0;
  for (let passedMs = 0; passedMs < task.stopAfter.ms; passedMs = monotonicMs() - startedAtMs) {
    for (const due = (passedMs * perSecond) / 1000; count < due; count++) {
      if (!publisher.hasRoom) await publisher.untilRoom();
      publisher.publish("bench", makeBody());
    }
    await setTimeout(1);
  }
  return count;
}

/** One body for all, or, where it carries its time, one each. */
function bodies({ bytes, timed }: ProduceTask): () => Buffer {
  const template = Buffer.alloc(bytes, "x");
  if (!timed) return () => template;
  return () => {
    const body = Buffer.from(template);
    writePublishTime(body, monotonicMs());
    return body;
  };
}

/** Waits until the consumers have so many messages, or it is over. */
function consumedWaiter(stage: Stage): (count: number, endAtMs: number) => Promise<void> {
  let wake = () => {};
  stage.onChange(() => wake());
  return async (count, endAtMs) => {
    while (stage.consumed <= count && monotonicMs() < endAtMs) {
      await new Promise<void>((resolve) => {
        wake = resolve;
        globalThis.setTimeout(resolve, 20);
      });
    }
  };
}
