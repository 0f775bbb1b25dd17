import { expect, test } from "vitest";
import { texts, withBroker } from "../support/broker.ts";

test("declaring a queue again as it is says how full it is", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    const declaration = { queue: "q", durable: false, autoDelete: true };
    expect(await client.must("queue.declare", declaration)).toMatchObject({
      queue: "q",
      messageCount: 0,
      consumerCount: 0,
    });
    await client.confirmed({ routingKey: "q" });
    await client.must("queue.consume", { prefetch: 1 });
    await client.next({ type: "deliver" });
    await client.confirmed({ routingKey: "q" });
    expect(await client.must("queue.declare", declaration)).toMatchObject({
      messageCount: 1,
      consumerCount: 1,
    });
  }));

test("declaring a queue differently is refused, and every difference is named", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const queue = await posthorn.queue("q").declare();
    await expect(queue.declare({ exclusive: true, durable: false, autoDelete: true })).rejects.toMatchObject({
      code: "precondition-failed",
      details: {
        differences: [
          { name: "exclusive", declared: true, existing: false },
          { name: "durable", declared: false, existing: true },
          { name: "autoDelete", declared: true, existing: false },
        ],
      },
    });
  }));

test("whether an exclusive queue is declared as durable makes no difference", () =>
  withBroker(async ({ connect }) => {
    const queue = (await connect()).queue("mine");
    await queue.declare({ exclusive: true, durable: true });
    await queue.declare({ exclusive: true, durable: false });
  }));

test("a passive declaration compares nothing; it tells of missing queues and of those of others", () =>
  withBroker(async ({ raw }) => {
    const [owner, other] = [await raw(), await raw()];
    await owner.must("queue.declare", { queue: "shared" });
    await owner.must("queue.declare", { queue: "mine", exclusive: true });
    await other.must("queue.declare", { queue: "shared", passive: true, durable: false, autoDelete: true });
    expect(await other.request("queue.declare", { queue: "missing", passive: true })).toMatchObject({
      code: "not-found",
    });
    expect(await other.request("queue.declare", { queue: "mine", passive: true })).toMatchObject({
      code: "resource-locked",
    });
  }));

test("an exclusive queue is for its session alone, whatever another wants of it", () =>
  withBroker(async ({ raw }) => {
    const [owner, other] = [await raw(), await raw()];
    await owner.must("queue.declare", { queue: "mine", exclusive: true });
    for (const [type, fields] of [
      ["queue.declare", { exclusive: true }],
      ["queue.declare", { autoDelete: true }],
      ["queue.bind", { exchange: "amq.topic" }],
      ["queue.unbind", { exchange: "amq.topic" }],
      ["queue.purge", {}],
      ["queue.delete", {}],
      ["queue.get", {}],
      ["queue.consume", {}],
    ] as const) {
      expect(await other.request(type, { queue: "mine", ...fields })).toMatchObject({
        code: "resource-locked",
        details: { queue: "mine" },
      });
    }
    // Anyone may publish to it: that is what reply queues live by.
    await other.confirmed({ routingKey: "mine", text: "for you", mandatory: true });
    expect(await owner.must("queue.get", { queue: "mine" })).toMatchObject({ delivered: 1 });
  }));

test("exclusive queues are gone when their session has said bye, and their names are free", () =>
  withBroker(async ({ raw }) => {
    const [owner, other] = [await raw(), await raw()];
    for (const queue of ["a", "b", "c"]) await owner.must("queue.declare", { queue, exclusive: true });
    await owner.must("bye");
    for (const queue of ["a", "b", "c"]) await other.must("queue.declare", { queue, exclusive: true });
  }));

test("a server-named queue has a name of its own and can be used by all", () =>
  withBroker(async ({ raw }) => {
    const [one, other] = [await raw(), await raw()];
    const [first, second] = [
      await one.must("queue.declare", {}),
      await one.must("queue.declare", { queue: "" }),
    ];
    expect(first.queue).toMatch(/^amq\.gen-[\w-]{22}$/);
    expect(second.queue).not.toBe(first.queue);
    await other.must("queue.declare", { queue: first.queue });
    await other.confirmed({ routingKey: first.queue, text: "x" });
    expect(await one.must("queue.get", { queue: first.queue })).toMatchObject({ delivered: 1 });
  }));

test("deleting says how many messages were ready; a queue that is not there is no error and had none", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await client.must("queue.declare", { queue: "q" });
    for (let i = 0; i < 3; i++) await client.confirmed({ routingKey: "q" });
    await client.must("queue.get", { queue: "q" });
    expect(await client.must("queue.delete", { queue: "q" })).toMatchObject({ messageCount: 2 });
    expect(await client.must("queue.delete", { queue: "q" })).toMatchObject({ messageCount: 0 });
    expect(await client.request("queue.get", { queue: "q" })).toMatchObject({ code: "not-found" });
  }));

