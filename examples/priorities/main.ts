// A print shop: small jobs that somebody waits for go before large ones, and when the queue is full, the least urgent ones give way.
import { connect, type Queue } from "posthorn";
import { createLogger, loadConfig, startBroker } from "posthorn/server";

interface PrintJob {
  readonly name: string;
}

const urgency = { poster: 0, invoice: 1, ticket: 2 } as const;

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

async function order(kind: keyof typeof urgency, ...numbers: number[]): Promise<void> {
  for (const number of numbers)
    await jobs.publish({ name: `${kind} ${number}` }, { priority: urgency[kind] });
}

async function names(queue: Queue): Promise<string> {
  const found: string[] = [];
  for await (const message of queue.browse()) found.push(message.json<PrintJob>().name);
  return found.join(", ");
}

const tooMuch = await posthorn.queue("print.too-much").declare();
const jobs = await posthorn
  .queue("print")
  .declare({ maxPriority: 2, maxLength: 8, deadLetterQueue: "print.too-much" });

await order("poster", 1, 2, 3, 4);
await order("invoice", 1, 2, 3);
await order("ticket", 1, 2, 3);
console.log("To be printed:", await names(jobs));
console.log("Too much:", await names(tooMuch));

let printed = 0;
// One at a time: what is in the printer is not taken out again for something more urgent.
for await (const message of jobs.consume({ prefetch: 1 })) {
  console.log(`  ${message.json<PrintJob>().name}`);
  if (++printed === 2) await order("ticket", 4);
  message.ack();
  if (printed === 9) break;
}

const { ready } = await jobs.status();
console.log(`${printed} printed, ${ready} left.`);
await posthorn.close();
await broker.stop();
