import { expect, test } from "vitest";
import { type RawClient, texts, withBroker } from "../support/broker.ts";

const single = { singleActiveConsumer: true };

/** What a declaration that has to be the same says about the queue or exchange that is there. */
async function differences(client: RawClient, type: string, fields: object): Promise<unknown> {
  const answer = await client.request(type, { ...fields });
  return answer.type === "ok" ? [] : (answer.details as { differences: unknown }).differences;
}

async function publishNumbers(client: RawClient, from: number, to: number): Promise<void> {
  let last = 0;
  for (let i = from; i <= to; i++) last = client.publish({ routingKey: "q", text: `${i}` });
  await client.fate(last);
}

test("what differs is named one by one, with what cannot be changed, and what can be done about it", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await client.must("queue.declare", { queue: "q", arguments: { prefetchBytes: 10, ...single } });
    const answer = await client.request("queue.declare", {
      queue: "q",
      durable: false,
      arguments: { prefetchBytes: 11 },
    });
    expect(answer).toMatchObject({
      code: "precondition-failed",
      details: {
        differences: [
          { name: "durable", declared: false, existing: true, fixed: expect.any(String) },
          { name: "prefetchBytes", declared: 11, existing: 10 },
          { name: "singleActiveConsumer", existing: true },
        ],
      },
    });
    expect(answer.message).toContain('onMismatch: "keep" takes it as it is');
    const other = await client.request("queue.declare", { queue: "q", arguments: { prefetchBytes: 11 } });
    expect(other.message).toContain('"update" changes it');
  }));

test("keep takes what is there as it is, and creates what is not", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    const declared = { queue: "q", arguments: { prefetchBytes: 10 } };
    await client.must("queue.declare", { ...declared, onMismatch: "keep" });
    await client.confirmed({ routingKey: "q" });
    const other = { queue: "q", durable: false, arguments: single, onMismatch: "keep" };
    expect(await client.must("queue.declare", other)).toMatchObject({ queue: "q", messageCount: 1 });
    expect(await differences(client, "queue.declare", declared)).toEqual([]);
    const exchange = { exchange: "e", exchangeType: "topic" };
    await client.must("exchange.declare", { ...exchange, onMismatch: "keep" });
    await client.must("exchange.declare", { exchange: "e", exchangeType: "fanout", onMismatch: "keep" });
    expect(await differences(client, "exchange.declare", exchange)).toEqual([]);
  }));

test("update changes what is there to what is declared, with what is in it; then that is what it is", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await client.must("queue.declare", { queue: "q", arguments: { prefetchBytes: 10 } });
    await client.confirmed({ routingKey: "q", text: "kept" });
    const changed = { queue: "q", autoDelete: true, arguments: single };
    expect(await client.must("queue.declare", { ...changed, onMismatch: "update" })).toMatchObject({
      messageCount: 1,
    });
    expect(await differences(client, "queue.declare", changed)).toEqual([]);
    expect(await client.must("queue.consume", { queue: "q" })).toMatchObject({ active: true });
    expect(texts(await client.deliveries(1, 1))).toEqual(["kept"]);
    await client.must("consumer.cancel", { consumer: 1 });
    expect(await client.request("queue.status", { queue: "q" })).toMatchObject({ code: "not-found" });
  }));

test("what cannot be changed is named with the reason, and then nothing is changed", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    const declared = { queue: "q", arguments: { prefetchBytes: 10 } };
    await client.must("queue.declare", declared);
    const answer = await client.request("queue.declare", {
      queue: "q",
      exclusive: true,
      arguments: { prefetchBytes: 11 },
      onMismatch: "update",
    });
    expect(answer.details).toMatchObject({
      differences: [
        { name: "exclusive", declared: true, existing: false, fixed: expect.any(String) },
        { name: "durable", declared: false, existing: true, fixed: expect.any(String) },
        { name: "prefetchBytes", declared: 11, existing: 10 },
      ],
    });
    expect(answer.message).toMatch(/cannot be changed: exclusive .*; durable .*\./);
    expect(answer.message).not.toContain("prefetchBytes");
    expect(await differences(client, "queue.declare", declared)).toEqual([]);
    await client.must("exchange.declare", { exchange: "e", exchangeType: "topic" });
    expect(
      await client.request("exchange.declare", {
        exchange: "e",
        exchangeType: "direct",
        durable: false,
        internal: true,
        onMismatch: "update",
      }),
    ).toMatchObject({
      code: "precondition-failed",
      details: {
        differences: [
          { name: "exchangeType", fixed: expect.any(String) },
          { name: "durable" },
          { name: "internal" },
        ],
      },
    });
    await client.confirmed({ exchange: "e", routingKey: "x" });
  }));

