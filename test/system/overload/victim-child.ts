/** The process of a {@link Victim}: one client that goes about its business and measures how long that takes. */
import { connect } from "../../../client/index.ts";
import { latencyOf } from "./latency.ts";
import type { VictimMessage, VictimOrder, VictimTask } from "./victim.ts";

const task = JSON.parse(process.argv[2]!) as VictimTask;
/** The first few: one tends to bring others. */
const problems: string[] = [];
const maxProblems = 5;
let latencies: number[] = [];
let isFinishing = false;

const posthorn = await connect(task.url, { heartbeatMs: task.heartbeatMs, reconnect: false });
posthorn.on("state", ({ state, reason }) => {
  if (!isFinishing) problem(`the victim's connection is ${state}: ${reason?.code} ${reason?.message}`);
});
posthorn.on("error", (error) => problem(`the victim failed: ${String(error)}`));

function problem(text: string): void {
  if (problems.length < maxProblems) problems.push(text);
}

/** Calls `work` so many times a second, until it is told to stop. */
function paced(work: () => void): () => void {
  const startedAtMs = performance.now();
  let done = 0;
  const timer = setInterval(() => {
    const due = ((performance.now() - startedAtMs) * task.perSecond) / 1000;
    for (; done < due; done++) work();
  }, 1);
  return () => clearInterval(timer);
}

/** Publishes to a queue of its own and consumes from it: the time from publish to handler. */
async function publishAndConsume(persistent: boolean): Promise<() => Promise<void>> {
  const queue = await posthorn.queue(`victim-${process.pid}`).declare({ durable: persistent });
  const outstanding = new Set<number>();
  let arrived = () => {};
  await queue.consume(
    (message) => {
      const { number, sentAtMs } = message.json<{ number: number; sentAtMs: number }>();
      latencies.push(performance.now() - sentAtMs);
      if (!outstanding.delete(number)) problem(`message ${number} came twice`);
      arrived();
    },
    { prefetch: 1000 },
  );
  let last = 0;
  const published = new Set<Promise<void>>();
  const stop = paced(() => {
    const number = ++last;
    outstanding.add(number);
    const promise: Promise<void> = queue
      .publish({ number, sentAtMs: performance.now() }, { persistent })
      .then(
        () => void published.delete(promise),
        (error) => void problem(`the victim's publish ${number} was refused: ${String(error)}`),
      );
    published.add(promise);
  });
  return async () => {
    stop();
    await Promise.all(published);
    while (outstanding.size > 0 && problems.length === 0)
      await new Promise<void>((resolve) => {
        arrived = resolve;
      });
  };
}

/** Takes messages from a queue that was filled before, one by one: the time of a `get`. */
async function take(): Promise<() => Promise<void>> {
  const queue = await posthorn.queue(`victim-${process.pid}`).declare();
  await Promise.all(
    Array.from({ length: task.perSecond * task.seconds }, (_, number) => queue.publish({ number })),
  );
  let next = 0;
  const underWay = new Set<Promise<void>>();
  const takeOne = async () => {
    const askedAtMs = performance.now();
    const message = await queue.get();
    latencies.push(performance.now() - askedAtMs);
    if (message === undefined) return;
    const { number } = message.json<{ number: number }>();
    if (number !== next++) problem(`message ${number} came instead of ${next - 1}`);
    message.ack();
  };
  const stop = paced(() => {
    const taken: Promise<void> = takeOne().then(
      () => void underWay.delete(taken),
      (error) => void problem(`the victim's get failed: ${String(error)}`),
    );
    underWay.add(taken);
  });
  return async () => {
    stop();
    await Promise.all(underWay);
  };
}

function tell(message: VictimMessage): void {
  process.send?.(message);
}

const finish = task.does === "get" ? await take() : await publishAndConsume(task.does === "durable");

process.on("message", async (order: VictimOrder) => {
  if (order === "begin") latencies = [];
  else if (order === "report") tell({ latency: latencyOf(latencies) });
  else {
    await finish();
    isFinishing = true;
    await posthorn.close();
    tell({ problems });
    process.disconnect();
  }
});
tell("ready");
