import { once } from "node:events";
import { rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, type TestContext, test } from "vitest";
import { connect, type Posthorn } from "../../client/index.ts";
import { type BrokerProcess, startBrokerProcess } from "../support/broker-process.ts";
import { mountSmallDisk } from "../support/small-disk.ts";

const mib = 1024 * 1024;
const bodyBytes = 8 * 1024;

interface World {
  readonly directory: string;
  broker: BrokerProcess;
  connect(): Promise<Posthorn>;
  restart(): Promise<void>;
}

/** A broker in a process of its own, on a disk of 64 MiB of which it keeps 4 MiB free. */
async function onSmallDisk({ skip }: TestContext, use: (world: World) => Promise<void>): Promise<void> {
  const disk = mountSmallDisk(64);
  if (typeof disk === "string") return skip(disk);
  const { directory } = disk;
  const start = () =>
    startBrokerProcess([
      "--port",
      "0",
      "--data-dir",
      join(directory, "data"),
      "--min-free-disk-bytes",
      "4MiB",
    ]);
  const connections: Posthorn[] = [];
  const world: World = {
    directory,
    broker: await start(),
    async connect() {
      const posthorn = await connect(world.broker.url, { reconnect: false });
      connections.push(posthorn);
      return posthorn;
    },
    async restart() {
      await world.broker.kill();
      world.broker = await start();
    },
  };
  try {
    await use(world);
  } finally {
    await Promise.all(connections.map((posthorn) => posthorn.close({ timeoutMs: 1000 }).catch(() => {})));
    if (world.broker.child.exitCode === null) await world.broker.kill();
    disk.remove();
  }
}

/** Publishes numbered messages and keeps the numbers of those that were confirmed. */
class Publisher {
  readonly confirmed = new Set<number>();
  readonly underWay = new Set<Promise<void>>();
  readonly #posthorn: Posthorn;
  #next = 1;

  constructor(posthorn: Posthorn) {
    this.#posthorn = posthorn;
  }

  /** Until the broker says that it takes no more; what is under way by then follows later. */
  async untilBlocked(): Promise<void> {
    let isBlocked = false;
    const blocked = new Promise<void>((resolve) => {
      const stop = this.#posthorn.on("blocked", () => {
        isBlocked = true;
        stop();
        resolve();
      });
    });
    while (!isBlocked) {
      await Promise.race([this.#posthorn.ready(), blocked]);
      if (!isBlocked) this.publish();
    }
  }

  publish(): void {
    const number = this.#next++;
    const body = new Uint8Array(bodyBytes);
    new DataView(body.buffer).setUint32(0, number);
    const published = this.#posthorn
      .queue("q")
      .publish(body)
      .then(() => {
        this.confirmed.add(number);
        this.underWay.delete(published);
      });
    // Who waits for it hears of it; nobody does once a test has failed.
    published.catch(() => {});
    this.underWay.add(published);
  }
}

/** Consumes and acks until `enough` says so; what has been received goes into `received`. */
async function drain(posthorn: Posthorn, received: Set<number>, enough: () => boolean): Promise<void> {
  if (enough()) return;
  for await (const message of posthorn.queue("q").consume({ prefetch: 500 })) {
    const { bytes } = message;
    received.add(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0));
    message.ack();
    if (enough()) return;
  }
}

function leftOn(directory: string): number {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize;
}

test("publishing stops before the disk is full, consumers drain, and publishing goes on by itself", async (context) => {
  await onSmallDisk(context, async (world) => {
    const posthorn = await world.connect();
    await posthorn.queue("q").declare();
    const publisher = new Publisher(posthorn);
    const received = new Set<number>();
    const consuming = await world.connect();
    for (let round = 1; round <= 3; round++) {
      await publisher.untilBlocked();
      expect(posthorn.blocked?.code).toBe("disk-full");
      expect(leftOn(world.directory)).toBeGreaterThan(mib);
      // Everything but publishing goes on.
      await posthorn.queue(`other-${round}`).declare();
      const unblocked = new Promise<void>((resolve) => posthorn.on("unblocked", resolve));
      const drained = drain(consuming, received, () => posthorn.blocked === undefined);
      await unblocked;
      await drained;
      await Promise.all(publisher.underWay);
    }
    expect(publisher.confirmed.size * bodyBytes).toBeGreaterThan(60 * mib);
    await drain(consuming, received, () => received.size === publisher.confirmed.size);
    expect([...publisher.confirmed].filter((number) => !received.has(number))).toEqual([]);
    const codes = world.broker.log
      .map(({ msg }) => msg)
      .filter((msg) => String(msg).startsWith("publishers-"));
    expect(codes.slice(0, 4)).toEqual([
      "publishers-blocked",
      "publishers-unblocked",
      "publishers-blocked",
      "publishers-unblocked",
    ]);
    await posthorn.close();
    await consuming.close();
    expect(await world.broker.stop()).toBe(0);
  });
}, 60_000);

test("publishing goes on when the file that filled the disk has gone, without a restart", async (context) => {
  await onSmallDisk(context, async (world) => {
    const posthorn = await world.connect();
    await posthorn.queue("q").declare();
    const filler = join(world.directory, "filler");
    // Faster than the broker looks, but not so far that what is accepted until it looks would not fit.
    writeFileSync(filler, new Uint8Array(61 * mib));
    const publisher = new Publisher(posthorn);
    await publisher.untilBlocked();
    publisher.publish();
    const unblocked = new Promise<void>((resolve) => posthorn.on("unblocked", resolve));
    const removedAt = performance.now();
    rmSync(filler);
    await unblocked;
    await Promise.all(publisher.underWay);
    console.log(`published again ${Math.round(performance.now() - removedAt)} ms after there was room`);
    expect(publisher.confirmed.size).toBeGreaterThan(0);
    expect(world.broker.child.exitCode).toBeNull();
  });
}, 60_000);

test("a broker killed while its disk counts as full comes back with everything confirmed", async (context) => {
  await onSmallDisk(context, async (world) => {
    const posthorn = await world.connect();
    await posthorn.queue("q").declare();
    const publisher = new Publisher(posthorn);
    await publisher.untilBlocked();
    const lost = Promise.allSettled(publisher.underWay);
    const gone = once(world.broker.child, "exit");
    await world.restart();
    await gone;
    await lost;
    const received = new Set<number>();
    const again = await world.connect();
    const { messageCount } = await again.queue("q").check();
    expect(messageCount).toBeGreaterThanOrEqual(publisher.confirmed.size);
    await drain(again, received, () => received.size === messageCount);
    expect([...publisher.confirmed].filter((number) => !received.has(number))).toEqual([]);
  });
}, 60_000);
