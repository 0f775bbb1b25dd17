// Replays the orders, in a process of its own: `publisher.ts <broker's URL> <events per second, 0: all it can>`.
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "posthorn";
import { orderEvents, routingKeyOf } from "./events.ts";
import { leaveWhenTold } from "./leave.ts";
import type { PublisherReport } from "./reports.ts";

/** Confirms between two reports. */
const reportEvery = 20;
/** Timers are not exact: below this, events go together. */
const shortestSleepMs = 5;
const longestDelayMs = 50;

const [brokerUrl = "", rate = "0"] = process.argv.slice(2);
const eventsPerSecond = Number(rate);
const events = orderEvents();
let confirmed = 0;
let state: PublisherReport["state"] = "ready";

const posthorn = await connect(brokerUrl, {
  name: "publisher",
  reconnect: { maxDelayMs: 1000 },
  // This many may wait for their confirm. If the connection breaks, the SDK sends them again.
  maxUnconfirmed: 200,
});
const orders = await posthorn.exchange("orders").declare({ type: "topic", durable: true });

leaveWhenTold(posthorn);
report();
await once(process, "message"); // main.ts says: go.

let dueAt = performance.now();
const confirms: Promise<void>[] = [];
for (const event of events) {
  if (eventsPerSecond > 0) {
    // Time lost while the broker was away is not made up for: that would be a burst after each crash.
    dueAt = Math.max(dueAt, performance.now() - longestDelayMs) + 1000 / eventsPerSecond;
    const aheadMs = dueAt - performance.now();
    if (aheadMs > shortestSleepMs) await sleep(aheadMs);
  }
  // Waits while the window is full, and while the broker is away.
  await posthorn.ready();
  const confirm = orders.publish(routingKeyOf(event), event, {
    messageId: event.id,
    type: event.kind,
    timestamp: new Date(event.date),
    // An event that no queue wants would be a mistake here, and end this process.
    mandatory: true,
  });
  confirms.push(confirm.then(countConfirm));
}
await Promise.all(confirms);
state = "finished";
report();

/** The event is on disk, in the queue of every service that wants it. */
function countConfirm(): void {
  confirmed++;
  if (confirmed % reportEvery === 0) report();
}

function report(): void {
  process.send?.({ state, confirmed, events: events.length } satisfies PublisherReport);
}
