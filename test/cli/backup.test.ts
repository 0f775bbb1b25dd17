import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { connect, type Posthorn } from "../../client/index.ts";
import { posthornCommand, type SourceBroker, startSourceBroker } from "../support/source-broker.ts";

let directory: string;
let broker: SourceBroker | undefined;
const opened: Posthorn[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "posthorn-backup-"));
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map((posthorn) => posthorn.close()));
  await broker?.kill();
  broker = undefined;
  rmSync(directory, { recursive: true });
});

async function connected(url: string): Promise<Posthorn> {
  const posthorn = await connect(url, { reconnect: false });
  opened.push(posthorn);
  return posthorn;
}

/** `archive` keeps everything, `fast` is consumed at once, `burst` is purged now and then. */
const queueNames = ["archive", "fast", "burst"] as const;
const bodies = Array.from({ length: 50 }, (_, i) => "x".repeat(i === 0 ? 60_000 : i * 20));

/** Publishes and consumes as fast as it goes, and keeps account of it. */
async function startLoad(url: string) {
  const producer = await connected(url);
  const consumer = await connected(url);
  const exchange = await producer.exchange("events").declare({ type: "fanout" });
  for (const name of queueNames) await (await producer.queue(name).declare()).bind(exchange);
  const confirmed = new Set<number>();
  const acked = new Set<number>();
  let purgedBelow = 0;
  let isRunning = true;
  let number = 0;
  const consuming = (async () => {
    for await (const message of consumer.queue("fast").consume({ prefetch: 200 })) {
      message.ack();
      acked.add(Number(message.text().split(" ", 1)[0]));
      if (!isRunning) return;
    }
  })();
  const publishing = (async () => {
    while (isRunning) {
      const batch = [];
      for (let i = 0; i < 400; i++) {
        const own = ++number;
        const published = exchange.publish("", `${own} ${bodies[own % bodies.length]}`);
        batch.push(published.then(() => confirmed.add(own)));
      }
      await Promise.all(batch);
      if (number % 4000 === 0) {
        purgedBelow = number;
        await producer.queue("burst").purge();
      }
    }
  })();
  return {
    confirmed,
    acked,
    purgedBelow: () => purgedBelow,
    async stop() {
      isRunning = false;
      await publishing;
      // The consumer wakes up for one more.
      await exchange.publish("", `${++number} last`);
      await consuming;
    },
  };
}

async function drained(posthorn: Posthorn, name: string): Promise<{ numbers: number[]; fresh: number }> {
  const queue = posthorn.queue(name);
  const { messageCount } = await queue.check();
  const numbers: number[] = [];
  let fresh = 0;
  if (messageCount === 0) return { numbers, fresh };
  for await (const message of queue.consume({ prefetch: 1000 })) {
    numbers.push(Number(message.text().split(" ", 1)[0]));
    if (!message.redelivered) fresh++;
    message.ack();
    if (numbers.length === messageCount) break;
  }
  return { numbers, fresh };
}

function isRising(numbers: readonly number[]): boolean {
  return numbers.every((number, i) => i === 0 || number > numbers[i - 1]!);
}

test("backups of a busy broker hold all that was confirmed before, and do it no harm", async () => {
  const dataDir = join(directory, "data");
  broker = await startSourceBroker(dataDir, "--queue-memory-bytes", "64KiB");
  const load = await startLoad(broker.url);
  await expect.poll(() => load.confirmed.size, { timeout: 20_000 }).toBeGreaterThan(2000);
  const backups = [];
  for (let i = 0; i < 3; i++) {
    const target = join(directory, `backup-${i}`);
    const confirmed = [...load.confirmed];
    const run = await posthornCommand("backup", dataDir, target, ...(i === 0 ? [] : ["--no-verify"]));
    expect(run).toMatchObject({ code: 0, err: "" });
    backups.push({
      target,
      confirmed,
      acked: new Set(load.acked),
      purgedBelow: load.purgedBelow(),
    });
  }
  const messages = load.confirmed.size;
  await load.stop();
  await Promise.all(opened.splice(0).map((posthorn) => posthorn.close()));
  expect(await broker.stop()).toBe(0);
  expect(broker.errors()).toBe("");
  expect(messages).toBeGreaterThan(backups[0]!.confirmed.length);

  const sound = await posthornCommand("check", dataDir, "--json");
  expect(JSON.parse(sound.out)).toMatchObject({ sound: true, clean: true, problems: [] });

  for (const { target, confirmed, acked, purgedBelow } of backups) {
    expect(readdirSync(target).sort()).toEqual(["store.json", "store.mdb"]);
    const checked = JSON.parse((await posthornCommand("check", target, "--json")).out);
    expect(checked).toMatchObject({ sound: true, clean: false, problems: [] });
    broker = await startSourceBroker(target);
    const posthorn = await connected(broker.url);
    const found = new Map<string, Set<number>>();
    for (const name of queueNames) {
      const { numbers, fresh } = await drained(posthorn, name);
      found.set(name, new Set(numbers));
      expect(isRising(numbers), `${name} is in order, each message once`).toBe(true);
      expect(fresh, `${name}: messages that are not marked as redelivered`).toBe(0);
    }
    const lost = (name: string, isExcused: (number: number) => boolean) =>
      confirmed.filter((number) => !found.get(name)!.has(number) && !isExcused(number));
    expect(lost("archive", () => false)).toEqual([]);
    expect(lost("fast", (number) => acked.has(number))).toEqual([]);
    expect(lost("burst", (number) => number <= purgedBelow)).toEqual([]);
    await posthorn.close();
    expect(await broker.stop()).toBe(0);
  }
}, 180_000);

test("a stopped broker's store is copied too, and its messages come marked as redelivered", async () => {
  const dataDir = join(directory, "data");
  const target = join(directory, "some", "where");
  broker = await startSourceBroker(dataDir);
  const queue = await (await connected(broker.url)).queue("orders").declare();
  await queue.publish("one");
  await Promise.all(opened.splice(0).map((posthorn) => posthorn.close()));
  await broker.stop();
  const run = await posthornCommand("backup", dataDir, target);
  expect(run).toMatchObject({ code: 0, err: "" });
  expect(run.out).toMatch(/sound, 1 message\. A snapshot was held for \d+ ms\./);
  broker = await startSourceBroker(target);
  const message = await (await connected(broker.url)).queue("orders").get();
  expect(message).toMatchObject({ redelivered: true });
  message!.ack();
}, 60_000);

test("the target must be free, and the source a store; nothing is left behind", async () => {
  const full = join(directory, "full");
  mkdirSync(full);
  writeFileSync(join(full, "holiday.jpg"), "");
  const noStore = await posthornCommand("backup", full, join(directory, "target"));
  expect(noStore).toMatchObject({ code: 1, out: "" });
  expect(noStore.err).toContain("is not a Posthorn store");

  const dataDir = join(directory, "data");
  broker = await startSourceBroker(dataDir);
  for (const [target, why] of [
    [full, "is not empty"],
    [join(full, "holiday.jpg"), "is not a directory"],
    [join(dataDir, "backup"), "in the store's own directory"],
  ] as const) {
    const run = await posthornCommand("backup", dataDir, target);
    expect(run).toMatchObject({ code: 1, out: "" });
    expect(run.err).toContain(why);
  }
  expect(readdirSync(directory).sort()).toEqual(["data", "full"]);
  expect(existsSync(join(dataDir, "backup"))).toBe(false);
  expect(statSync(join(dataDir, "store.mdb")).size).toBeGreaterThan(0);
}, 60_000);
