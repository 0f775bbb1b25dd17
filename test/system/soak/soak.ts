import { setTimeout as wait } from "node:timers/promises";
import { connect } from "../../../client/index.ts";
import { seeded } from "../faults/seeded.ts";
import { judge, type Verdict } from "./judge.ts";
import type { Sample } from "./sample.ts";
import { SoakedBroker } from "./soaked-broker.ts";
import type { WorkerTask } from "./worker.ts";
import { Workers } from "./workers.ts";

export interface SoakOptions {
  readonly dataDir: string;
  readonly seconds: number;
  readonly seed: number;
  /** A producer and two consumers each. */
  readonly queues: number;
  /** Processes that the clients are spread over. */
  readonly processes: number;
  readonly onSample?: (sample: Sample, totals: Workers["totals"]) => void;
}

/** Something done to the clients. */
export interface Disturbance {
  readonly seconds: number;
  readonly what: "kill" | "drop";
}

export interface SoakResult extends Verdict {
  readonly samples: readonly Sample[];
  readonly disturbances: readonly Disturbance[];
  readonly totals: Workers["totals"];
}

const sampleMs = 1000;
/** Of each queue. */
const perSecond = 20;
const feed = "feed";
/** How long the end may take: until all queues are empty, and until all that was the clients' has gone. */
const patienceMs = 60_000;

/**
 * A load like that of the benchmark's `mixed`, with clients that are killed and cut off all the time; and whether the broker is
 * the same at the end as it was after its warm-up.
 */
export async function soak({
  seconds,
  seed,
  dataDir,
  queues,
  processes,
  onSample,
}: SoakOptions): Promise<SoakResult> {
  const random = seeded(seed);
  const broker = await SoakedBroker.start(dataDir);
  const names = Array.from({ length: queues }, (_, index) => `queue-${index}`);
  const workers = new Workers(
    Array.from(
      { length: processes },
      (_, worker): WorkerTask => ({
        url: broker.url,
        seed: seed + worker,
        produces: names.filter((_, index) => index % processes === worker),
        consumes: names.filter((_, index) => (index + 1) % processes === worker),
        perSecond,
        feed,
        dashboards: 3,
      }),
    ),
  );
  try {
    const idle = await broker.sample();
    const posthorn = await connect(broker.url);
    await posthorn.exchange(feed).declare({ type: "topic" });
    await posthorn.close();
    workers.startAll();

    const samples: Sample[] = [];
    const disturbances: Disturbance[] = [];
    const begunAtMs = performance.now();
    const disturbing = disturb(workers, processes, random, begunAtMs + seconds * 1000, (what) =>
      disturbances.push({ seconds: samples.at(-1)?.seconds ?? 0, what }),
    );
    while (performance.now() < begunAtMs + seconds * 1000) {
      await wait(sampleMs);
      const sample = await broker.sample();
      samples.push(sample);
      onSample?.(sample, workers.totals);
    }
    await disturbing;

    workers.startAll();
    const problems = [...(await drained(broker, workers, names))];
    await workers.leave();
    const end = await settledState(broker);
    const code = await broker.stop();
    if (code !== 0) problems.push(`the broker ended with ${code}`);
    const verdict = judge(samples, idle, end, queues);
    return {
      samples,
      disturbances,
      totals: workers.totals,
      facts: verdict.facts,
      problems: [...verdict.problems, ...problems, ...workers.problems],
    };
  } finally {
    workers.killAll();
    broker.kill();
  }
}

/** Every few seconds a process is killed, and comes back after a while, or a connection is cut. */
async function disturb(
  workers: Workers,
  processes: number,
  random: () => number,
  untilMs: number,
  note: (what: Disturbance["what"]) => void,
): Promise<void> {
  // Once everybody has come.
  await wait(3000);
  while (performance.now() < untilMs) {
    const index = Math.floor(random() * processes);
    if (random() < 0.3) {
      note("kill");
      await workers.kill(index);
      await wait(random() * 8000);
      workers.start(index);
    } else {
      note("drop");
      workers.order(index, "drop");
    }
    await wait(500 + random() * 3000);
  }
}

/** Nothing more is published, and everything that was is consumed. */
async function drained(broker: SoakedBroker, workers: Workers, queues: readonly string[]): Promise<string[]> {
  await workers.finish();
  const posthorn = await connect(broker.url);
  const giveUpAtMs = performance.now() + patienceMs;
  let left = queues;
  while (left.length > 0 && performance.now() < giveUpAtMs) {
    const counts = await Promise.all(left.map((name) => posthorn.queue(name).check()));
    left = counts.filter(({ messageCount }) => messageCount > 0).map(({ name }) => name);
    await wait(100);
  }
  await posthorn.close();
  return left.length === 0 ? [] : [`${left.length} queues were not drained`];
}

/** The broker's state when everybody has gone, as soon as that shows, or when patience ends. */
async function settledState(broker: SoakedBroker): Promise<Sample> {
  const giveUpAtMs = performance.now() + patienceMs;
  for (;;) {
    const sample = await broker.sample();
    if ((sample.sessions === 0 && sample.consumers === 0) || performance.now() > giveUpAtMs) return sample;
    await wait(100);
  }
}