test("an update that names an argument wrongly changes nothing", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    const declared = { queue: "q", arguments: { prefetchBytes: 10 } };
    await client.must("queue.declare", declared);
    for (const args of [
      { prefetchBytes: 0 },
      { nonsense: 1 },
      { prefetchBytes: 11, singleActiveConsumer: 1 },
    ]) {
      expect(
        await client.request("queue.declare", { queue: "q", arguments: args, onMismatch: "update" }),
      ).toMatchObject({ code: "invalid-argument" });
    }
    await client.must("exchange.declare", { exchange: "e", exchangeType: "topic" });
    const hashOn = { by: "header", name: "x" };
    expect(
      await client.request("exchange.declare", {
        exchange: "e",
        exchangeType: "topic",
        arguments: { hashOn },
        onMismatch: "update",
      }),
    ).toMatchObject({ code: "invalid-argument", details: { argument: "hashOn" } });
    expect(await differences(client, "queue.declare", declared)).toEqual([]);
    expect(await differences(client, "exchange.declare", { exchange: "e", exchangeType: "topic" })).toEqual(
      [],
    );
  }));

test("an exclusive queue can be changed by its session, and is locked to all others whatever they ask for", () =>
  withBroker(async ({ raw }) => {
    const [owner, other] = [await raw(), await raw()];
    await owner.must("queue.declare", { queue: "q", exclusive: true });
    for (const onMismatch of ["keep", "update"]) {
      const fields = { queue: "q", exclusive: true, arguments: single, onMismatch };
      expect(await other.request("queue.declare", fields)).toMatchObject({ code: "resource-locked" });
      await owner.must("queue.declare", fields);
    }
    expect(await owner.must("queue.consume", { queue: "q" })).toMatchObject({ active: true });
  }));

test("what is changed is still so after a restart", () =>
  withBroker(
    async ({ raw, restart }) => {
      let client = await raw();
      const queue = { queue: "q", autoDelete: true, arguments: { prefetchBytes: 11 } };
      const exchange = { exchange: "e", exchangeType: "topic", internal: true };
      await client.must("queue.declare", { queue: "q", arguments: single });
      await client.must("exchange.declare", { exchange: "e", exchangeType: "topic" });
      await client.must("queue.declare", { ...queue, onMismatch: "update" });
      await client.must("exchange.declare", { ...exchange, onMismatch: "update" });
      await restart();
      client = await raw();
      expect(await differences(client, "queue.declare", queue)).toEqual([]);
      expect(await differences(client, "exchange.declare", exchange)).toEqual([]);
    },
    { onDisk: true },
  ));

test("an exchange that is changed routes by what it has become from then on", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    const update = (fields: object) =>
      client.must("exchange.declare", {
        exchange: "e",
        exchangeType: "topic",
        ...fields,
        onMismatch: "update",
      });
    for (const name of ["e", "first", "second"])
      await client.must("exchange.declare", { exchange: name, exchangeType: "topic" });
    for (const name of ["first", "second"]) {
      await client.must("queue.declare", { queue: name });
      await client.must("queue.bind", { queue: name, exchange: name, routingKey: "#" });
    }
    const publish = () => client.confirmed({ exchange: "e", routingKey: "k", mandatory: true });
    const ready = async (queue: string) => (await client.must("queue.status", { queue })).ready;
    const seen = [];
    for (const alternateExchange of [undefined, "first", "second", undefined]) {
      await update(alternateExchange === undefined ? {} : { arguments: { alternateExchange } });
      await publish();
      await publish();
      seen.push([client.of("return").length, await ready("first"), await ready("second")]);
    }
    expect(seen).toEqual([
      [2, 0, 0],
      [2, 2, 0],
      [2, 2, 2],
      [4, 2, 2],
    ]);
    await update({ internal: true });
    const refused = client.publish({ exchange: "e", routingKey: "k" });
    expect(await client.fate(refused)).toMatchObject({ code: "access-refused" });
    await update({ autoDelete: true });
    await client.must("queue.bind", { queue: "first", exchange: "e", routingKey: "k" });
    await client.must("queue.unbind", { queue: "first", exchange: "e", routingKey: "k" });
    expect(await client.request("exchange.declare", { exchange: "e", passive: true })).toMatchObject({
      code: "not-found",
    });
  }));

