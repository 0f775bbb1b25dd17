// Payments fail, a person looks at what failed and why, throws one away, and sends the others back when the cause is mended.
import { connect } from "posthorn";
import { createLogger, loadConfig, startBroker } from "posthorn/server";

interface Payment {
  readonly order: number;
  readonly currency: string;
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

const failed = await posthorn.queue("payments.failed").declare();
const payments = await posthorn.queue("payments").declare({ deadLetterQueue: "payments.failed" });

/** Handles what is in the queue, and resolves when so many are through. */
async function work(count: number, knownCurrencies: readonly string[]): Promise<void> {
  for await (const message of payments.consume()) {
    const { order, currency } = message.json<Payment>();
    if (knownCurrencies.includes(currency)) {
      console.log(`  order ${order} is paid in ${currency}`);
      message.ack();
    } else
      message.reject({ reason: { code: "unknown-currency", message: `There is no rate for ${currency}.` } });
    if (--count === 0) break;
  }
}

console.log("A day's payments:");
const currencies = ["EUR", "CHF", "USD", "CHF", "EUR", "XXX", "CHF"];
await Promise.all(currencies.map((currency, i) => payments.publish({ order: i + 1, currency })));
await work(currencies.length, ["EUR", "USD"]);

console.log("What failed:");
for await (const message of failed.browse()) {
  const { order, currency } = message.json<Payment>();
  const { queue, reason, nackReason } = message.lastDeath!;
  console.log(
    `  order ${order} in ${currency}: ${reason} in ${queue}, ${nackReason?.code}: ${nackReason?.message}`,
  );
}

console.log("One of them is nonsense and goes:");
for await (const message of failed.browse({ filter: { body: { "$.currency": "XXX" } } })) {
  await failed.deleteMessage(message.position);
  console.log(`  order ${message.json<Payment>().order} deleted`);
}

console.log("What a redrive would do:");
const plan = await failed.redrive({ dryRun: true });
for (const { messages, reason, target } of plan.counts) console.log(`  ${messages} ${reason} to ${target}`);

console.log("There is a rate for CHF now:");
const report = await failed.redrive({ filter: { reason: "rejected" }, ratePerSecond: 100 });
await work(report.redriven, ["EUR", "USD", "CHF"]);

const { ready } = await failed.status();
console.log(`${report.redriven} redriven, ${ready} left.`);
await posthorn.close();
await broker.stop();
