/**
 * What a broker costs that only waits: `npm run build && node --import tsx bench/idle-timers.ts [--queues 10000] [--seconds 120]`.
 * Prints Markdown, and ends with 1 if the target is missed.
 *
 * Every queue has a timer of every kind, none of which goes off before an hour has passed: a message that would expire, one that
 * waits for its retry, one that has to be acked in time, a circuit that is open, and the queue itself, which expires unused. The
 * clients stay connected. Then the broker is started again: without clients nothing has to be acked in time, and circuits begin closed;
 * the other timers run on.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { connect, type Posthorn, type ReceivedMessage } from "posthorn";
import { processCpuSeconds } from "./process-figures.ts";
import { posthornTarget } from "./targets/posthorn-target.ts";
import type { OpenTarget } from "./targets/target.ts";

/** Percent of a core. */
const target = 2;
const hourMs = 3_600_000;
/** As many consumers as one client may have. */
const queuesPerClient = 1000;
const queuesAtOnce = 100;
/** Not measured, as the store tidies up. What V8 collects when it finds itself idle, within a minute or two, is. */
const settleSeconds = 10;

const { values } = parseArgs({
  options: {
    queues: { type: "string", default: "10000" },
    seconds: { type: "string", default: "120" },
  },
});
const queueCount = Number(values.queues);
const seconds = Number(values.seconds);

async function newClient(url: string): Promise<Posthorn> {
  const posthorn = await connect(url, { reconnect: false });
  posthorn.on("error", () => {}); // It loses its consumers when the broker is started again.
  return posthorn;
}

/** Declares a queue and sees to it that all its timers run. */
async function startTimers(posthorn: Posthorn, index: number): Promise<void> {
  // Each at a time of its own.
  const timeMs = hourMs + index * 97;
  const queue = await posthorn.queue(nameOf(index)).declare({
    messageTtl: timeMs,
    expires: timeMs,
    ackTimeout: timeMs,
    deliveryLimit: 5,
    retry: { initialDelay: timeMs, maxDelay: timeMs },
    circuitBreaker: { failureRate: 0.1, minimum: 1, open: timeMs },
  });
  const held = new Promise<[ReceivedMessage, ReceivedMessage]>((resolve, reject) => {
    const messages: ReceivedMessage[] = [];
    const consuming = queue.consume(
      (message) => {
        messages.push(message);
        if (messages.length === 2) resolve(messages as [ReceivedMessage, ReceivedMessage]);
        return new Promise(() => {});
      },
      { prefetch: 2 },
    );
    consuming.catch(reject);
  });
  await Promise.all([queue.publish("1"), queue.publish("2")]);
  const [retried] = await held;
  retried.requeue({ reason: "later" });
  await queue.publish("3");
  const { ready, delayed, unsettled, circuit } = await queue.status();
  if (ready !== 1 || delayed !== 1 || unsettled !== 1 || circuit !== "open")
    throw new Error(`${queue.name}: ${JSON.stringify({ ready, delayed, unsettled, circuit })}`);
}

function nameOf(index: number): string {
  return `timers-${index}`;
}

/** Percent of a core that the broker uses. */
async function measure(broker: OpenTarget): Promise<number> {
  await sleep(settleSeconds * 1000);
  const [cpuBefore, before] = [processCpuSeconds(broker.pid!), performance.now()];
  await sleep(seconds * 1000);
  const wallSeconds = (performance.now() - before) / 1000;
  return ((processCpuSeconds(broker.pid!) - cpuBefore) / wallSeconds) * 100;
}

let isMet = true;
function print(what: string, percent: number): void {
  isMet &&= percent < target;
  console.log(`| ${what} | ${percent.toFixed(2)} % |`);
}

const broker = await posthornTarget("posthorn", join(import.meta.dirname, "..")).open();
try {
  const count = queueCount.toLocaleString("en");
  console.log(`| ${seconds} s of | CPU of the broker, of one core |`);
  console.log("|---|---:|");
  print("nothing at all", await measure(broker));
  const clients: Posthorn[] = [];
  for (let first = 0; first < queueCount; first += queuesAtOnce) {
    if (first % queuesPerClient === 0) clients.push(await newClient(broker.address.url));
    const indexes = Array.from({ length: Math.min(queuesAtOnce, queueCount - first) }, (_, i) => first + i);
    await Promise.all(indexes.map((index) => startTimers(clients.at(-1)!, index)));
  }
  print(`${count} queues, each with timers of every kind`, await measure(broker));
  await broker.restart!();
  print("the same after a restart, without clients", await measure(broker));
} finally {
  await broker.close();
}
console.log(`\nThe target, below ${target} %, is ${isMet ? "met" : "missed"}.`);
process.exitCode = isMet ? 0 : 1;
