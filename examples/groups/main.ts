// What happens to one customer's orders is handled in order, by any of three workers; different customers side by side.
import { setTimeout as sleep } from "node:timers/promises";
import { type Consumer, connect } from "posthorn";
import { createLogger, loadConfig, startBroker } from "posthorn/server";

interface OrderEvent {
  readonly customer: string;
  readonly what: string;
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
posthorn.on("error", () => {}); // The failures below are meant to be.

const events = await posthorn
  .queue("order-events")
  .declare({ messageGroups: { by: "header", name: "customer" } });
const customers = ["Ada", "Grace", "Edsger", "Barbara", "Donald"];
const steps = ["ordered", "paid", "packed", "shipped", "delivered", "thanked"];
for (const what of steps) {
  await Promise.all(
    customers.map((customer) => events.publish({ customer, what }, { headers: { customer } })),
  );
}

const handled = new Map<string, string[]>();
const atWork = new Set<string>();
let mostAtOnce = 0;
let left = customers.length * steps.length;
let hasFailed = false;
let done = () => {};
const allDone = new Promise<void>((resolve) => {
  done = resolve;
});

/** A worker, as it could run on a machine of its own. */
async function startWorker(): Promise<Consumer> {
  return events.consume(async (message) => {
    const { customer, what } = message.json<OrderEvent>();
    if (atWork.has(customer)) throw new Error(`Two workers are at work for ${customer}.`);
    atWork.add(customer);
    mostAtOnce = Math.max(mostAtOnce, atWork.size);
    await sleep(5);
    atWork.delete(customer);
    if (customer === "Grace" && what === "packed" && !hasFailed) {
      hasFailed = true;
      throw new Error("The box is broken."); // Grace's other events wait until this one has succeeded.
    }
    handled.set(customer, [...(handled.get(customer) ?? []), what]);
    if (--left === 0) done();
  });
}

const [first, ...others] = await Promise.all([startWorker(), startWorker(), startWorker()]);
await sleep(10);
await first.cancel(); // One leaves; the others take over its customers.
await allDone;
await Promise.all(others.map((worker) => worker.cancel()));

for (const customer of customers) console.log(`${customer}: ${handled.get(customer)!.join(", ")}`);
console.log(mostAtOnce > 1 ? "Several customers were served at once." : "One after the other.");
const { ready, unsettled } = await events.status();
console.log(`${ready + unsettled} left.`);
await posthorn.close();
await broker.stop();
