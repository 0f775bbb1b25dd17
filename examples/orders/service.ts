// One service, in a process of its own: `service.ts <name> <broker's URL>`.
import { connect } from "posthorn";
import type { OrderEvent } from "./events.ts";
import { leaveWhenTold } from "./leave.ts";
import type { ServiceReport } from "./reports.ts";
import { endOfReplay, services } from "./services.ts";
import { Tally } from "./tally.ts";

const reportIntervalMs = 100;

const [name = "", brokerUrl = ""] = process.argv.slice(2);
const service = services.find((candidate) => candidate.name === name);
if (!service) throw new Error(`There is no service "${name}".`);

// If the broker goes away, the SDK comes back by itself, and with it everything that is declared here.
const posthorn = await connect(brokerUrl, { name, reconnect: { maxDelayMs: 1000 } });

const orders = await posthorn.exchange("orders").declare({ type: "topic", durable: true });
const queue = await posthorn.queue(name).declare({ durable: true });
for (const pattern of service.bindings) await queue.bind(orders, pattern);

const tally = new Tally();
let state: ServiceReport["state"] = "ready";

// The message is acked when the handler returns, and comes again if it throws. At most 100 are under way.
await queue.consume(
  (message) => {
    if (message.type === endOfReplay) {
      // A queue hands out its messages in order, so nothing can come behind this one.
      state = "finished";
      report();
    } else tally.count(message.json<OrderEvent>());
  },
  { prefetch: 100, concurrency: 1 },
);
report();

let reportedEvents = 0;
setInterval(() => {
  if (tally.events === reportedEvents) return;
  reportedEvents = tally.events;
  report();
}, reportIntervalMs);

leaveWhenTold(posthorn);

function report(): void {
  const { events, repeats, totals } = tally;
  process.send?.({ state, events, repeats, totals } satisfies ServiceReport);
}