test("a consistent-hash exchange can be told to look at something else; its bindings stay", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    const declare = (hashOn: object) =>
      client.must("exchange.declare", {
        exchange: "e",
        exchangeType: "consistent-hash",
        arguments: { hashOn },
        onMismatch: "update",
      });
    await declare({ by: "routingKey" });
    const queues = ["a", "b", "c", "d"];
    for (const queue of queues) {
      await client.must("queue.declare", { queue });
      await client.must("queue.bind", { queue, exchange: "e", routingKey: "1" });
    }
    const reached = async (messages: object[]): Promise<number> => {
      for (const queue of queues) await client.must("queue.purge", { queue });
      for (const message of messages) await client.confirmed({ exchange: "e", ...message });
      const counts = await Promise.all(
        queues.map(async (queue) => (await client.must("queue.status", { queue })).ready),
      );
      return counts.filter((count) => count !== 0).length;
    };
    const byKey = Array.from({ length: 40 }, (_, i) => ({
      routingKey: `${i}`,
      properties: { headers: { customer: "same" } },
    }));
    expect(await reached(byKey)).toBe(4);
    await declare({ by: "header", name: "customer" });
    expect(await reached(byKey)).toBe(1);
  }));

test("exchanges of the broker can be declared as they are, and not be changed", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    const declaration = { exchange: "amq.topic", exchangeType: "topic" };
    for (const onMismatch of ["keep", "update"])
      await client.must("exchange.declare", { ...declaration, onMismatch });
    await client.must("exchange.declare", { ...declaration, internal: true, onMismatch: "keep" });
    expect(
      await client.request("exchange.declare", { ...declaration, internal: true, onMismatch: "update" }),
    ).toMatchObject({ code: "access-refused" });
    await client.confirmed({ exchange: "amq.topic", routingKey: "x" });
  }));

test("a queue that comes to have a single active consumer keeps the one of highest priority, once the others are through", () =>
  withBroker(async ({ raw }) => {
    const [first, preferred, third] = [await raw(), await raw(), await raw()];
    await first.must("queue.declare", { queue: "q" });
    for (const [client, priority] of [
      [first, 0],
      [preferred, 1],
      [third, 0],
    ] as const)
      await client.must("queue.consume", { queue: "q", prefetch: 1, arguments: { priority } });
    await publishNumbers(first, 1, 5);
    await Promise.all([first.deliveries(1, 1), preferred.deliveries(1, 1), third.deliveries(1, 1)]);
    await first.must("queue.declare", { queue: "q", arguments: single, onMismatch: "update" });
    expect(await first.next({ type: "consumer.active" })).toMatchObject({ active: false });
    expect(await third.next({ type: "consumer.active" })).toMatchObject({ active: false });
    preferred.settle(1, 1, 1, "ack");
    first.settle(1, 1, 1, "ack");
    await Promise.all([first.barrier(), preferred.barrier()]);
    expect(preferred.of("deliver")).toHaveLength(1);
    expect(await first.must("queue.status", { queue: "q" })).toMatchObject({ ready: 2, unsettled: 1 });
    third.settle(1, 1, 1, "requeue");
    expect(await preferred.next({ type: "consumer.active", active: true })).toBeDefined();
    const given = texts(await preferred.deliveries(1, 1));
    expect(given).toEqual([third.of("deliver")[0]?.text]);
    expect([first, third].map((client) => client.of("deliver").length)).toEqual([1, 1]);
  }));

test("a queue that no longer has a single active consumer gives to all, and each is told", () =>
  withBroker(async ({ raw }) => {
    const [first, second, third] = [await raw(), await raw(), await raw()];
    await first.must("queue.declare", { queue: "q", arguments: single });
    for (const client of [first, second]) await client.must("queue.consume", { queue: "q", prefetch: 2 });
    await publishNumbers(first, 1, 4);
    await first.deliveries(1, 2);
    await first.must("queue.declare", { queue: "q", onMismatch: "update" });
    expect(texts(await second.deliveries(1, 2))).toEqual(["3", "4"]);
    expect(await second.next({ type: "consumer.active" })).toMatchObject({ active: true });
    expect(await third.must("queue.consume", { queue: "q" })).not.toHaveProperty("active");
    expect(first.of("consumer.active")).toEqual([]);
  }));

test("through the SDK: fail by default, keep, and update", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const queue = await posthorn.queue("q").declare({ prefetchBytes: 10 });
    await expect(queue.declare({ prefetchBytes: 11 })).rejects.toMatchObject({
      code: "precondition-failed",
      details: { differences: [{ name: "prefetchBytes", declared: 11, existing: 10 }] },
    });
    await queue.declare({ prefetchBytes: 11, onMismatch: "keep" });
    await queue.declare({ prefetchBytes: 10 });
    await queue.declare({ prefetchBytes: 11, onMismatch: "update" });
    await queue.declare({ prefetchBytes: 11 });
    const exchange = posthorn.exchange("e");
    await exchange.declare({ type: "topic" });
    await exchange.declare({ type: "topic", internal: true, onMismatch: "update" });
    await exchange.declare({ type: "direct", onMismatch: "keep" });
    await exchange.declare({ type: "topic", internal: true });
  }));
