import { expect, test } from "vitest";
import { withBroker } from "../support/broker.ts";

const predeclared = [
  ["amq.direct", "direct"],
  ["amq.fanout", "fanout"],
  ["amq.topic", "topic"],
  ["amq.headers", "headers"],
  ["amq.match", "headers"],
] as const;

test("declaring an exchange again as it is changes nothing", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    for (const type of ["direct", "fanout", "topic", "headers"] as const) {
      await posthorn.exchange(type).declare({ type, durable: false, autoDelete: true });
      await posthorn.exchange(type).declare({ type, durable: false, autoDelete: true });
    }
  }));

test("declaring an exchange differently is refused, and every difference is named", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const orders = await posthorn.exchange("orders").declare({ type: "topic" });
    await expect(orders.declare({ type: "fanout", durable: false, autoDelete: true })).rejects.toMatchObject({
      code: "precondition-failed",
      details: {
        differences: [
          { name: "exchangeType", declared: "fanout", existing: "topic" },
          { name: "durable", declared: false, existing: true },
          { name: "autoDelete", declared: true, existing: false },
        ],
      },
    });
    await orders.declare({ type: "topic" });
  }));

test("an exchange of an unknown type, or of none, is refused", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    for (const exchangeType of ["x-consistent-hash", "Topic", "", undefined]) {
      expect(await client.request("exchange.declare", { exchange: "e", exchangeType })).toMatchObject({
        type: "error",
        code: "invalid-argument",
      });
    }
    expect(await client.request("exchange.declare", { exchange: "e", passive: true })).toMatchObject({
      code: "not-found",
    });
  }));

test("a passive declaration tells whether an exchange is there, and compares nothing", () =>
  withBroker(async ({ connect, raw }) => {
    const posthorn = await connect();
    await expect(posthorn.exchange("orders").check()).rejects.toMatchObject({ code: "not-found" });
    await posthorn.exchange("orders").declare({ type: "topic" });
    await posthorn.exchange("orders").check();
    const client = await raw();
    await client.must("exchange.declare", {
      exchange: "orders",
      exchangeType: "fanout",
      durable: false,
      passive: true,
    });
  }));

test("the exchanges that are always there can be declared as they are, and used", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    for (const [name, type] of predeclared) {
      await posthorn.exchange(name).declare({ type });
      await posthorn.exchange(name).check();
      await expect(posthorn.exchange(name).declare({ type, durable: false })).rejects.toMatchObject({
        code: "precondition-failed",
      });
    }
    const queue = await posthorn.queue().declare({ exclusive: true });
    await queue.bind("amq.topic", "order.#");
    await posthorn.exchange("amq.topic").publish("order.germany", "hello");
    expect((await queue.get())?.text()).toBe("hello");
  }));

test("names that begin with amq. cannot be created or deleted", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    await expect(posthorn.exchange("amq.mine").declare({ type: "topic" })).rejects.toMatchObject({
      code: "access-refused",
    });
    await expect(posthorn.queue("amq.mine").declare()).rejects.toMatchObject({ code: "access-refused" });
    for (const [name] of [...predeclared, ["amq.missing"] as const]) {
      await expect(posthorn.exchange(name).delete()).rejects.toMatchObject({ code: "access-refused" });
    }
    await posthorn.exchange("amqp").declare({ type: "topic" });
  }));

test("the default exchange leads to every queue by its name, and cannot be declared, deleted or bound", () =>
  withBroker(async ({ connect, raw }) => {
    const posthorn = await connect();
    const queue = await posthorn.queue("letters").declare();
    await posthorn.defaultExchange.publish("letters", "one");
    expect((await queue.get())?.text()).toBe("one");
    const client = await raw();
    for (const [type, fields] of [
      ["exchange.declare", { exchangeType: "direct" }],
      ["exchange.declare", { passive: true }],
      ["exchange.delete", {}],
      ["queue.bind", { queue: "letters", routingKey: "other" }],
      ["queue.unbind", { queue: "letters", routingKey: "letters" }],
    ] as const) {
      expect(await client.request(type, { exchange: "", ...fields })).toMatchObject({
        code: "access-refused",
      });
    }
    await posthorn.defaultExchange.publish("letters", "two");
    expect((await queue.check()).messageCount).toBe(1);
  }));

test("an exchange with bindings is not deleted if unused is asked for; its bindings go with it otherwise", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const orders = await posthorn.exchange("orders").declare({ type: "fanout" });
    const queue = await posthorn.queue("billing").declare();
    await queue.bind(orders);
    await expect(orders.delete({ ifUnused: true })).rejects.toMatchObject({ code: "precondition-failed" });
    await orders.publish("", "first");
    await orders.delete();
    await expect(orders.publish("", "second")).rejects.toMatchObject({ code: "not-found" });
    await orders.declare({ type: "fanout" });
    await orders.publish("", "third");
    expect((await queue.check()).messageCount).toBe(1);
    await orders.delete({ ifUnused: true });
  }));

test("deleting an exchange that is not there is no error", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    await posthorn.exchange("missing").delete();
    await posthorn.exchange("missing").delete({ ifUnused: true });
  }));

test("an auto-delete exchange goes with its last binding, and stays as long as it never had one", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const feed = await posthorn.exchange("feed").declare({ type: "topic", autoDelete: true });
    const [a, b] = [await posthorn.queue("a").declare(), await posthorn.queue("b").declare()];
    await feed.check();
    await a.bind(feed, "x");
    await b.bind(feed, "y");
    await a.unbind(feed, "x");
    await a.unbind(feed, "never bound");
    await feed.check();
    await b.delete();
    await expect(feed.check()).rejects.toMatchObject({ code: "not-found" });
  }));

test("names are bounded, and hold no control characters", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    for (const [name, code] of [
      ["x".repeat(255), undefined],
      ["ü".repeat(127), undefined],
      ["x".repeat(256), "invalid-frame"],
      ["ü".repeat(128), "invalid-argument"],
      ["line\nbreak", "invalid-argument"],
      ["\u0000", "invalid-argument"],
    ] as const) {
      expect(
        (await client.request("exchange.declare", { exchange: name, exchangeType: "fanout" })).code,
      ).toBe(code);
      expect((await client.request("queue.declare", { queue: name })).code).toBe(code);
    }
  }));
