/** A process of clients in a soak: producers, consumers of differing speed, and dashboards that come and go. */
import { setTimeout as wait } from "node:timers/promises";
import { WebSocket } from "ws";
import {
  type ConnectOptions,
  connect,
  type Posthorn,
  type PosthornError,
  type ReceivedMessage,
} from "../../../client/index.ts";
import { seeded } from "../faults/seeded.ts";
import type { WorkerMessage, WorkerOrder, WorkerTask } from "./worker.ts";

const task = JSON.parse(process.argv[2]!) as WorkerTask;
const random = seeded(task.seed);
const sockets = new Set<WebSocket>();
const connections: Posthorn[] = [];
const burstChance = 1 / 400;
const burstMessages = 500;
let isFinishing = false;
let isLeaving = false;
const counts = { confirmed: 0, acked: 0, requeued: 0, live: 0 };

interface OpenConnection {
  readonly posthorn: Posthorn;
  /** Cuts it, without a word to the broker. */
  cut(): void;
}

/** @param lasting It comes back when it is lost. */
async function open(lasting: boolean): Promise<OpenConnection> {
  let current: WebSocket | undefined;
  class CountedWebSocket extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols, { perMessageDeflate: false });
      current = this;
      sockets.add(this);
      this.on("close", () => sockets.delete(this));
    }
  }
  const webSocket = CountedWebSocket as unknown as NonNullable<ConnectOptions["webSocket"]>;
  for (;;) {
    try {
      const posthorn = await connect(task.url, { webSocket, ...(!lasting && { reconnect: false }) });
      // That it was cut is told here, too.
      posthorn.on("error", () => {});
      return { posthorn, cut: () => current?.terminate() };
    } catch (error) {
      // Cut before it was there.
      if ((error as PosthornError).code !== "connect-failed") throw error;
    }
  }
}

function tell(message: WorkerMessage): void {
  process.send?.(message);
}

/** Publishes at its rate, now and then many at once, and no more than 100 ahead of the confirms. */
async function produce(queue: string): Promise<void> {
  const { posthorn } = await open(true);
  connections.push(posthorn);
  const feed = posthorn.exchange(task.feed);
  const target = posthorn.queue(queue);
  await target.declare();
  const underWay = new Set<Promise<void>>();
  const publish = async () => {
    const body = new Uint8Array(64 + Math.floor(random() * random() * 8192));
    const key = `${queue}.${Math.floor(random() * 20)}`;
    await Promise.all([target.publish(body), feed.publish(key, body.subarray(0, 64), { persistent: false })]);
    counts.confirmed++;
  };
  while (!isFinishing) {
    const burst = random() < burstChance ? burstMessages : 1;
    for (let published = 0; published < burst; published++) {
      const promise: Promise<void> = publish().finally(() => underWay.delete(promise));
      underWay.add(promise);
      if (underWay.size >= 100) await Promise.race(underWay);
    }
    await wait((1000 / task.perSecond) * 2 * random());
  }
  await Promise.all(underWay);
}

/** Of ten consumers seven ack at once, two after some time, one slowly; every hundredth message goes back once. */
async function consume(queue: string, index: number): Promise<void> {
  const { posthorn } = await open(true);
  connections.push(posthorn);
  const kind = index % 10;
  const delayMs = kind < 7 ? 0 : kind < 9 ? 50 : 500;
  const settle = (message: ReceivedMessage) => {
    if (message.settled) return;
    if (!message.redelivered && random() < 0.01) {
      counts.requeued++;
      message.requeue();
    } else {
      counts.acked++;
      message.ack();
    }
  };
  await posthorn.queue(queue).declare();
  await posthorn.queue(queue).consume(
    async (message) => {
      if (delayMs > 0) await wait(delayMs * (0.5 + random()));
      settle(message);
    },
    { prefetch: 20 + Math.floor(random() * 200), onError: "requeue" },
  );
}

/** Comes, looks for a few seconds, and goes: mostly without a word. */
async function look(): Promise<void> {
  while (!isLeaving) {
    try {
      const { posthorn, cut } = await open(false);
      const mine = await posthorn.queue().declare({ exclusive: true });
      await mine.bind(task.feed, random() < 0.5 ? "#" : `*.${Math.floor(random() * 20)}`);
      await mine.consume(() => void counts.live++, { noAck: true, whenSlow: "conflate" });
      await wait(500 + random() * 4000);
      if (random() < 0.3) await posthorn.close();
      else cut();
    } catch {
      // Its connection was cut by others: the next one then.
    }
  }
}

process.on("message", async (order: WorkerOrder) => {
  if (order === "drop") [...sockets][Math.floor(random() * sockets.size)]?.terminate();
  else if (order === "finish") {
    isFinishing = true;
    await Promise.all(producing);
    tell("finished");
  } else {
    isLeaving = true;
    await Promise.allSettled([...looking, ...connections.map((posthorn) => posthorn.close())]);
    process.disconnect();
  }
});

const producing = task.produces.map(produce);
await Promise.all(task.consumes.flatMap((queue, i) => [consume(queue, 2 * i), consume(queue, 2 * i + 1)]));
const looking = Array.from({ length: task.dashboards }, look);
const ticker = setInterval(() => {
  tell({ ...counts });
  for (const key of Object.keys(counts) as (keyof typeof counts)[]) counts[key] = 0;
}, 1000);
ticker.unref();
process.on("disconnect", () => {
  // Without its parent, or done: nothing holds it any more but connections that somebody forgot.
  setTimeout(() => process.exit(isLeaving ? 3 : 4), 5000).unref();
});
