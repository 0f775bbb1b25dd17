import { produceAndConsume, rateSample } from "./rate.ts";
import { messagesPerSecond, type Workload } from "./workload.ts";

const seconds = 4;

/** One producer, one consumer, all the guarantees. */
export function endToEnd(name: string, bytes: number): Workload {
  return {
    name,
    summary: `One producer as in confirm, one consumer with prefetch 1000 and acks, ${bytes} bytes.`,
    needs: ["queue"],
    metrics: [messagesPerSecond],
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
        timed: false,
        reports: false,
        ms,
      });
      const producer = await round.start({
        role: "produce",
        destination: { to: "queue", name: queue },
        bytes,
        persistent: true,
        confirm: true,
        window: 1000,
        stopAfter: { ms },
        keys: "one",
        timed: false,
      });
      return rateSample(round, await produceAndConsume(round, producer, consumer));
    },
  };
}

/** One producer, one consumer, none of the guarantees. */
export const atMostOnce: Workload = {
  name: "e2e-at-most-once",
  summary:
    "One producer, one consumer, 100 bytes: transient queue, no persistence, no confirms, no acks; at most 20,000 on their way.",
  needs: ["at-most-once"],
  metrics: [messagesPerSecond],
  warmsUp: true,
  timeLimitSeconds: 120,
  async run(round) {
    const ms = seconds * 1000 * round.scale;
    const queue = round.name();
    await round.client.declareQueue(queue, { durable: false });
    round.onEnd(() => round.client.deleteQueue(queue));
    const consumer = await round.start({
      role: "consume",
      queues: [queue],
      prefetch: 1000,
      acks: false,
      timed: false,
      reports: true,
      ms,
    });
    const producer = await round.start({
      role: "produce",
      destination: { to: "queue", name: queue },
      bytes: 100,
      persistent: false,
      confirm: false,
      window: 1000,
      stopAfter: { ms },
      maxAhead: 20_000,
      keys: "one",
      timed: false,
    });
    return rateSample(round, await produceAndConsume(round, producer, consumer, { mayLose: true }));
  },
};
