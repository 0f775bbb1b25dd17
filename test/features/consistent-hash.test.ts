import { expect, test } from "vitest";
import type { Posthorn } from "../../client/index.ts";
import { withBroker } from "../support/broker.ts";

/** SEMANTICS 31. */

/** Queues `name-0`, `name-1` …, bound to the exchange with weight 1. */
async function partitions(
  posthorn: Posthorn,
  exchange: string,
  name: string,
  count: number,
): Promise<string[]> {
  const queues = Array.from({ length: count }, (_, index) => `${name}-${index}`);
  for (const queue of queues) await (await posthorn.queue(queue).declare()).bind(exchange, "1");
  return queues;
}

/** The texts in each of the queues, in order; takes them out. */
async function drain(posthorn: Posthorn, queues: readonly string[]): Promise<string[][]> {
  return Promise.all(
    queues.map(async (name) => {
      const texts: string[] = [];
      for (;;) {
        const message = await posthorn.queue(name).get({ noAck: true });
        if (message === undefined) return texts;
        texts.push(message.text());
      }
    }),
  );
}

test("messages with the same key come to the same queue, in order, and the keys are spread over the queues", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const orders = await posthorn.exchange("orders").declare({ type: "consistent-hash" });
    const queues = await partitions(posthorn, "orders", "part", 4);
    const published: Promise<unknown>[] = [];
    for (let round = 0; round < 5; round++) {
      for (let customer = 0; customer < 40; customer++)
        published.push(orders.publish(`customer-${customer}`, `${customer}/${round}`));
    }
    await Promise.all(published);
    const parts = await drain(posthorn, queues);
    expect(parts.flat().length).toBe(200);
    const home = new Map<string, number>();
    for (const [index, texts] of parts.entries()) {
      expect(texts.length).toBeGreaterThan(0);
      const next = new Map<string, number>();
      for (const text of texts) {
        const [customer, round] = text.split("/") as [string, string];
        expect(home.get(customer) ?? index).toBe(index);
        home.set(customer, index);
        expect(Number(round)).toBe(next.get(customer) ?? 0);
        next.set(customer, Number(round) + 1);
      }
    }
  }));

test("a new queue takes over some of the keys, and only to it do keys move; they return when it goes", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const orders = await posthorn.exchange("orders").declare({ type: "consistent-hash" });
    const queues = [...(await partitions(posthorn, "orders", "part", 3)), "new"];
    await posthorn.queue("new").declare();
    const keys = Array.from({ length: 60 }, (_, index) => `customer-${index}`);
    const homes = async () => {
      await Promise.all(keys.map((key) => orders.publish(key, key)));
      const parts = await drain(posthorn, queues);
      return keys.map((key) => parts.findIndex((texts) => texts.includes(key)));
    };
    const before = await homes();
    await posthorn.queue("new").bind(orders, "1");
    const between = await homes();
    for (const [index, home] of between.entries()) if (home !== 3) expect(home).toBe(before[index]);
    expect(between).toContain(3);
    await posthorn.queue("new").unbind(orders, "1");
    expect(await homes()).toEqual(before);
  }));

test("keys go the same way after a restart", () =>
  withBroker(
    async ({ connect, restart }) => {
      const publish = async (posthorn: Posthorn) => {
        const keys = Array.from({ length: 40 }, (_, index) => `${index}`);
        await Promise.all(keys.map((key) => posthorn.exchange("orders").publish(key, key)));
      };
      const first = await connect();
      await first.exchange("orders").declare({ type: "consistent-hash" });
      const queues = await partitions(first, "orders", "part", 3);
      await publish(first);
      const before = await drain(first, queues);
      await first.close();
      await restart();
      const second = await connect();
      await publish(second);
      expect(await drain(second, queues)).toEqual(before);
    },
    { onDisk: true },
  ));

test.each([
  [{ by: "header", name: "customer" }, (text: string) => ({ headers: { customer: text } })],
  [
    { by: "property", name: "correlationId" },
    (text: string) => ({ correlationId: text, messageId: "m", type: "t" }),
  ],
  [
    { by: "property", name: "appId" },
    (text: string) => ({ appId: text, priority: 3, timestamp: 5, userId: undefined }),
  ],
] as const)("the way can be found by %j instead of the routing key", (hashOn, options) =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const orders = await posthorn.exchange("orders").declare({ type: "consistent-hash", hashOn });
    const byKey = await posthorn.exchange("by key").declare({ type: "consistent-hash" });
    const queues = await partitions(posthorn, "orders", "part", 4);
    await partitions(posthorn, "by key", "part", 4);
    const texts = Array.from({ length: 30 }, (_, index) => `customer-${index}`);
    for (const text of texts) {
      await orders.publish(`key-${text}`, "x", options(text));
      await byKey.publish(text, "y");
    }
    const parts = await drain(posthorn, queues);
    for (const part of parts) expect(part).toEqual(part.map((_, index) => (index % 2 === 0 ? "x" : "y")));
    expect(parts.flat().length).toBe(60);
    // Without a header or property there is one way for all.
    for (let index = 0; index < 20; index++) await orders.publish(`key-${index}`, "z");
    expect((await drain(posthorn, queues)).filter((part) => part.length > 0).length).toBe(1);
  }),
);

test("a queue gets keys in proportion to its weight", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const orders = await posthorn.exchange("orders").declare({ type: "consistent-hash", durable: false });
    const [small, large] = [await posthorn.queue("small").declare(), await posthorn.queue("large").declare()];
    await small.bind(orders, "1");
    await large.bind(orders, "9");
    await Promise.all(Array.from({ length: 1000 }, (_, index) => orders.publish(`${index}`, "")));
    const share = (await small.check()).messageCount;
    expect(share).toBeGreaterThan(60);
    expect(share).toBeLessThan(150);
  }));

test("a binding whose routing key is no weight is refused, of a queue and of an exchange", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const orders = await posthorn.exchange("orders").declare({ type: "consistent-hash" });
    const queue = await posthorn.queue("q").declare();
    for (const weight of ["", "0", "1001", "order.#"]) {
      await expect(queue.bind(orders, weight)).rejects.toMatchObject({ code: "invalid-argument" });
      await expect(posthorn.exchange("amq.topic").bind(orders, weight)).rejects.toMatchObject({
        code: "invalid-argument",
      });
    }
    await queue.bind(orders, "1000");
  }));

test("hashOn is refused where it makes no sense, and the argument is named", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    const declare = (exchangeType: string, hashOn: unknown) =>
      client.request("exchange.declare", { exchange: "e", exchangeType, arguments: { hashOn } });
    for (const [type, hashOn] of [
      ["topic", { by: "routingKey" }],
      ["consistent-hash", { by: "header" }],
      ["consistent-hash", { by: "property" }],
      ["consistent-hash", { by: "property", name: "priority" }],
      ["consistent-hash", { by: "routingKey", name: "x" }],
      ["consistent-hash", "header"],
    ] as const) {
      expect(await declare(type, hashOn)).toMatchObject({
        code: "invalid-argument",
        details: { argument: "hashOn" },
      });
    }
    for (const hashOn of [{ by: "key" }, { by: 7 }]) {
      expect(await declare("consistent-hash", hashOn)).toMatchObject({
        code: "invalid-argument",
        details: { argument: "hashOn.by" },
      });
    }
    expect(await declare("consistent-hash", { by: "routingKey" })).toMatchObject({ type: "ok" });
    expect(await declare("consistent-hash", { by: "header", name: "x" })).toMatchObject({
      code: "precondition-failed",
    });
  }));
