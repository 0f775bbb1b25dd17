import type { Address, Driver } from "../drivers/driver.ts";
import { monotonicMs } from "../monotonic-clock.ts";
import type { Stage } from "./stage.ts";
import { Tally } from "./tally.ts";
import type { SubscribeTask, TaskResult } from "./task.ts";

/** Connections that are being opened at once. */
const openingAtOnce = 50;

export async function subscribe(
  driver: Driver,
  address: Address,
  task: SubscribeTask,
  stage: Stage,
): Promise<TaskResult> {
  const tally = new Tally(stage, task);
  const startedAtMs = monotonicMs();
  let opened = 0;
  const open = async () => {
    while (opened < task.connections) {
      opened++;
      const client = await driver.connect(address);
      await client.subscribe(task.topic, task.pattern, task, (body) => tally.add(body));
    }
  };
  await Promise.all(Array.from({ length: openingAtOnce }, open));
  await stage.ready({ connectSeconds: (monotonicMs() - startedAtMs) / 1000 });
  return tally.result();
}
