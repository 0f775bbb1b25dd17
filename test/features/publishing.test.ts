import { expect, test } from "vitest";
import { ReturnedError } from "../../client/index.ts";
import { texts, withBroker } from "../support/broker.ts";

test("publishing resolves once the broker has confirmed; what no queue is bound for is dropped, and confirmed", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const queue = await posthorn.queue("q").declare();
    expect(await queue.publish("kept")).toEqual({ confirmed: true });
    expect(await posthorn.exchange("amq.topic").publish("nobody.listens", "dropped")).toEqual({
      confirmed: true,
    });
    expect((await queue.check()).messageCount).toBe(1);
  }));

test("a mandatory message that no queue is bound for comes back whole, before its confirm", () =>
  withBroker(async ({ raw, connect }) => {
    const client = await raw();
    const message = {
      exchange: "amq.topic",
      routingKey: "nobody",
      text: "hello",
      properties: { messageId: "m-1" },
    };
    client.publish({ ...message, mandatory: true });
    client.publish({ ...message });
    await client.fate(2);
    expect(client.received.slice(1)).toMatchObject([
      {
        type: "return",
        number: 1,
        code: "no-route",
        exchange: "amq.topic",
        routingKey: "nobody",
        text: "hello",
      },
      { type: "confirm", first: 1, last: 2 },
    ]);
    expect(client.of("return")[0]?.properties).toMatchObject({ messageId: "m-1", contentType: "text/plain" });

    const posthorn = await connect();
    const error = await posthorn
      .exchange("amq.topic")
      .publish("nobody", "hello", { mandatory: true })
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ReturnedError);
    expect(error).toMatchObject({ code: "no-route" });
  }));

test("a mandatory message that a queue is bound for does not come back", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await client.must("queue.declare", { queue: "q" });
    expect(await client.confirmed({ routingKey: "q", mandatory: true })).not.toHaveProperty("code");
    expect(client.of("return")).toEqual([]);
  }));

test("publishing to an exchange that is not there is refused for that message alone", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const queue = await posthorn.queue("q").declare();
    const outcomes = await Promise.allSettled([
      queue.publish("one"),
      posthorn.exchange("missing").publish("q", "two"),
      queue.publish("three"),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(outcomes[1]).toMatchObject({ reason: { code: "not-found" } });
    expect((await queue.check()).messageCount).toBe(2);
  }));

test("confirms cover every message once, and never one that was refused", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await client.must("queue.declare", { queue: "durable" });
    await client.must("queue.declare", { queue: "transient", durable: false });
    const expected = new Map<number, string | undefined>();
    for (let i = 0; i < 500; i++) {
      const fields = [
        { routingKey: "durable" },
        { routingKey: "transient" },
        { routingKey: "durable", properties: { persistent: false } },
        { routingKey: "nowhere" },
        { exchange: "missing", routingKey: "" },
      ][(i * i) % 5]!;
      expected.set(client.publish(fields), fields.exchange === undefined ? undefined : "not-found");
    }
    await Promise.all([...expected.keys()].map((number) => client.fate(number)));
    const told = new Map<number, unknown>();
    for (const { first, last, code } of client.of("confirm")) {
      for (let number = first as number; number <= (last as number); number++) {
        expect(told.has(number)).toBe(false);
        told.set(number, code);
      }
    }
    expect(new Map([...told].sort(([a], [b]) => a - b))).toEqual(expected);
  }));

test("a message is confirmed although its queue is deleted in the same moment", () =>
  withBroker(
    async ({ raw }) => {
      const client = await raw();
      for (let round = 0; round < 20; round++) {
        await client.must("queue.declare", { queue: "q" });
        const number = client.publish({ routingKey: "q" });
        client.ask("queue.delete", { queue: "q" });
        expect(await client.fate(number)).not.toHaveProperty("code");
      }
    },
    { onDisk: true },
  ));

