import { expect, test } from "vitest";
import { type RawClient, texts, withBroker } from "../support/broker.ts";

async function publishNumbers(client: RawClient, from: number, to: number): Promise<void> {
  let last = 0;
  for (let i = from; i <= to; i++) last = client.publish({ routingKey: "q", text: `${i}` });
  await client.fate(last);
}

test("from a paused queue nothing is delivered and nothing can be taken; publishing goes on", () =>
  withBroker(async ({ raw }) => {
    const [owner, consumer] = [await raw(), await raw()];
    await owner.must("queue.declare", { queue: "q" });
    await consumer.must("queue.consume", { queue: "q", prefetch: 2 });
    await publishNumbers(owner, 1, 3);
    await consumer.deliveries(1, 2);
    await owner.must("queue.pause", { queue: "q" });
    consumer.settle(1, 1, 1, "ack");
    consumer.settle(1, 2, 2, "requeue");
    await consumer.barrier();
    expect(consumer.of("deliver")).toHaveLength(2);
    await publishNumbers(owner, 4, 4);
    expect(await owner.must("queue.get", { queue: "q" })).toMatchObject({ delivered: 0, messageCount: 3 });
    expect(await owner.must("queue.consume", { queue: "q" })).toMatchObject({ type: "ok" });
    await owner.barrier();
    expect(owner.of("deliver")).toEqual([]);
    expect(await owner.must("queue.status", { queue: "q" })).toMatchObject({
      queue: "q",
      ready: 3,
      unsettled: 0,
      consumers: 2,
      paused: true,
    });
  }));

test("when it is resumed everything is delivered, in order, to those who wait", () =>
  withBroker(async ({ raw }) => {
    const [owner, consumer] = [await raw(), await raw()];
    await owner.must("queue.declare", { queue: "q" });
    await owner.must("queue.pause", { queue: "q" });
    await consumer.must("queue.consume", { queue: "q" });
    await publishNumbers(owner, 1, 5);
    await consumer.barrier();
    expect(consumer.of("deliver")).toEqual([]);
    await owner.must("queue.resume", { queue: "q" });
    expect(texts(await consumer.deliveries(1, 5))).toEqual(["1", "2", "3", "4", "5"]);
    expect(await owner.must("queue.status", { queue: "q" })).toMatchObject({
      ready: 0,
      unsettled: 5,
      paused: false,
    });
  }));

test("no delivery follows the answer to pause", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await client.must("queue.declare", { queue: "q" });
    await client.must("queue.consume", { queue: "q", noAck: true });
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 50; i++) client.publish({ routingKey: "q", text: "x" });
      await client.must("queue.pause", { queue: "q" });
      const delivered = client.of("deliver").length;
      await client.barrier();
      expect(client.of("deliver")).toHaveLength(delivered);
      await client.must("queue.resume", { queue: "q" });
    }
    await client.deliveries(1, 250);
  }));

test("pausing twice, and resuming what is not paused, is no error", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await client.must("queue.declare", { queue: "q" });
    await client.must("queue.resume", { queue: "q" });
    await client.must("queue.pause", {});
    await client.must("queue.pause", {});
    await client.must("queue.resume", {});
    expect(await client.must("queue.status", {})).toMatchObject({ paused: false });
  }));

test("a durable queue is still paused after a restart, until it is resumed", () =>
  withBroker(
    async ({ raw, restart }) => {
      let client = await raw();
      await client.must("queue.declare", { queue: "q" });
      await publishNumbers(client, 1, 2);
      await client.must("queue.pause", { queue: "q" });
      await restart();
      client = await raw();
      expect(await client.must("queue.status", { queue: "q" })).toMatchObject({ ready: 2, paused: true });
      await client.must("queue.consume", { queue: "q" });
      await client.must("queue.resume", { queue: "q" });
      expect(texts(await client.deliveries(1, 2))).toEqual(["1", "2"]);
      await restart();
      client = await raw();
      expect(await client.must("queue.status", { queue: "q" })).toMatchObject({ ready: 2, paused: false });
    },
    { onDisk: true },
  ));

test("a queue that is not there, or is exclusive to someone else, cannot be paused, resumed or looked at", () =>
  withBroker(async ({ raw }) => {
    const [owner, other] = [await raw(), await raw()];
    await owner.must("queue.declare", { queue: "mine", exclusive: true });
    for (const type of ["queue.pause", "queue.resume", "queue.status"]) {
      expect(await other.request(type, { queue: "missing" })).toMatchObject({ code: "not-found" });
      expect(await other.request(type, { queue: "mine" })).toMatchObject({ code: "resource-locked" });
      await owner.must(type, { queue: "mine" });
    }
  }));

test("a paused queue can be purged and deleted", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await client.must("queue.declare", { queue: "q" });
    await publishNumbers(client, 1, 3);
    await client.must("queue.pause", { queue: "q" });
    expect(await client.must("queue.purge", { queue: "q" })).toMatchObject({ messageCount: 3 });
    await client.must("queue.delete", { queue: "q" });
    await client.must("queue.declare", { queue: "q" });
    expect(await client.must("queue.status", { queue: "q" })).toMatchObject({ paused: false });
  }));

test("the SDK pauses and resumes, and says how a queue is doing", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const queue = await posthorn.queue("q").declare({ singleActiveConsumer: true });
    await queue.pause();
    await queue.publish("1");
    const got: string[] = [];
    const consumer = await queue.consume((message) => void got.push(message.text()), {
      consumerTag: "worker",
    });
    expect(await queue.status()).toMatchObject({
      name: "q",
      ready: 1,
      unsettled: 0,
      consumers: 1,
      activeConsumer: "worker",
      paused: true,
    });
    await queue.resume();
    await expect.poll(() => got).toEqual(["1"]);
    await consumer.cancel();
    expect(await queue.status()).toMatchObject({ ready: 0, activeConsumer: undefined, paused: false });
  }));
