/** The broker of a soak, in a process of its own that tells how much there is of everything when it is asked. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { type BrokerCounts, createLogger, loadConfig, startBroker } from "../../../server/index.ts";

export interface BrokerState {
  readonly counts: BrokerCounts;
  readonly heapBytes: number;
  /** The longest turn of the event loop since it was asked last, in milliseconds. */
  readonly longestTurnMs: number;
}

/** What it says of itself once it listens. */
export interface BrokerStarted {
  readonly url: string;
}

const argv = process.argv.slice(2);
const config = loadConfig({ argv, env: {}, readFile: () => "" });
const broker = await startBroker({
  config,
  log: createLogger(config),
  onFailure: (error) => {
    console.error(error);
    process.exit(70);
  },
});
const delay = monitorEventLoopDelay({ resolution: 10 });
delay.enable();
process.on("message", (order: "state" | "stop") => {
  if (order === "stop") void broker.stop().then(() => process.disconnect());
  else {
    const state: BrokerState = {
      counts: broker.counts(),
      heapBytes: process.memoryUsage().heapUsed,
      longestTurnMs: delay.max / 1e6,
    };
    delay.reset();
    process.send?.(state);
  }
});
process.send?.({ url: broker.url } satisfies BrokerStarted);
