// A mail server is down. Instead of failing with every mail again and again, the queue waits, tries one, and goes on when it is up.
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "posthorn";
import { createLogger, loadConfig, startBroker } from "posthorn/server";

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

const mails = await posthorn.queue("mails").declare({
  circuitBreaker: { failureRate: 0.5, minimum: 4, window: 10_000, open: 300 },
});
for (let number = 1; number <= 20; number++) await mails.publish({ to: `customer${number}@example.com` });

let isServerUp = false;
let attempts = 0;
let sent = 0;
await mails.consume(
  () => {
    attempts++;
    if (!isServerUp) throw new Error("The mail server does not answer.");
    sent++;
  },
  {
    prefetch: 1,
    onError: (_error, message) => {
      message.requeue(); // At once: whether it makes sense to go on is for the circuit breaker to decide.
      return "leave";
    },
  },
);

/** Waits until the circuit is in this state. */
async function circuit(state: "open" | "half-open" | "closed"): Promise<void> {
  while ((await mails.status()).circuit !== state) await sleep(5);
}

console.log("The mail server is down.");
await circuit("open");
console.log(`The circuit is open after ${attempts} attempts.`);
await sleep(200);
const { ready, delayed } = await mails.status();
console.log(`${attempts} attempts, ${ready + delayed} mails wait.`);
while (attempts < 5) await sleep(5);
await circuit("open");
console.log("One was tried, and failed: the circuit is open again.");
isServerUp = true;
console.log("The mail server is up.");
await circuit("closed");
while (sent < 20) await sleep(5);
console.log(`The circuit is closed: ${sent} mails are sent, with ${attempts} attempts.`);
await posthorn.close();
await broker.stop();
