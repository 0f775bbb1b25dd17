import { expect, test } from "vitest";
import { type RawClient, texts, withBroker } from "../support/broker.ts";
import { ManualTime } from "../support/manual-time.ts";

interface World {
  readonly clock: ManualTime;
  readonly client: RawClient;
  readonly raw: () => Promise<RawClient>;
  /** Publishes and settles one message after the other, with these outcomes. */
  readonly settle: (...outcomes: string[]) => Promise<void>;
  readonly circuit: () => Promise<unknown>;
}

/** A broker whose clock stands still; half of four deliveries within ten seconds open the circuit for thirty. */
function withCircuit(use: (world: World) => Promise<void>, more: object = {}): Promise<void> {
  const clock = new ManualTime();
  return withBroker(
    async ({ raw }) => {
      const client = await raw();
      const circuitBreaker = { failureRate: 0.5, minimum: 4, window: 10_000, open: 30_000 };
      await client.must("queue.declare", { queue: "q", arguments: { circuitBreaker, ...more } });
      await client.must("queue.consume", { queue: "q" });
      const settle = async (...outcomes: string[]) => {
        for (const outcome of outcomes) {
          await client.confirmed({ routingKey: "q", text: outcome });
          const [frame] = await client.deliveries(1, 1);
          const number = frame!.delivery as number;
          client.settle(1, number, number, outcome);
          await client.barrier();
        }
      };
      const circuit = async () => (await client.must("queue.status", { queue: "q" })).circuit;
      await use({ clock, client, raw, settle, circuit });
    },
    { clock },
  );
}

test("while too many deliveries fail nothing is delivered; then one is tried, and if that succeeds all goes on", () =>
  withCircuit(async ({ clock, client, settle, circuit }) => {
    await settle("ack", "ack", "reject");
    expect(await circuit()).toBe("closed");
    await settle("reject");
    expect(await circuit()).toBe("open");
    for (const text of ["1", "2", "3"]) await client.confirmed({ routingKey: "q", text });
    clock.advance(29_999);
    expect(await client.must("queue.get", { queue: "q" })).toMatchObject({ delivered: 0, messageCount: 3 });
    expect(client.of("deliver")).toHaveLength(4);
    clock.advance(1);
    expect(texts(await client.deliveries(1, 1))).toEqual(["1"]);
    expect(await circuit()).toBe("half-open");
    expect(await client.must("queue.get", { queue: "q" })).toMatchObject({ delivered: 0, messageCount: 2 });
    client.settle(1, 5, 5, "ack");
    expect(texts(await client.deliveries(1, 2))).toEqual(["2", "3"]);
    expect(await circuit()).toBe("closed");
  }));

test("if the one that is tried fails, the circuit is open for as long again", () =>
  withCircuit(async ({ clock, client, settle, circuit }) => {
    await settle("reject", "reject", "reject", "reject");
    await client.confirmed({ routingKey: "q", text: "1" });
    clock.advance(30_000);
    await client.deliveries(1, 1);
    client.settle(1, 5, 5, "requeue");
    await client.barrier();
    expect(await circuit()).toBe("open");
    clock.advance(29_999);
    await client.barrier();
    expect(client.of("deliver")).toHaveLength(5);
    clock.advance(1);
    expect(await client.deliveries(1, 1)).toMatchObject([{ text: "1", attempts: 1 }]);
    client.settle(1, 6, 6, "ack");
    await client.barrier();
    expect(await circuit()).toBe("closed");
  }));

test("after it has closed, the deliveries are counted from the beginning", () =>
  withCircuit(async ({ clock, settle, circuit }) => {
    await settle("reject", "reject", "reject", "reject");
    clock.advance(30_000);
    // The first is the one that is tried; it does not count.
    await settle("ack", "ack", "ack", "reject");
    expect(await circuit()).toBe("closed");
    await settle("reject");
    expect(await circuit()).toBe("open");
  }));

test("what failed longer ago than the window counts no more", () =>
  withCircuit(async ({ clock, settle, circuit }) => {
    await settle("reject", "reject", "reject");
    clock.advance(10_000);
    await settle("reject", "ack", "ack");
    expect(await circuit()).toBe("closed");
    clock.advance(9000);
    await settle("reject");
    expect(await circuit()).toBe("open");
  }));

test("fewer deliveries than the minimum are not judged, and successes below the rate keep it closed", () =>
  withCircuit(async ({ settle, circuit }) => {
    await settle("reject", "reject", "reject");
    expect(await circuit()).toBe("closed");
    await settle("ack", "ack", "ack", "ack", "ack", "reject", "ack", "ack", "reject");
    expect(await circuit()).toBe("closed");
  }));

