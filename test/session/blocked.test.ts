import { expect, test } from "vitest";
import { MemoryStore } from "../../server/embedded/store/memory-store.ts";
import { type SessionWorld, settled, startSessions, type TestSession } from "../support/sessions.ts";

interface BlockableWorld extends SessionWorld {
  /** How much room there is from now on, as of the next look. */
  room(state: { diskBytes?: number; memoryBytes?: number }): Promise<void>;
}

/** Sessions at a broker that wants 1000 bytes left on its disk, and to use no more than 1000 bytes of memory. */
async function blockable(): Promise<BlockableWorld> {
  const store = new MemoryStore();
  const due: (() => void)[] = [];
  let usedBytes = 0;
  const world = await startSessions({
    engineOptions: {
      store,
      delay: (_delayMs, callback) => due.push(callback),
      overload: {
        minFreeDiskBytes: 1000,
        maxMemoryBytes: 1000,
        usedMemoryBytes: () => usedBytes,
        collectGarbage: () => {},
      },
    },
  });
  return {
    ...world,
    async room({ diskBytes = Number.POSITIVE_INFINITY, memoryBytes = 0 }) {
      store.roomBytes = diskBytes;
      usedBytes = memoryBytes;
      for (const callback of due.splice(0)) callback();
      await settled();
    },
  };
}

async function withQueue(world: SessionWorld): Promise<TestSession> {
  const client = await world.open();
  client.send({ type: "queue.declare", id: 2, queue: "q" });
  await settled();
  return client;
}

async function publish(client: TestSession, number: number, persistent = true): Promise<void> {
  const properties = { persistent };
  client.send({ type: "publish", number, exchange: "", routingKey: "q", properties, text: `${number}` });
  await settled();
}

/** What the broker has said about publishes, in order. */
function news(client: TestSession): string[] {
  return client.socket.frames.flatMap(({ type, code, first }) => {
    if (type === "blocked") return [`blocked ${code}`];
    if (type === "unblocked") return ["unblocked"];
    return type === "confirm" ? [`${code ?? "confirmed"} ${first}`] : [];
  });
}

test("a session that has published is told when publishing is blocked, and when it is not any more", async () => {
  const world = await blockable();
  const client = await withQueue(world);
  await publish(client, 1);
  await world.room({ diskBytes: 10 });
  await publish(client, 2);
  await world.room({});
  await publish(client, 3);
  expect(news(client)).toEqual([
    "confirmed 1",
    "blocked disk-full",
    "disk-full 2",
    "unblocked",
    "confirmed 3",
  ]);
  expect(client.socket.of("blocked")[0]?.message).toMatch(/disk has only 0\.0 MiB left/);
});

test("a session that has published nothing is told with its first refusal, before it and once", async () => {
  const world = await blockable();
  const client = await withQueue(world);
  await world.room({ diskBytes: 10 });
  expect(news(client)).toEqual([]);
  await publish(client, 1);
  await publish(client, 2);
  expect(news(client)).toEqual(["blocked disk-full", "disk-full 1", "disk-full 2"]);
});

test("a session that only consumes hears nothing of it, and goes on", async () => {
  const world = await blockable();
  const publisher = await withQueue(world);
  await publish(publisher, 1);
  const consumer = await world.open();
  await world.room({ diskBytes: 10 });
  consumer.send({ type: "queue.consume", id: 2, queue: "q" });
  await settled();
  consumer.send({ type: "settle", consumer: 1, first: 1, last: 1, outcome: "ack" });
  await settled();
  await world.room({});
  expect(consumer.socket.of("deliver").map(({ text }) => text)).toEqual(["1"]);
  expect(consumer.socket.of("error")).toEqual([]);
  expect(news(consumer)).toEqual([]);
  publisher.send({ type: "queue.delete", id: 3, queue: "q" });
  await settled();
  expect(publisher.socket.of("ok").at(-1)?.messageCount).toBe(0);
});

test("a full disk does not concern a session whose messages need no disk", async () => {
  const world = await blockable();
  const client = await withQueue(world);
  await publish(client, 1, false);
  await world.room({ diskBytes: 10 });
  await publish(client, 2, false);
  expect(news(client)).toEqual(["confirmed 1", "confirmed 2"]);
  await world.room({ diskBytes: 10, memoryBytes: 2000 });
  await publish(client, 3, false);
  await world.room({ diskBytes: 10 });
  await publish(client, 4, false);
  expect(news(client).slice(2)).toEqual(["blocked memory-high", "memory-high 3", "unblocked", "confirmed 4"]);
});

test("a session that is blocked is told when the reason changes", async () => {
  const world = await blockable();
  const client = await withQueue(world);
  await publish(client, 1);
  await world.room({ diskBytes: 10 });
  await world.room({ diskBytes: 10, memoryBytes: 2000 });
  await world.room({ diskBytes: 10 });
  await world.room({});
  expect(news(client).slice(1)).toEqual([
    "blocked disk-full",
    "blocked memory-high",
    "blocked disk-full",
    "unblocked",
  ]);
});

test("a publish without confirm that is refused is told, too", async () => {
  const world = await blockable();
  const client = await withQueue(world);
  await world.room({ diskBytes: 10 });
  client.send({ type: "publish", number: 1, confirm: false, exchange: "", routingKey: "q", text: "1" });
  await settled();
  expect(news(client)).toEqual(["blocked disk-full", "disk-full 1"]);
});
