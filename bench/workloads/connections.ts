import { processMemoryBytes } from "../process-figures.ts";
import type { Workload } from "./workload.ts";

const connections = 10_000;

export const idleConnections: Workload = {
  name: "connections",
  summary: `${connections} idle subscribers (times the scale), 50 connecting at a time, each with an exclusive queue bound to a topic.`,
  needs: ["live"],
  metrics: [
    { key: "seconds", title: "s to connect 10,000", better: "lower", digits: 2 },
    { key: "kib", title: "KiB RSS of the broker each", better: "lower", digits: 1 },
  ],
  // Memory that an earlier round has given back would be used again, and not counted.
  warmsUp: false,
  timeLimitSeconds: 180,
  async run(round) {
    const topic = round.name();
    await round.client.declareTopic(topic);
    round.onEnd(() => round.client.deleteTopic(topic));
    const { pid } = round.target;
    const count = round.scaled(connections);
    const before = pid === undefined ? undefined : processMemoryBytes(pid, "VmRSS");
    const subscriber = await round.start({
      role: "subscribe",
      topic,
      pattern: "#",
      connections: count,
      acks: false,
      timed: false,
      reports: false,
      ms: 0,
    });
    const { connectSeconds = Number.NaN } = await subscriber.ready();
    const after = pid === undefined ? undefined : processMemoryBytes(pid, "VmRSS");
    const known = before !== undefined && after !== undefined;
    return {
      values: {
        seconds: (connectSeconds * connections) / count,
        ...(known && { kib: (after - before) / count / 1024 }),
      },
    };
  },
};