test("a queue with messages or consumers is not deleted if empty or unused is asked for, empty first", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await client.must("queue.declare", { queue: "q" });
    const remove = (conditions: { readonly [condition: string]: boolean }) =>
      client.request("queue.delete", { queue: "q", ...conditions });
    const { consumer } = await client.must("queue.consume", { prefetch: 1 });
    for (let i = 0; i < 3; i++) await client.confirmed({ routingKey: "q" });
    const refused = { code: "precondition-failed" };
    expect(await remove({ ifEmpty: true })).toMatchObject({ ...refused, details: { messages: 2 } });
    expect(await remove({ ifUnused: true })).toMatchObject({ ...refused, details: { consumers: 1 } });
    expect(await remove({ ifEmpty: true, ifUnused: true })).toMatchObject({ details: { messages: 2 } });
    await client.must("queue.purge", {});
    expect(await remove({ ifEmpty: true, ifUnused: true })).toMatchObject({ details: { consumers: 1 } });
    await client.must("consumer.cancel", { consumer });
    // One message is still unsettled; it does not count.
    expect(await remove({ ifEmpty: true, ifUnused: true })).toMatchObject({ type: "ok", messageCount: 0 });
  }));

test("purging deletes what is ready and says how many; what consumers hold stays theirs", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await client.must("queue.declare", { queue: "q" });
    for (let i = 1; i <= 5; i++) client.publish({ routingKey: "q", text: `${i}` });
    await client.fate(5);
    await client.must("queue.get", { queue: "q" });
    expect(await client.must("queue.purge", { queue: "q" })).toMatchObject({ messageCount: 4 });
    client.settle(0, 1, 1, "requeue");
    await client.must("queue.get", { queue: "q" });
    expect(texts(client.of("deliver"))).toEqual(["1", "1"]);
    expect(await client.request("queue.purge", { queue: "missing" })).toMatchObject({ code: "not-found" });
  }));

test("an auto-delete queue goes with its last consumer, cancelled or disconnected, and not before it had one", () =>
  withBroker(async ({ raw }) => {
    const [watcher, first, second] = [await raw(), await raw(), await raw()];
    await watcher.must("queue.declare", { queue: "feed", autoDelete: true });
    await watcher.confirmed({ routingKey: "feed" });
    await watcher.must("queue.get", { queue: "feed", noAck: true });
    await first.must("queue.consume", { queue: "feed" });
    await second.must("queue.consume", { queue: "feed" });
    await first.must("bye");
    await watcher.must("queue.declare", { queue: "feed", passive: true });
    await second.must("consumer.cancel", { consumer: 1 });
    expect(await watcher.request("queue.declare", { queue: "feed", passive: true })).toMatchObject({
      code: "not-found",
    });
  }));

test("what is durable survives a restart, and nothing else", () =>
  withBroker(
    async (broker) => {
      const client = await broker.raw();
      await client.must("exchange.declare", { exchange: "durable", exchangeType: "topic" });
      await client.must("exchange.declare", { exchange: "transient", exchangeType: "topic", durable: false });
      for (const [queue, durable] of [
        ["durable", true],
        ["transient", false],
      ] as const) {
        await client.must("queue.declare", { queue, durable });
        await client.must("queue.bind", { queue, exchange: "durable", routingKey: "#" });
      }
      await client.must("queue.bind", { queue: "durable", exchange: "transient", routingKey: "#" });
      client.publish({ exchange: "durable", routingKey: "a", text: "persistent" });
      client.publish({
        exchange: "durable",
        routingKey: "a",
        text: "not",
        properties: { persistent: false },
      });
      client.publish({ routingKey: "durable", text: "unsettled" });
      await client.fate(3);
      await broker.restart();

      const after = await broker.raw();
      expect(await after.must("queue.declare", { queue: "durable" })).toMatchObject({ messageCount: 2 });
      expect(await after.request("queue.declare", { queue: "transient", passive: true })).toMatchObject({
        code: "not-found",
      });
      await after.must("exchange.declare", { exchange: "durable", exchangeType: "topic" });
      expect(await after.request("exchange.declare", { exchange: "transient", passive: true })).toMatchObject(
        { code: "not-found" },
      );
      await after.confirmed({ exchange: "durable", routingKey: "a", text: "new" });
      for (let i = 0; i < 3; i++) await after.must("queue.get", { queue: "durable" });
      expect(texts(after.of("deliver"))).toEqual(["persistent", "unsettled", "new"]);
    },
    { onDisk: true },
  ));

test("there are no more queues, exchanges and bindings than the broker allows, and the limit is named", () =>
  withBroker(
    async ({ raw }) => {
      const client = await raw();
      await client.must("queue.declare", { queue: "q" });
      expect(await client.request("queue.declare", { queue: "r" })).toMatchObject({
        code: "limit-exceeded",
        details: { limit: "maxQueues", maximum: 1 },
      });
      await client.must("queue.declare", { queue: "q" });
      await client.must("queue.bind", { exchange: "amq.topic", routingKey: "a" });
      await client.must("queue.bind", { exchange: "amq.topic", routingKey: "b" });
      expect(await client.request("queue.bind", { exchange: "amq.topic", routingKey: "c" })).toMatchObject({
        code: "limit-exceeded",
        details: { limit: "maxBindingsPerQueue", maximum: 2 },
      });
      await client.must("queue.bind", { exchange: "amq.topic", routingKey: "a" });
      await client.must("exchange.declare", { exchange: "mine", exchangeType: "topic" });
      expect(
        await client.request("exchange.declare", { exchange: "more", exchangeType: "topic" }),
      ).toMatchObject({
        code: "limit-exceeded",
        details: { limit: "maxExchanges" },
      });
    },
    { config: { maxQueues: 1, maxBindingsPerQueue: 2, maxExchanges: 1 } },
  ));
