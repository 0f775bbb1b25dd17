import type { BrokerClient } from "../drivers/driver.ts";
import { monotonicMs } from "../monotonic-clock.ts";
import { routingBindings } from "./routing-keys.ts";
import type { Stage } from "./stage.ts";
import { Tally } from "./tally.ts";
import type { ConsumeBoundTask, ConsumeTask, TaskResult } from "./task.ts";

export async function consume(client: BrokerClient, task: ConsumeTask, stage: Stage): Promise<TaskResult> {
  const tally = new Tally(stage, task);
  const consumesSinceMs = monotonicMs();
  for (const queue of task.queues) await client.consume(queue, task, (body) => tally.add(body));
  await stage.ready({ consumesSinceMs });
  return tally.result();
}

export async function consumeBound(
  client: BrokerClient,
  task: ConsumeBoundTask,
  stage: Stage,
): Promise<TaskResult> {
  const tally = new Tally(stage, { timed: false, reports: true, ms: task.ms });
  const bindings = routingBindings(task.bindingCount, task.queueCount, `${task.topic}-`);
  await client.consumeBound(task.topic, bindings, (body) => tally.add(body));
  await stage.ready();
  return tally.result();
}
