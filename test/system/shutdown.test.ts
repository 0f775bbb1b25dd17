import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { type BrokerProcess, startBrokerProcess } from "../support/broker-process.ts";
import { RawClient } from "../support/raw-client.ts";

const started: BrokerProcess[] = [];

afterEach(async () => {
  for (const { child, kill } of started.splice(0))
    if (child.exitCode === null && child.signalCode === null) await kill();
});

async function startBroker(...flags: string[]): Promise<BrokerProcess> {
  const broker = await startBrokerProcess(["--port", "0", ...flags]);
  started.push(broker);
  return broker;
}

async function open(broker: BrokerProcess): Promise<RawClient> {
  const client = await RawClient.connect(broker.url);
  expect(await client.hello()).toMatchObject({ type: "welcome" });
  return client;
}

function exitOf({ child }: BrokerProcess): Promise<number | null> {
  return new Promise((resolve) => child.once("exit", resolve));
}

test.each(["SIGTERM", "SIGINT"] as const)(
  "at %s clients are told to come back, and the broker ends with 0",
  async (signal) => {
    const broker = await startBroker("--memory");
    const clients = [await open(broker), await open(broker), await RawClient.connect(broker.url)];
    await clients[0]!.must("queue.declare", { queue: "q" });
    await clients[0]!.must("queue.consume", {});
    const exit = exitOf(broker);
    broker.child.kill(signal);
    for (const client of clients) {
      expect(await client.next({ type: "goaway" })).toMatchObject({
        code: "shutting-down",
        retryAfterMs: expect.any(Number),
      });
      expect((await client.closed).code).toBe(4000);
    }
    expect(await exit).toBe(0);
    expect(broker.log.at(-1)).toMatchObject({ msg: "stopped" });
  },
);

test("a client that does not answer is cut off at the deadline; meanwhile nobody new is let in", async () => {
  const broker = await startBroker("--memory", "--shutdown-timeout-ms", "1500");
  const [stuck, ordinary] = [await open(broker), await open(broker)];
  stuck.pause();
  const exit = exitOf(broker);
  broker.child.kill("SIGTERM");
  expect((await ordinary.closed).code).toBe(4000);
  await expect(RawClient.connect(broker.url)).rejects.toMatchObject({ status: 503 });
  const health = await fetch(`http://127.0.0.1:${broker.port}/health`);
  expect(health.status).toBe(503);
  expect(await health.json()).toMatchObject({ status: "stopping" });
  expect(await exit).toBe(0);
  stuck.terminate();
});

test.each([
  ["SIGTERM", 143],
  ["SIGINT", 130],
] as const)(
  "a second %s, some time after the first, ends a stop that takes long with %d",
  async (signal, code) => {
    const broker = await startBroker("--memory", "--shutdown-timeout-ms", "1m");
    const stuck = await open(broker);
    stuck.pause();
    const exit = exitOf(broker);
    // As long as they come close together they count as one.
    const pressing = setInterval(() => broker.child.kill(signal), 100);
    expect(await exit).toBe(code);
    clearInterval(pressing);
    expect(broker.log.filter(({ msg }) => String(msg).startsWith("stopping"))).toMatchObject([
      { level: "info", signal },
      { level: "warn", signal },
    ]);
    stuck.terminate();
  },
);

test("a stop in order loses nothing, and what was never handed out is not marked as redelivered", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "posthorn-shutdown-"));
  try {
    const broker = await startBroker("--data-dir", dataDir);
    const client = await open(broker);
    await client.must("queue.declare", { queue: "q" });
    for (let i = 1; i <= 100; i++) client.publish({ routingKey: "q", text: `${i}` });
    await client.fate(100);
    await client.must("queue.consume", { queue: "q", prefetch: 10 });
    await client.deliveries(1, 10);
    client.settle(1, 1, 5, "ack");
    await client.barrier();
    expect(await broker.stop()).toBe(0);

    const again = await startBroker("--data-dir", dataDir);
    const reader = await open(again);
    await reader.must("queue.consume", { queue: "q", prefetch: 0 });
    const frames = await reader.deliveries(1, 95);
    expect(frames.map(({ text }) => Number(text))).toEqual(Array.from({ length: 95 }, (_, i) => i + 6));
    // Those after the first ten were out too: acking five let five more follow.
    expect(frames.map(({ redelivered }) => redelivered === true)).toEqual(
      Array.from({ length: 95 }, (_, i) => i < 10),
    );
    expect(await again.stop()).toBe(0);
  } finally {
    rmSync(dataDir, { recursive: true });
  }
});
