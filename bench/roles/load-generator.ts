/** A load generator: a process of its own with one task. Started by `LoadProcess`, which it obeys over IPC. */
import type { Address, BrokerClient, Driver } from "../drivers/driver.ts";
import { driverFor } from "../drivers/driver-for.ts";
import { consume, consumeBound } from "./consume.ts";
import { mixedConsume, mixedProduce } from "./mixed.ts";
import { produce } from "./produce.ts";
import { Stage } from "./stage.ts";
import { subscribe } from "./subscribe.ts";
import type { Task, TaskResult } from "./task.ts";

const { address, task } = JSON.parse(process.argv[2] ?? "") as { address: Address; task: Task };
const stage = new Stage();
// Who started it has gone: nobody would end it.
process.on("disconnect", () => process.exit(1));

async function perform(driver: Driver): Promise<TaskResult> {
  if (task.role === "subscribe") return subscribe(driver, address, task, stage);
  if (task.role === "mixed-produce") return mixedProduce(driver, address, task, stage);
  if (task.role === "mixed-consume") return mixedConsume(driver, address, task, stage);
  const client: BrokerClient = await driver.connect(address);
  if (task.role === "produce") return produce(client, task, stage);
  if (task.role === "consume") return consume(client, task, stage);
  return consumeBound(client, task, stage);
}

// It stays until it is told to leave: a consumer that left early would make the broker requeue.
try {
  const result = await perform(await driverFor(address.kind));
  stage.tell({ report: "done", result });
} catch (error) {
  stage.tell({
    report: "failed",
    message: `${task.role}: ${error instanceof Error ? error.message : error}`,
  });
}
