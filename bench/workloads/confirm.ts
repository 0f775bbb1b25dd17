import { warmRate } from "../roles/warm-mark.ts";
import { messagesPerSecond, type Workload } from "./workload.ts";

const seconds = 4;

/** One producer with confirms, nobody consumes. */
export function confirm(name: string, bytes: number): Workload {
  return {
    name,
    summary: `One producer, durable queue, persistent messages of ${bytes} bytes, at most 1000 unconfirmed, no consumer.`,
    needs: ["queue"],
    metrics: [messagesPerSecond],
    warmsUp: true,
    timeLimitSeconds: 120,
    async run(round) {
      const queue = round.name();
      await round.client.declareQueue(queue, { durable: true });
      round.onEnd(() => round.client.deleteQueue(queue));
      const producer = await round.start({
        role: "produce",
        destination: { to: "queue", name: queue },
        bytes,
        persistent: true,
        confirm: true,
        window: 1000,
        stopAfter: { ms: seconds * 1000 * round.scale },
        keys: "one",
        timed: false,
      });
      const cpuBefore = round.brokerCpuSeconds();
      producer.tell({ order: "go" });
      const result = await producer.result;
      const rate = warmRate(result, result.endedAtMs);
      return round.sample({ rate }, result.count, cpuBefore, [result]);
    },
  };
}
