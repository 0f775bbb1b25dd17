import { diskWrittenBytes } from "../disk-figures.ts";
import { fanoutQueue } from "../drivers/driver.ts";
import { produceAndConsume, rateSample } from "./rate.ts";
import { deliveriesPerSecond, type Workload } from "./workload.ts";

const queueCount = 10;
const bytes = 1024;
const seconds = 4;

export const fanoutDurable: Workload = {
  name: "fanout-durable",
  summary: `One producer with confirms, fanout to ${queueCount} durable queues, ${queueCount} consumers with acks, ${bytes} bytes.`,
  needs: ["fanout"],
  metrics: [
    deliveriesPerSecond,
    { key: "written", title: "written to disk per event, × its body", better: "lower", digits: 2 },
  ],
  warmsUp: true,
  timeLimitSeconds: 120,
  async run(round) {
    const ms = seconds * 1000 * round.scale;
    const name = round.name();
    await round.client.declareFanout(name, queueCount);
    round.onEnd(() => round.client.deleteFanout(name, queueCount));
    const consumer = await round.start({
      role: "consume",
      queues: Array.from({ length: queueCount }, (_, index) => fanoutQueue(name, index)),
      prefetch: 1000,
      acks: true,
      timed: false,
      reports: false,
      ms,
    });
    const producer = await round.start({
      role: "produce",
      destination: { to: "fanout", name },
      bytes,
      persistent: true,
      confirm: true,
      window: 1000,
      stopAfter: { ms },
      keys: "one",
      timed: false,
    });
    const before = diskWrittenBytes();
    const finished = await produceAndConsume(round, producer, consumer, { copies: queueCount });
    const after = diskWrittenBytes();
    const known = before !== undefined && after !== undefined;
    return rateSample(round, finished, {
      ...(known && { written: (after - before) / (finished.produced.count * bytes) }),
    });
  },
};
