import { expect, test } from "vitest";
import { withBroker } from "../support/broker.ts";

test("getting takes the first message, says how many are left, and nothing once none is ready", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await client.must("queue.declare", { queue: "q" });
    for (const text of ["a", "b"]) await client.confirmed({ routingKey: "q", text });
    const before = client.received.length;
    expect(await client.must("queue.get", {})).toMatchObject({ delivered: 1, messageCount: 1 });
    expect(await client.must("queue.get", {})).toMatchObject({ delivered: 1, messageCount: 0 });
    expect(await client.must("queue.get", {})).toMatchObject({ delivered: 0, messageCount: 0 });
    // The message comes before the answer.
    expect(client.received.slice(before).map(({ type, text, delivery }) => [type, text, delivery])).toEqual([
      ["deliver", "a", 1],
      ["ok", undefined, undefined],
      ["deliver", "b", 2],
      ["ok", undefined, undefined],
      ["ok", undefined, undefined],
    ]);
  }));

test("a message that was got is settled under consumer 0, and goes back if it is not", () =>
  withBroker(async ({ raw }) => {
    const [client, other] = [await raw(), await raw()];
    await client.must("queue.declare", { queue: "q" });
    for (const text of ["a", "b", "c"]) await client.confirmed({ routingKey: "q", text });
    for (let i = 0; i < 3; i++) await client.must("queue.get", {});
    client.settle(0, 2, 2, "ack");
    client.settle(0, 3, 3, "requeue");
    await client.must("queue.get", {});
    expect(client.of("deliver").at(-1)).toMatchObject({
      consumer: 0,
      delivery: 4,
      text: "c",
      redelivered: true,
      attempts: 1,
    });
    await client.must("bye");
    expect(await other.must("queue.get", { queue: "q" })).toMatchObject({ delivered: 1, messageCount: 1 });
    expect(other.of("deliver")[0]).toMatchObject({ text: "a", redelivered: true });
  }));

test("without ack the message is gone at once and cannot be settled", () =>
  withBroker(async ({ connect, raw }) => {
    const posthorn = await connect();
    const queue = await posthorn.queue("q").declare();
    await queue.publish("gone");
    const message = await queue.get({ noAck: true });
    expect(message?.text()).toBe("gone");
    expect(message?.settled).toBe(true);
    await posthorn.close();
    const client = await raw();
    expect(await client.must("queue.declare", { queue: "q" })).toMatchObject({ messageCount: 0 });
    await client.confirmed({ routingKey: "q" });
    await client.must("queue.get", { noAck: true });
    expect(client.of("deliver")[0]).not.toHaveProperty("delivery");
    client.settle(0, 1, 1, "ack");
    expect(await client.next({ type: "error" })).toMatchObject({ code: "unknown-delivery" });
  }));

test("who gets is no consumer", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await client.must("queue.declare", { queue: "q", autoDelete: true });
    await client.confirmed({ routingKey: "q" });
    await client.must("queue.get", { noAck: true });
    expect(await client.must("queue.declare", { queue: "q", autoDelete: true })).toMatchObject({
      consumerCount: 0,
    });
    await client.must("queue.delete", { ifUnused: true });
  }));

test("a message that is fetched while the client leaves returns to its queue", () =>
  withBroker(async ({ raw }) => {
    const watcher = await raw();
    await watcher.must("queue.declare", { queue: "q" });
    await watcher.confirmed({ routingKey: "q" });
    for (let round = 0; round < 5; round++) {
      const client = await raw();
      client.ask("queue.get", { queue: "q" });
      client.ask("bye");
      await client.closed;
      expect(await watcher.must("queue.declare", { queue: "q" })).toMatchObject({ messageCount: 1 });
    }
  }));

test("many gets sent without waiting are answered in order", () =>
  withBroker(async ({ raw }) => {
    for (const encoding of ["json", "binary"]) {
      const [publisher, client] = [await raw(), await raw({ encoding })];
      await publisher.must("queue.declare", { queue: "q" });
      for (let i = 1; i <= 500; i++) publisher.publish({ routingKey: "q", text: `${i}` });
      await publisher.fate(500);
      const asked = Array.from({ length: 501 }, () => client.ask("queue.get", { queue: "q", noAck: true }));
      const answers = [];
      for (const id of asked) answers.push(await client.answer(id));
      expect(answers.map(({ messageCount }) => messageCount)).toEqual([
        ...Array.from({ length: 500 }, (_, i) => 499 - i),
        0,
      ]);
      expect(client.of("deliver").map(({ text }) => text)).toEqual(
        Array.from({ length: 500 }, (_, i) => `${i + 1}`),
      );
    }
  }));

test("a session cannot take messages without end and settle none", () =>
  withBroker(
    async ({ raw }) => {
      const client = await raw();
      await client.must("queue.declare", { queue: "q" });
      for (let i = 1; i <= 4; i++) client.publish({ routingKey: "q", text: `${i}` });
      await client.fate(4);
      for (let i = 0; i < 3; i++) await client.must("queue.get", { queue: "q" });
      const refusal = await client.answer(client.ask("queue.get", { queue: "q" }));
      expect(refusal).toMatchObject({
        code: "limit-exceeded",
        details: { limit: "maxPrefetch", maximum: 3 },
      });
      client.send({ type: "settle", consumer: 0, first: 1, last: 1, outcome: "ack" });
      expect(await client.must("queue.get", { queue: "q" })).toMatchObject({ delivered: 1 });
    },
    { config: { maxPrefetch: 3, defaultPrefetch: 3 } },
  ));
