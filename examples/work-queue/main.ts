// Shipping labels for 830 orders: what fails for now is tried again, later each time; what fails for good goes aside.
import { setTimeout as sleep } from "node:timers/promises";
import { connect, type ReceivedMessage } from "posthorn";
import { createLogger, loadConfig, startBroker } from "posthorn/server";
import { readCsv } from "../orders/csv.ts";

interface Order {
  readonly orderID: string;
  readonly shipVia: string;
  readonly shipName: string;
  readonly shipPostalCode: string;
}

const config = loadConfig({
  argv: ["--memory", "--port", "0", "--log-level", "error"],
  env: {},
  readFile: () => "",
});
const broker = await startBroker({
  config,
  log: createLogger(config),
  onFailure: (error) => console.error(error),
});
const posthorn = await connect(broker.url);

const failed = await posthorn.queue("labels.failed").declare();
const labels = await posthorn.queue("labels").declare({
  retry: { initialDelay: 100, multiplier: 2, jitter: 0.1 },
  deliveryLimit: 4,
  deadLetterQueue: "labels.failed",
});

const orders: readonly Order[] = readCsv(
  "orders",
  ["orderID", "shipVia", "shipName", "shipPostalCode"],
  "shipAddress",
);
await Promise.all(orders.map((order) => labels.publish(order)));
console.log(`${orders.length} orders need a label.`);

/** It answers an order's third request only, as if it had been down until then. */
const slowCarrier = "3";
const charactersInALine = 33;

function printLabel({ shipName, shipVia }: Order, requestsBefore: number): void {
  if (shipVia === slowCarrier && requestsBefore < 2) throw new Error("The carrier does not answer.");
  if (shipName.length > charactersInALine) throw new Error("The name does not fit on the label.");
}

const printedAtAttempt = new Map<number, number>();
const triesOfFirstOrder: number[] = [];

function work(message: ReceivedMessage): void {
  const order = message.json<Order>();
  if (order.orderID === orders[0]!.orderID) triesOfFirstOrder.push(performance.now());
  // Trying this one again would be of no use.
  if (order.shipPostalCode === "NULL") {
    message.reject({ reason: "There is no postal code." });
    return;
  }
  // What this throws for comes again: the queue knows when, and how often. What it is through with is acked.
  printLabel(order, message.attempts);
  const attempt = message.attempts + 1;
  printedAtAttempt.set(attempt, (printedAtAttempt.get(attempt) ?? 0) + 1);
}

// What handlers throw is printed where nobody listens.
let failedAttempts = 0;
posthorn.on("error", () => failedAttempts++);

// Three workers, as they could run on machines of their own.
const workers = await Promise.all([1, 2, 3].map(() => labels.consume(work, { prefetch: 10 })));
for (let left = orders.length; left > 0; await sleep(20)) {
  const { ready, delayed, unsettled } = await labels.status();
  left = ready + delayed + unsettled;
}
await Promise.all(workers.map((worker) => worker.cancel()));

for (const [attempt, count] of printedAtAttempt) console.log(`${count} printed at attempt ${attempt}.`);
console.log(`${failedAttempts} attempts failed.`);
const waits = triesOfFirstOrder.slice(1).map((time, i) => Math.round(time - triesOfFirstOrder[i]!));
console.log(`Order ${orders[0]!.orderID} was tried again after ${waits.join(" and ")} ms.`);

const failures = new Map<string, number>();
for await (const message of failed.browse()) {
  const { reason, nackReason } = message.lastDeath!;
  const failure = `${reason}: ${nackReason?.message}`;
  failures.set(failure, (failures.get(failure) ?? 0) + 1);
}
console.log("Failed:");
for (const [failure, count] of failures) console.log(`  ${count} ${failure}`);
await posthorn.close();
await broker.stop();
