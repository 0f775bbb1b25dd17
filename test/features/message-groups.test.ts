import { expect, test } from "vitest";
import type { ReceivedMessage } from "../../client/index.ts";
import { type Frame, type RawClient, texts, withBroker } from "../support/broker.ts";
import { ManualTime } from "../support/manual-time.ts";

async function declare(client: RawClient, messageGroups: object = {}): Promise<void> {
  await client.must("queue.declare", { queue: "q", arguments: { messageGroups } });
}

/** Publishes `a1`, `b7`, …: of the group that the letter names, or `-`: of none. */
async function publish(client: RawClient, ...all: string[]): Promise<void> {
  let last = 0;
  for (const text of all) {
    const properties = text[0] === "-" ? {} : { headers: { group: text[0] } };
    last = client.publish({ routingKey: "q", text, properties });
  }
  await client.fate(last);
}

function consume(client: RawClient, fields: object = {}): Promise<Frame> {
  return client.must("queue.consume", { queue: "q", ...fields });
}

function all(client: RawClient): unknown[] {
  return texts(client.of("deliver"));
}

test("messages with the same key come one after the other, those with other keys meanwhile", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await declare(client);
    expect(await consume(client)).toMatchObject({ messageGroups: { by: "header", name: "group" } });
    await publish(client, "a1", "a2", "b1", "-1", "a3", "-2", "b2");
    await client.barrier();
    expect(all(client)).toEqual(["a1", "b1", "-1", "-2"]);
    client.settle(1, 1, 1, "ack");
    await client.barrier();
    expect(all(client).slice(4)).toEqual(["a2"]);
    client.settle(1, 2, 5, "ack");
    await client.barrier();
    expect(all(client).slice(5)).toEqual(["b2", "a3"]);
    expect(await client.must("queue.status", { queue: "q" })).toMatchObject({ groups: 2, unsettled: 2 });
    client.settle(1, 6, 7, "ack");
    await client.barrier();
    expect(await client.must("queue.status", { queue: "q" })).toMatchObject({ groups: 0, unsettled: 0 });
  }));

test("a group goes to one consumer at a time, and to any when nothing of it is unsettled", () =>
  withBroker(async ({ raw }) => {
    const [one, other] = [await raw(), await raw()];
    await declare(one, { maxUnsettled: 10 });
    await consume(one, { prefetch: 2 });
    await publish(one, "a1", "a2", "a3", "a4");
    await consume(other);
    await Promise.all([one.barrier(), other.barrier()]);
    expect([all(one), all(other)]).toEqual([["a1", "a2"], []]);
    one.settle(1, 1, 1, "ack");
    await Promise.all([one.barrier(), other.barrier()]);
    expect([all(one), all(other)]).toEqual([["a1", "a2", "a3"], []]);
    await one.must("consumer.cancel", { consumer: 1 });
    await other.barrier();
    expect(all(other)).toEqual([]);
    one.settle(1, 2, 3, "ack");
    expect(texts(await other.deliveries(1, 1))).toEqual(["a4"]);
  }));

test("the groups of a lost client go to another, each in its order", () =>
  withBroker(async ({ raw }) => {
    const [lost, other] = [await raw(), await raw()];
    await declare(lost, { maxUnsettled: 5 });
    await consume(lost);
    await publish(lost, "a1", "b1", "a2", "b2");
    await lost.deliveries(1, 4);
    await consume(other);
    lost.terminate();
    const frames = [...(await other.deliveries(1, 2))];
    other.settle(1, 1, 2, "ack");
    frames.push(...(await other.deliveries(1, 2)));
    expect(texts(frames)).toEqual(["a1", "b1", "a2", "b2"]);
  }));

test("a message that is requeued comes before anything else of its group", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await declare(client);
    await consume(client);
    await publish(client, "a1", "a2", "b1");
    await client.deliveries(1, 2);
    for (let delivery = 1, attempts = 1; attempts <= 3; attempts++) {
      client.settle(1, delivery, delivery, "requeue");
      const [again] = await client.deliveries(1, 1);
      expect(again).toMatchObject({ text: "a1", attempts, redelivered: true });
      delivery = again!.delivery as number;
    }
    client.settle(1, 5, 5, "ack");
    expect(texts(await client.deliveries(1, 1))).toEqual(["a2"]);
  }));

