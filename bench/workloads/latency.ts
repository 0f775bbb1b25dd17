import { latencySample, produceAndConsume } from "./rate.ts";
import { latencyMetrics, type Workload } from "./workload.ts";

const seconds = 8;
const perSecond = 1000;

export const latency: Workload = {
  name: "latency",
  summary: `${perSecond} messages a second of 100 bytes, durable, confirms, prefetch 1000, acks: publish to callback.`,
  needs: ["queue"],
  metrics: latencyMetrics,
  warmsUp: true,
  timeLimitSeconds: 120,
  async run(round) {
    const ms = seconds * 1000 * round.scale;
    const queue = round.name();
    await round.client.declareQueue(queue, { durable: true });
    round.onEnd(() => round.client.deleteQueue(queue));
    const consumer = await round.start({
      role: "consume",
      queues: [queue],
      prefetch: 1000,
      acks: true,
      timed: true,
      reports: false,
      ms,
    });
    const producer = await round.start({
      role: "produce",
      destination: { to: "queue", name: queue },
      bytes: 100,
      persistent: true,
      confirm: true,
      window: 1000,
      stopAfter: { ms },
      perSecond,
      keys: "one",
      timed: true,
    });
    return latencySample(round, await produceAndConsume(round, producer, consumer));
  },
};
