import { variedBindings } from "../roles/produce.ts";
import { produceAndConsume, rateSample } from "./rate.ts";
import { messagesPerSecond, type Workload } from "./workload.ts";

const queueCount = 100;
const seconds = 4;

export const routing: Workload = {
  name: "routing",
  summary: `Topic exchange, ${variedBindings} bindings with patterns over ${queueCount} queues, millions of different keys, 100 bytes, transient, confirms, consumers without acks.`,
  needs: ["routing"],
  metrics: [messagesPerSecond],
  warmsUp: true,
  timeLimitSeconds: 120,
  async run(round) {
    const ms = seconds * 1000 * round.scale;
    const topic = round.name();
    await round.client.declareTopic(topic);
    round.onEnd(() => round.client.deleteTopic(topic));
    const consumer = await round.start({
      role: "consume-bound",
      topic,
      bindingCount: variedBindings,
      queueCount,
      ms,
    });
    const producer = await round.start({
      role: "produce",
      destination: { to: "topic", name: topic },
      bytes: 100,
      persistent: false,
      confirm: true,
      window: 1000,
      stopAfter: { ms },
      maxAhead: 20_000,
      keys: "varied",
      timed: false,
    });
    return rateSample(round, await produceAndConsume(round, producer, consumer));
  },
};