test("a session's messages stay in order in each queue, whatever they are", () =>
  withBroker(async ({ raw }) => {
    const [publisher, consumer] = [await raw(), await raw()];
    for (const queue of ["a", "b"]) {
      await publisher.must("queue.declare", { queue });
      await publisher.must("queue.bind", { queue, exchange: "amq.fanout" });
    }
    const started = await consumer.must("queue.consume", { queue: "b", prefetch: 0 });
    for (let i = 0; i < 300; i++) {
      publisher.publish({
        exchange: "amq.fanout",
        routingKey: "",
        text: `${i}`,
        properties: { persistent: i % 3 === 0 },
      });
    }
    await publisher.fate(300);
    const inOrder = Array.from({ length: 300 }, (_, i) => `${i}`);
    expect(texts(await consumer.deliveries(started.consumer as number, 300))).toEqual(inOrder);
    const { consumer: other } = await consumer.must("queue.consume", { queue: "a", prefetch: 0 });
    expect(texts(await consumer.deliveries(other as number, 300))).toEqual(inOrder);
  }));

test("properties, headers and body arrive as they were sent, in either encoding", () =>
  withBroker(async ({ raw, connect }) => {
    const properties = {
      persistent: false,
      contentType: "application/vnd.shop+json",
      priority: 9,
      correlationId: "c-1",
      replyTo: "answers",
      messageId: "m-1",
      timestamp: 1_700_000_000_000,
      type: "order",
      appId: "shop",
      headers: {
        text: "ü",
        whole: 7,
        fraction: 1.5,
        yes: true,
        nothing: null,
        list: [1, "two"],
        table: { deep: { er: 1 } },
      },
    };
    const client = await raw();
    await client.must("queue.declare", { queue: "q" });
    await client.confirmed({ routingKey: "q", text: undefined, json: { total: 12.5 }, properties });
    await client.must("queue.get", { queue: "q" });
    expect(client.of("deliver")[0]).toMatchObject({
      exchange: "",
      routingKey: "q",
      json: { total: 12.5 },
      properties,
    });

    const posthorn = await connect();
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    await posthorn
      .queue("q")
      .publish(bytes, { messageId: "m-2", headers: { big: 2n ** 60n, bytes: new Uint8Array([0, 255]) } });
    const message = await posthorn.queue("q").get();
    expect(message?.bytes).toEqual(bytes);
    expect(message?.messageId).toBe("m-2");
    expect(message?.headers).toEqual({ big: 2n ** 60n, bytes: new Uint8Array([0, 255]) });
    message?.requeue();
    await posthorn.queue("q").check();

    const shown = await client.must("queue.get", { queue: "q" }).then(() => client.of("deliver")[1]);
    expect(shown).toMatchObject({ redelivered: true, base64: Buffer.from(bytes).toString("base64") });
  }));

test("a body may be empty, and as large as the broker allows", () =>
  withBroker(
    async ({ connect }) => {
      const queue = await (await connect()).queue("q").declare();
      for (const length of [0, 1, 64 * 1024]) {
        await queue.publish(new Uint8Array(length).fill(7));
        const message = await queue.get({ noAck: true });
        expect(message?.bytes).toEqual(new Uint8Array(length).fill(7));
      }
      await expect(queue.publish(new Uint8Array(64 * 1024 + 1))).rejects.toMatchObject({
        code: "message-too-large",
      });
    },
    { config: { maxMessageBytes: 64 * 1024 } },
  ));

test("the userId of a message must be the user who publishes", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await client.must("queue.declare", { queue: "q" });
    const as = (userId: string) => client.confirmed({ routingKey: "q", properties: { userId } });
    expect(await as("somebody else")).toMatchObject({ code: "precondition-failed" });
    expect(await as("")).toMatchObject({ code: "precondition-failed" });
    expect(await as("anonymous")).not.toHaveProperty("code");
    expect(await client.must("queue.declare", { queue: "q", passive: true })).toMatchObject({
      messageCount: 1,
    });
  }));

test("what was published before a bye is confirmed before the session ends", () =>
  withBroker(
    async ({ raw }) => {
      const client = await raw();
      await client.must("queue.declare", { queue: "last-words" });
      client.send({ type: "publish", number: 1, exchange: "", routingKey: "last-words", text: "goodbye" });
      client.send({ type: "bye", id: 99 });
      expect(await client.next({ type: "confirm" })).toEqual({ type: "confirm", first: 1, last: 1 });
      expect(await client.next({ type: "ok", id: 99 })).toBeDefined();
      expect((await client.closed).code).toBe(1000);
    },
    { onDisk: true },
  ));
