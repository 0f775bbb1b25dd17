import type { LoadProcess } from "../load-process.ts";
import type { Round } from "../round.ts";
import { latencySample, produceAndConsume, rateSample } from "./rate.ts";
import { deliveriesPerSecond, latencyMetrics, type Workload } from "./workload.ts";

const seconds = 4;
const bytes = 100;
/** Flat out, the producer is not further ahead of its subscribers. */
const maxAhead = 64;
const latencyPerSecond = 20;

/** Topic exchange and subscribers, each on a connection with an exclusive queue of its own; as fast as they can. */
export function fanoutLive(subscribers: number, acks: boolean): Workload {
  return {
    name: `fanout-live-${subscribers}${acks ? "-acks" : ""}`,
    summary: `Topic exchange, ${subscribers} connections with an exclusive queue each, ${acks ? "with" : "no"} acks, ${bytes} bytes, flat out, at most ${maxAhead} messages ahead.`,
    needs: [acks ? "live-acks" : "live"],
    metrics: [deliveriesPerSecond],
    warmsUp: true,
    timeLimitSeconds: 180,
    async run(round) {
      const { producer, consumer } = await start(round, { subscribers, acks, timed: false });
      return rateSample(
        round,
        await produceAndConsume(round, producer, consumer, { copies: subscribers, mayLose: true }),
      );
    },
  };
}

/** The same at an easy pace: how long a message takes to reach everyone. */
export function fanoutLatency(subscribers: number): Workload {
  return {
    name: `fanout-live-${subscribers}-latency`,
    summary: `The same at ${latencyPerSecond} messages a second, no acks: publish to callback, over all subscribers.`,
    needs: ["live"],
    metrics: latencyMetrics,
    warmsUp: true,
    timeLimitSeconds: 180,
    async run(round) {
      const { producer, consumer } = await start(round, { subscribers, acks: false, timed: true });
      return latencySample(
        round,
        await produceAndConsume(round, producer, consumer, { copies: subscribers, mayLose: true }),
      );
    },
  };
}

async function start(
  round: Round,
  { subscribers, acks, timed }: { subscribers: number; acks: boolean; timed: boolean },
): Promise<{ producer: LoadProcess; consumer: LoadProcess }> {
  const ms = seconds * 1000 * round.scale;
  const topic = round.name();
  await round.client.declareTopic(topic);
  round.onEnd(() => round.client.deleteTopic(topic));
  const consumer = await round.start({
    role: "subscribe",
    topic,
    pattern: "#",
    connections: subscribers,
    acks,
    timed,
    reports: !timed,
    ms,
  });
  const producer = await round.start({
    role: "produce",
    destination: { to: "topic", name: topic },
    bytes,
    persistent: false,
    confirm: false,
    window: 1000,
    stopAfter: { ms },
    keys: "one",
    timed,
    ...(timed ? { perSecond: latencyPerSecond } : { maxAhead }),
  });
  return { producer, consumer };
}
