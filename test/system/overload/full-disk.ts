import { once } from "node:events";
import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { connect } from "../../../client/index.ts";
import { startBrokerProcess } from "../../support/broker-process.ts";
import { Drain } from "./drain.ts";
import { Flood } from "./flood.ts";
import type { Scenario } from "./scenario.ts";
import { onSmallDisk } from "./small-disk-world.ts";
import { World } from "./world.ts";

const diskMebibytes = 16;
const queues = Array.from({ length: 8 }, (_, index) => `queue-${index}`);
const queueOf = (number: number) => queues[number % queues.length]!;

export const fullDisk: Scenario = {
  name: "full-disk",
  summary:
    "On a disk of 16 MiB a client publishes messages of 16 bytes to 2 MiB, whatever it is told, and others drain the queues: three times to the brim. Then another program takes the last byte.",

  run({ scale, random }) {
    return onSmallDisk(diskMebibytes, async ({ directory }, dataDir) => {
      const victim = { does: "transient", perSecond: 200 } as const;
      const result = await World.run({ flags: [], directory: dataDir, victim }, async (world) => {
        const posthorn = await world.connect();
        for (const name of queues) await posthorn.queue(name).declare();
        const control = await world.control(3000 * scale);
        const flood = await Flood.start({
          url: world.url,
          routingKey: queueOf,
          bodyBytes: () => Math.round(16 * (2 ** 17) ** random()),
          persistent: true,
          windowBytes: 4 * 2 ** 20,
        });
        world.onEnd(() => flood.close());
        const drain = new Drain(posthorn, queues);
        const under = await world.victim.measure(async () => {
          for (let round = 1; round <= 3; round++) {
            // It may be full again while the drain of the round before still stops.
            const isFull = () => flood.notices.at(-1) === "disk-full";
            await flood.until(isFull);
            await wait(1000 * scale);
            await flood.until(isFull);
            const before = flood.notices.length;
            await drain.start();
            await flood.until(() => flood.notices.includes("unblocked", before));
            await drain.stop();
          }
        });
        await flood.stop();
        await drain.start();
        await drain.until(flood.confirmed);
        await drain.stop();
        world.facts.push(`${flood.confirmed.size} taken, ${flood.refused.get("disk-full")} refused`);
        world.expect([...flood.refused.keys()].join() === "disk-full", "other refusals than disk-full");
        return { control, under };
      });
      const { fact, problems } = await filledByAnother(directory, dataDir);
      return { ...result, facts: [...result.facts, fact], problems: [...result.problems, ...problems] };
    });
  },
};

/** What the broker keeps free, another program takes. */
async function filledByAnother(
  directory: string,
  dataDir: string,
): Promise<{ readonly fact: string; readonly problems: readonly string[] }> {
  const start = () => startBrokerProcess(["--port", "0", "--data-dir", dataDir]);
  const filler = join(directory, "filler");
  const problems: string[] = [];
  let broker = await start();
  try {
    const exited = once(broker.child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
    const flood = await Flood.start({
      url: broker.url,
      routingKey: queueOf,
      bodyBytes: () => 4096,
      persistent: true,
      windowBytes: 2 ** 20,
    });
    await flood.until(() => flood.confirmed.size > 200);
    fill(filler);
    // Either a commit fails, or it sees in time that there is no room left.
    await Promise.race([exited, flood.until(() => flood.notices.includes("disk-full"))]).catch(() => exited);
    const end = await Promise.race([exited, flood.stop().catch(() => exited)]);
    flood.close();
    rmSync(filler);
    if (end !== undefined) {
      const [code, signal] = end;
      // What a failed write may end with instead is said in faults.test.ts.
      if (code !== 70 && signal === null) problems.push(`on the full disk the broker ended with ${code}`);
      broker = await start();
    }
    const posthorn = await connect(broker.url, { reconnect: false });
    const drain = new Drain(posthorn, queues);
    await drain.start();
    await drain.until(flood.confirmed);
    await drain.stop();
    await posthorn.queue(queues[0]!).publish("goes on");
    await posthorn.close();
    const how = end === undefined ? "blocked in time" : `ended with ${end[0] ?? end[1]} and recovered`;
    return { fact: `filled by another: ${how}`, problems };
  } finally {
    if (broker.child.exitCode === null && broker.child.signalCode === null) await broker.kill();
  }
}

/** Writes a file until nothing more fits on the disk. */
function fill(path: string): void {
  const descriptor = openSync(path, "w");
  const zeros = new Uint8Array(4096);
  try {
    while (writeSync(descriptor, zeros) === zeros.length);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  } finally {
    closeSync(descriptor);
  }
}