test("a message that is released, or whose consumer goes away, counts neither way", () =>
  withCircuit(async ({ clock, client, raw, settle, circuit }) => {
    const other = await raw();
    await settle("release");
    await client.deliveries(1, 1);
    for (let i = 2; i <= 8; i++) {
      client.settle(1, i, i, "release");
      await client.deliveries(1, 1);
    }
    expect(await circuit()).toBe("closed");
    client.settle(1, 9, 9, "ack");
    await client.must("consumer.cancel", { consumer: 1 });
    await other.must("queue.consume", { queue: "q" });
    for (let i = 0; i < 4; i++) await client.confirmed({ routingKey: "q", text: "x" });
    await other.deliveries(1, 4);
    other.terminate();
    await expect.poll(async () => (await client.must("queue.status", { queue: "q" })).ready).toBe(4);
    expect(await circuit()).toBe("closed");
    clock.advance(0);
  }));

test("if the consumer of the one that is tried goes away, another one is tried", () =>
  withCircuit(async ({ clock, client, raw, settle, circuit }) => {
    await settle("reject", "reject", "reject", "reject");
    const other = await raw();
    await other.must("queue.consume", { queue: "q", arguments: { priority: 1 } });
    for (const text of ["1", "2"]) await client.confirmed({ routingKey: "q", text });
    clock.advance(30_000);
    expect(texts(await other.deliveries(1, 1))).toEqual(["1"]);
    other.terminate();
    expect(texts(await client.deliveries(1, 1))).toEqual(["1"]);
    expect(await circuit()).toBe("half-open");
    await client.barrier();
    expect(client.of("deliver")).toHaveLength(5);
  }));

test("messages that were out before count for nothing while the circuit is open", () =>
  withCircuit(async ({ clock, client, settle, circuit }) => {
    for (const text of ["1", "2"]) await client.confirmed({ routingKey: "q", text });
    await client.deliveries(1, 2);
    await settle("reject", "reject", "reject", "reject");
    expect(await circuit()).toBe("open");
    client.settle(1, 1, 1, "ack");
    await client.barrier();
    expect(await circuit()).toBe("open");
    clock.advance(30_000);
    client.settle(1, 2, 2, "reject");
    await client.barrier();
    expect(await circuit()).toBe("half-open");
  }));

test("messages that are not settled in time are failures", () =>
  withCircuit(
    async ({ clock, client, circuit }) => {
      for (const text of ["1", "2", "3", "4"]) await client.confirmed({ routingKey: "q", text });
      await client.deliveries(1, 4);
      clock.advance(1000);
      await client.next({ type: "delivery.expired" });
      expect(await circuit()).toBe("open");
      expect(await client.must("queue.status", { queue: "q" })).toMatchObject({ ready: 4, unsettled: 0 });
    },
    { ackTimeout: 1000 },
  ));

test("the circuit breaks by groups of messages as well", () =>
  withCircuit(
    async ({ clock, client, settle, circuit }) => {
      await settle("reject", "reject", "reject", "reject");
      expect(await circuit()).toBe("open");
      for (const group of ["a", "b"])
        await client.confirmed({ routingKey: "q", text: group, properties: { headers: { group } } });
      clock.advance(30_000);
      expect(texts(await client.deliveries(1, 1))).toEqual(["a"]);
      await client.barrier();
      client.settle(1, 5, 5, "ack");
      expect(texts(await client.deliveries(1, 1))).toEqual(["b"]);
    },
    { messageGroups: {} },
  ));

test("changing it begins anew with a closed circuit, and removing it lets everything through", () =>
  withCircuit(async ({ clock, client, settle, circuit }) => {
    const declare = (args: object) =>
      client.must("queue.declare", { queue: "q", arguments: args, onMismatch: "update" });
    await settle("reject", "reject", "reject", "reject");
    await client.confirmed({ routingKey: "q", text: "1" });
    await declare({ circuitBreaker: { minimum: 1 } });
    expect(texts(await client.deliveries(1, 1))).toEqual(["1"]);
    expect(await circuit()).toBe("closed");
    client.settle(1, 5, 5, "requeue");
    await client.barrier();
    expect(await circuit()).toBe("open");
    await declare({});
    expect(texts(await client.deliveries(1, 1))).toEqual(["1"]);
    expect(await circuit()).toBeUndefined();
    clock.advance(60_000);
    await client.barrier();
  }));

test("the SDK says in which state the circuit is", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    posthorn.on("error", () => {});
    const queue = await posthorn.queue("q").declare({ circuitBreaker: { minimum: 1, open: 10 } });
    expect(await queue.status()).toMatchObject({ circuit: "closed" });
    await queue.publish("1");
    const got: number[] = [];
    await queue.consume(
      ({ attempts }) => {
        got.push(attempts);
        if (attempts < 3) throw new Error("not yet");
      },
      {
        onError: (_error, message) => {
          message.requeue();
          return "leave";
        },
      },
    );
    await expect.poll(() => got).toEqual([0, 1, 2, 3]);
    await expect.poll(async () => (await queue.status()).circuit).toBe("closed");
    expect(await posthorn.queue().declare({ exclusive: true })).toBeDefined();
    expect(await (await posthorn.queue("plain").declare()).status()).toMatchObject({ circuit: undefined });
  }));