test("with several of a group out, a requeued one waits for the others and then goes alone", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await declare(client, { maxUnsettled: 3 });
    await consume(client);
    await publish(client, "a1", "a2", "a3", "a4", "a5");
    await client.deliveries(1, 3);
    client.settle(1, 1, 1, "requeue");
    await client.barrier();
    expect(all(client)).toHaveLength(3);
    client.settle(1, 2, 3, "ack");
    expect(texts(await client.deliveries(1, 1))).toEqual(["a1"]);
    await client.barrier();
    expect(all(client)).toHaveLength(4);
    client.settle(1, 4, 4, "ack");
    expect(texts(await client.deliveries(1, 2))).toEqual(["a4", "a5"]);
  }));

test("a rejected message makes way for the next of its group", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await declare(client);
    await consume(client);
    await publish(client, "a1", "a2");
    await client.deliveries(1, 1);
    client.settle(1, 1, 1, "reject");
    expect(texts(await client.deliveries(1, 1))).toEqual(["a2"]);
  }));

test("what is not settled in time comes back before the rest of its group", () => {
  const clock = new ManualTime();
  return withBroker(
    async ({ raw }) => {
      const [hanging, other] = [await raw(), await raw()];
      const args = { messageGroups: {}, ackTimeout: 1000 };
      await hanging.must("queue.declare", { queue: "q", arguments: args });
      await consume(hanging);
      await publish(hanging, "a1", "a2");
      await hanging.deliveries(1, 1);
      await consume(other, { arguments: { priority: 1 } });
      clock.advance(1000);
      expect(texts(await other.deliveries(1, 1))).toEqual(["a1"]);
      other.settle(1, 1, 1, "ack");
      expect(texts(await other.deliveries(1, 1))).toEqual(["a2"]);
    },
    { clock },
  );
});

test("a long backlog of one group hides those behind it only beyond the look-ahead", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await declare(client, { lookAhead: 10 });
    await publish(client, ...Array.from({ length: 20 }, (_, i) => `a${i + 1}`), "b1");
    await consume(client);
    await client.barrier();
    expect(all(client)).toEqual(["a1"]);
    for (let delivery = 1; delivery <= 10; delivery++) {
      client.settle(1, delivery, delivery, "ack");
      await client.barrier();
    }
    expect(all(client)).toContain("b1");
    expect(await client.must("queue.status", { queue: "q" })).toMatchObject({ ready: 9, unsettled: 2 });
  }));

test("a backlog on disk goes out by groups, in order, also after a restart", () =>
  withBroker(
    async ({ raw, restart }) => {
      const publisher = await raw();
      await declare(publisher, { lookAhead: 50 });
      const published = Array.from({ length: 400 }, (_, i) => `${"abcdefgh"[(i * 7) % 8]}${i}`);
      await publish(publisher, ...published);
      await restart();
      const client = await raw();
      await consume(client, { prefetch: 20 });
      const got: string[] = [];
      while (got.length < published.length) {
        const frame = await client.next({ type: "deliver" });
        got.push(frame.text as string);
        client.settle(1, frame.delivery as number, frame.delivery as number, "ack");
      }
      for (const letter of "abcdefgh") {
        const ofGroup = (each: string[]) => each.filter((text) => text[0] === letter);
        expect(ofGroup(got)).toEqual(ofGroup(published));
      }
      await client.barrier();
      expect(await client.must("queue.status", { queue: "q" })).toMatchObject({ ready: 0, unsettled: 0 });
    },
    { onDisk: true, config: { queueMemoryBytes: 4096 } },
  ));

test("messages taken one by one respect the groups, too", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await declare(client);
    await publish(client, "a1", "a2", "b1");
    for (const delivered of [1, 1, 0])
      expect(await client.must("queue.get", { queue: "q" })).toMatchObject({ delivered });
    client.settle(0, 1, 1, "ack");
    expect(await client.must("queue.get", { queue: "q", noAck: true })).toMatchObject({
      delivered: 1,
      messageCount: 0,
    });
    expect(all(client)).toEqual(["a1", "b1", "a2"]);
  }));

test("without acks messages come in order, whatever their groups", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await declare(client);
    await consume(client, { noAck: true });
    const published = Array.from({ length: 50 }, (_, i) => `${"ab"[i % 2]}${i}`);
    await publish(client, ...published);
    const got = texts(await client.deliveries(1, 50)) as string[];
    for (const letter of "ab")
      expect(got.filter((text) => text[0] === letter)).toEqual(
        published.filter((text) => text[0] === letter),
      );
  }));

