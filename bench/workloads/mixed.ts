import { warmRate } from "../roles/warm-mark.ts";
import { deliveriesPerSecond, type Workload } from "./workload.ts";

const queueCount = 50;
const seconds = 6;

export const mixed: Workload = {
  name: "mixed",
  summary: `${queueCount} durable queues, a producer each (20 unconfirmed at most, 1 KiB), two consumers each of differing speed, late acks, one message in a hundred requeued.`,
  needs: ["queue", "settle"],
  metrics: [
    { ...deliveriesPerSecond, title: "acked msg/s" },
    { key: "confirmed", title: "confirmed msg/s", better: "higher", digits: 0 },
  ],
  warmsUp: true,
  timeLimitSeconds: 120,
  async run(round) {
    const ms = seconds * 1000 * round.scale;
    const base = round.name();
    const queues = Array.from({ length: queueCount }, (_, index) => `${base}-${index}`);
    for (const queue of queues) {
      await round.client.declareQueue(queue, { durable: true });
      round.onEnd(() => round.client.deleteQueue(queue));
    }
    const consumer = await round.start({ role: "mixed-consume", queues, ms });
    const producer = await round.start({
      role: "mixed-produce",
      queues,
      window: 20,
      ms,
    });
    const cpuBefore = round.brokerCpuSeconds();
    consumer.tell({ order: "go" });
    producer.tell({ order: "go" });
    const produced = await producer.result;
    consumer.tell({ order: "expect", count: produced.count });
    const consumed = await consumer.result;
    return round.sample(
      { rate: warmRate(consumed, consumed.endedAtMs), confirmed: warmRate(produced, produced.endedAtMs) },
      consumed.count,
      cpuBefore,
      [produced, consumed],
    );
  },
};
