/** A producer in a process of its own: `produce.ts URL QUEUE BYTES COUNT WINDOW persistent|transient`. */
import { connect } from "posthorn";

const [url = "", queueName = "", bytes = "100", count = "1000", window = "1000", kind = "persistent"] =
  process.argv.slice(2);
const persistent = kind === "persistent";
const total = Number(count);
const posthorn = await connect(url, {
  maxUnconfirmed: Number(window),
  reconnect: false,
  requestTimeoutMs: 120_000,
});
const queue = await posthorn.queue(queueName).declare();
const exchange = posthorn.defaultExchange;
const body = new Uint8Array(Number(bytes)).fill(0x78);
const view = new DataView(body.buffer);
const startedAt = performance.now();
const startedCpu = process.cpuUsage();

await new Promise<void>((resolve, reject) => {
  let done = 0;
  const confirmed = () => {
    if (++done === total) resolve();
  };
  const publish = async () => {
    for (let number = 1; number <= total; number++) {
      // The body is copied into the batch during the call, so one array serves all.
      if (body.length >= 8) view.setFloat64(0, number);
      exchange.publish(queue.name, body, { persistent, confirm: persistent }).then(confirmed, reject);
      if (number % 256 === 0) await posthorn.ready();
    }
  };
  publish().catch(reject);
});
const seconds = (performance.now() - startedAt) / 1000;
const cpu = process.cpuUsage(startedCpu);
process.stdout.write(`${JSON.stringify({ seconds, cpuSeconds: (cpu.user + cpu.system) / 1e6 })}\n`);
await posthorn.close({ timeoutMs: 60_000 });