test("the key may be another header, a property or the routing key", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await client.must("exchange.declare", { exchange: "e", exchangeType: "fanout" });
    const queues = {
      header: { by: "header", name: "customer" },
      property: { by: "property", name: "correlationId" },
      routingKey: { by: "routingKey" },
    };
    for (const [queue, messageGroups] of Object.entries(queues)) {
      await client.must("queue.declare", { queue, arguments: { messageGroups } });
      await client.must("queue.bind", { queue, exchange: "e" });
    }
    const send = (text: string, customer: unknown, correlationId: string, routingKey: string) => {
      const properties = { correlationId, headers: { customer } };
      return client.confirmed({ exchange: "e", routingKey, text, properties });
    };
    await send("1", 7, "x", "k1");
    await send("2", "7", "y", "k2");
    await send("3", true, "x", "k3");
    await send("4", null, "y", "k1");
    await send("5", null, "z", "k1");
    const first: { [queue: string]: unknown[] } = {};
    for (const [index, queue] of Object.keys(queues).entries()) {
      await client.must("queue.consume", { queue });
      await client.barrier();
      first[queue] = texts(client.of("deliver").filter(({ consumer }) => consumer === index + 1));
    }
    expect(first).toEqual({
      header: ["1", "3", "4", "5"],
      property: ["1", "2", "5"],
      routingKey: ["1", "2", "3"],
    });
  }));

test("a single active consumer gets the groups side by side", () =>
  withBroker(async ({ raw }) => {
    const [active, standby] = [await raw(), await raw()];
    const args = { messageGroups: {}, singleActiveConsumer: true };
    await active.must("queue.declare", { queue: "q", arguments: args });
    await consume(active);
    await consume(standby);
    await publish(active, "a1", "a2", "b1");
    await Promise.all([active.barrier(), standby.barrier()]);
    expect([all(active), all(standby)]).toEqual([["a1", "b1"], []]);
  }));

test("purging and deleting take what waits in groups, too", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await declare(client);
    await publish(client, "a1", "a2", "a3", "b1", "b2");
    await consume(client, { prefetch: 1 });
    await client.deliveries(1, 1);
    expect(await client.must("queue.purge", { queue: "q" })).toMatchObject({ messageCount: 4 });
    client.settle(1, 1, 1, "ack");
    await publish(client, "a4");
    expect(texts(await client.deliveries(1, 1))).toEqual(["a4"]);
    await publish(client, "a5");
    expect(await client.must("queue.delete", { queue: "q" })).toMatchObject({ messageCount: 1 });
    client.settle(1, 2, 2, "ack");
    await client.barrier();
    expect(client.of("error")).toEqual([]);
  }));

test("what a group cannot go by is refused, and the argument is named", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    for (const [messageGroups, argument] of [
      [{ by: "body" }, "messageGroups.by"],
      [{ by: "property" }, "messageGroups"],
      [{ by: "property", name: "priority" }, "messageGroups"],
      [{ by: "routingKey", name: "x" }, "messageGroups"],
      [{ maxUnsettled: 0 }, "messageGroups.maxUnsettled"],
      [{ lookAhead: 1_000_001 }, "messageGroups.lookAhead"],
      [{ size: 1 }, "messageGroups"],
      ["group", "messageGroups"],
    ] as const) {
      const declaring = client.request("queue.declare", { queue: "q", arguments: { messageGroups } });
      expect(await declaring).toMatchObject({ code: "invalid-argument", details: { argument } });
    }
  }));

test("the SDK handles the groups side by side and each in order, also with several of a group at a time", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const queue = await posthorn
      .queue("q")
      .declare({ messageGroups: { by: "header", name: "k", maxUnsettled: 8 } });
    const keys = ["a", "b", "c"];
    const published = Array.from({ length: 60 }, (_, i) => ({ key: keys[i % 3]!, text: `${i}` }));
    for (const { key, text } of published) await queue.publish(text, { headers: { k: key } });
    const got: { key: string; text: string }[] = [];
    const running = new Set<string>();
    let most = 0;
    let failed = false;
    posthorn.on("error", () => {});
    await queue.consume(async (message: ReceivedMessage) => {
      const key = message.headers.k as string;
      expect(running.has(key)).toBe(false);
      running.add(key);
      most = Math.max(most, running.size);
      await new Promise(setImmediate);
      running.delete(key);
      if (message.text() === "9" && !failed) {
        failed = true;
        throw new Error("once");
      }
      got.push({ key, text: message.text() });
    });
    await expect.poll(() => got.length, { timeout: 5000 }).toBe(60);
    expect(most).toBe(3);
    for (const key of keys) {
      const ofGroup = (all: typeof got) => all.filter((each) => each.key === key);
      expect(ofGroup(got)).toEqual(ofGroup(published));
    }
  }));
