import { expect, test } from "vitest";
import { withBroker } from "../support/broker.ts";

test("binding the same again is no error and brings no second copy; a single unbinding removes it", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const orders = await posthorn.exchange("orders").declare({ type: "topic" });
    const queue = await posthorn.queue("q").declare();
    await queue.bind(orders, "a.*");
    await queue.bind(orders, "a.*");
    await orders.publish("a.b", "once");
    expect((await queue.check()).messageCount).toBe(1);
    await queue.unbind(orders, "a.*");
    await orders.publish("a.b", "not at all");
    expect((await queue.check()).messageCount).toBe(1);
  }));

test("bindings that differ in key or arguments are different bindings", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const fanout = await posthorn.exchange("fanout").declare({ type: "fanout" });
    const queue = await posthorn.queue("q").declare();
    await queue.bind(fanout, "a");
    await queue.bind(fanout, "b");
    await queue.bind(fanout, "a", { arguments: { weight: 1 } });
    await queue.unbind(fanout, "a");
    await queue.unbind(fanout, "b");
    await fanout.publish("anything", "one");
    expect((await queue.check()).messageCount).toBe(1);
    await queue.unbind(fanout, "a", { arguments: { weight: 1 } });
    await fanout.publish("anything", "two");
    expect((await queue.check()).messageCount).toBe(1);
  }));

test("removing a binding that is not there is no error", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    await posthorn.queue("missing").unbind("missing", "x");
    const queue = await posthorn.queue("q").declare();
    await queue.unbind("missing", "x");
    await queue.unbind("amq.topic", "x");
  }));

test("binding a queue or an exchange that is not there is refused, and says which", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const queue = await posthorn.queue("q").declare();
    await expect(queue.bind("missing", "x")).rejects.toMatchObject({
      code: "not-found",
      details: { exchange: "missing" },
    });
    await expect(posthorn.queue("none").bind("amq.topic", "x")).rejects.toMatchObject({
      code: "not-found",
      details: { queue: "none" },
    });
  }));

test("a queue that several bindings match gets one copy", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const queue = await posthorn.queue("q").declare();
    for (const key of ["#", "order.*", "order.#", "order.placed"]) await queue.bind("amq.topic", key);
    await posthorn.exchange("amq.topic").publish("order.placed", "one");
    expect((await queue.check()).messageCount).toBe(1);
  }));

test("without a name, the queue that the session declared last is meant", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await client.must("queue.declare", { queue: "first" });
    const { queue } = await client.must("queue.declare", {});
    expect(queue).toMatch(/^amq\.gen-/);
    await client.must("queue.bind", { exchange: "amq.fanout" });
    await client.confirmed({ exchange: "amq.fanout", routingKey: "" });
    expect(await client.must("queue.declare", { passive: true })).toMatchObject({ queue, messageCount: 1 });
    expect(await client.must("queue.get", {})).toMatchObject({ delivered: 1 });
    expect(await client.must("queue.consume", { queue: "" })).toMatchObject({ consumer: 1 });
    expect(await client.must("queue.purge", {})).toMatchObject({ messageCount: 0 });
    expect(await client.must("queue.delete", {})).toMatchObject({ messageCount: 0 });
    expect(await client.request("queue.purge", {})).toMatchObject({ code: "not-found" });
  }));

test("with neither queue nor key named, the key is the queue's name; with one of them, it is what is said", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await client.must("queue.declare", { queue: "q" });
    await client.must("queue.bind", { exchange: "amq.direct" });
    expect(
      await client.confirmed({ exchange: "amq.direct", routingKey: "q", mandatory: true }),
    ).not.toHaveProperty("code");
    await client.must("queue.unbind", { exchange: "amq.direct" });
    await client.must("queue.bind", { queue: "q", exchange: "amq.direct" });
    await client.confirmed({ exchange: "amq.direct", routingKey: "q" });
    await client.confirmed({ exchange: "amq.direct", routingKey: "" });
    await client.must("queue.bind", { exchange: "amq.direct", routingKey: "key" });
    await client.confirmed({ exchange: "amq.direct", routingKey: "key" });
    expect(await client.must("queue.declare", { queue: "q" })).toMatchObject({ messageCount: 3 });
  }));

test("a session that has declared no queue must name one", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    for (const type of [
      "queue.bind",
      "queue.unbind",
      "queue.purge",
      "queue.delete",
      "queue.get",
      "queue.consume",
    ]) {
      const fields = type.endsWith("bind") ? { exchange: "amq.topic" } : {};
      expect(await client.request(type, fields)).toMatchObject({
        code: "not-found",
        details: { field: "queue" },
      });
    }
  }));

test("a declaration that was refused does not become the queue declared last", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await client.must("queue.declare", { queue: "mine" });
    expect(await client.request("queue.declare", { queue: "mine", durable: false })).toMatchObject({
      type: "error",
    });
    expect(await client.request("queue.declare", { queue: "missing", passive: true })).toMatchObject({
      type: "error",
    });
    expect(await client.request("queue.declare", { arguments: { nonsense: 1 } })).toMatchObject({
      type: "error",
    });
    expect(await client.must("queue.declare", { passive: true })).toMatchObject({ queue: "mine" });
  }));

test("a bind sent right behind the declaration of a queue means that queue", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    const asked = [
      client.ask("queue.declare", { queue: "a" }),
      client.ask("queue.bind", { exchange: "amq.direct" }),
      client.ask("queue.declare", { queue: "b" }),
      client.ask("queue.bind", { exchange: "amq.direct" }),
    ];
    for (const id of asked) expect((await client.answer(id)).type).toBe("ok");
    for (const queue of ["a", "b"]) {
      await client.confirmed({ exchange: "amq.direct", routingKey: queue });
      expect(await client.must("queue.declare", { queue, passive: true })).toMatchObject({ messageCount: 1 });
    }
  }));

test("direct exchanges match the whole key, fanout none of it, and both ignore arguments", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const [direct, fanout] = [await posthorn.queue("d").declare(), await posthorn.queue("f").declare()];
    await direct.bind("amq.direct", "a.*", { arguments: { "x-match": "any", color: "red" } });
    await fanout.bind("amq.fanout", "a.*", { arguments: { color: "red" } });
    await posthorn.exchange("amq.direct").publish("a.b", "no");
    await posthorn.exchange("amq.direct").publish("a.*", "yes");
    await posthorn.exchange("amq.fanout").publish("whatever", "yes");
    expect((await direct.check()).messageCount).toBe(1);
    expect((await fanout.check()).messageCount).toBe(1);
  }));

test("headers exchanges match by headers, strict about types, and refuse an unknown x-match", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const headers = posthorn.exchange("amq.headers");
    const [all, any] = [await posthorn.queue("all").declare(), await posthorn.queue("any").declare()];
    await all.bind(headers, "", { arguments: { "x-match": "all", color: "red", size: 1 } });
    await any.bind(headers, "", { arguments: { "x-match": "any", color: "red", size: 1 } });
    await headers.publish("", "both", { headers: { color: "red", size: 1 } });
    await headers.publish("", "one", { headers: { color: "red", size: "1" } });
    await headers.publish("", "none", { headers: { color: "blue" } });
    await headers.publish("", "none either");
    expect((await all.check()).messageCount).toBe(1);
    expect((await any.check()).messageCount).toBe(2);
    await expect(all.bind(headers, "", { arguments: { "x-match": "most" } })).rejects.toMatchObject({
      code: "invalid-argument",
    });
  }));
