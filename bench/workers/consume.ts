/**
 * A consumer in a process of its own: `consume.ts URL QUEUE COUNT PREFETCH ordered|any`. Prints `ready`, then when the
 * first message came, then the result.
 */
import { connect } from "posthorn";

const [url = "", queueName = "", count = "1000", prefetch = "1000", order = "any"] = process.argv.slice(2);
const total = Number(count);
const posthorn = await connect(url, { reconnect: false });
const queue = await posthorn.queue(queueName).declare();
let startedAt = 0;
let got = 0;
const startedCpu = process.cpuUsage();
await new Promise<void>((resolve, reject) => {
  queue
    .consume(
      (message) => {
        if (got === 0) {
          startedAt = performance.now();
          process.stdout.write(`${JSON.stringify({ first: Date.now() })}\n`);
        }
        got++;
        if (order === "ordered") {
          const { bytes } = message;
          const number = new DataView(bytes.buffer, bytes.byteOffset, 8).getFloat64(0);
          if (number !== got) reject(new Error(`Message ${number} came as number ${got}.`));
        }
        if (got === total) resolve();
      },
      { prefetch: Number(prefetch) },
    )
    .then(() => process.stdout.write("ready\n"), reject);
});
const seconds = (performance.now() - startedAt) / 1000;
const cpu = process.cpuUsage(startedCpu);
process.stdout.write(`${JSON.stringify({ seconds, cpuSeconds: (cpu.user + cpu.system) / 1e6 })}\n`);
await posthorn.close();
