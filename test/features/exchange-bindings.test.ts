import { expect, test } from "vitest";
import type { Posthorn } from "../../client/index.ts";
import { withBroker } from "../support/broker.ts";

/** SEMANTICS 18, 19, 22, 24. */

const waiting = async (posthorn: Posthorn, queue: string) =>
  (await posthorn.queue(queue).check()).messageCount;

test("a message goes on through the exchanges that are bound, each with its own type and keys", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const orders = await posthorn.exchange("orders").declare({ type: "topic" });
    const germany = await posthorn.exchange("germany").declare({ type: "topic" });
    const live = await posthorn.exchange("live").declare({ type: "fanout" });
    await germany.bind(orders, "order.germany.#");
    await live.bind(germany, "#.placed");
    await (await posthorn.queue("late").declare()).bind(germany, "#.late");
    await (await posthorn.queue("placed").declare()).bind(live);
    for (const key of ["order.germany.placed", "order.germany.late", "order.france.placed"])
      await orders.publish(key, key);
    const message = await posthorn.queue("placed").get();
    expect([message?.exchange, message?.routingKey]).toEqual(["orders", "order.germany.placed"]);
    expect(await waiting(posthorn, "placed")).toBe(0);
    expect(await waiting(posthorn, "late")).toBe(1);
  }));

test("a queue that is reached on several ways gets one copy", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const [a, b, c] = await Promise.all(
      ["a", "b", "c"].map((name) => posthorn.exchange(name).declare({ type: "fanout" })),
    );
    await b!.bind(a!);
    await c!.bind(a!);
    const queue = await posthorn.queue("q").declare();
    for (const exchange of [a!, b!, c!]) await queue.bind(exchange);
    await a!.publish("", "once");
    expect(await waiting(posthorn, "q")).toBe(1);
  }));

test("exchanges that are bound in a circle, or to themselves, pass a message on once", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const names = ["a", "b", "c"];
    for (const name of names) await posthorn.exchange(name).declare({ type: "fanout" });
    for (const [index, name] of names.entries()) {
      await posthorn.exchange(name).bind(names[(index + 1) % names.length]!);
      await posthorn.exchange(name).bind(name);
      await (await posthorn.queue(name).declare()).bind(name);
    }
    await posthorn.exchange("b").publish("", "round and round");
    for (const name of names) expect(await waiting(posthorn, name)).toBe(1);
  }));

test("headers are looked at behind an exchange that does not look at them", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const orders = await posthorn.exchange("orders").declare({ type: "direct" });
    const byHeaders = await posthorn.exchange("by headers").declare({ type: "headers" });
    await byHeaders.bind(orders, "k");
    await (await posthorn.queue("red").declare()).bind(byHeaders, "", { arguments: { color: "red" } });
    for (const color of ["red", "blue", "red"]) await orders.publish("k", color, { headers: { color } });
    expect(await waiting(posthorn, "red")).toBe(2);
  }));

test("binding the same again is no error; unbinding removes it at once; arguments tell bindings apart", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const [from, to] = [posthorn.exchange("from"), posthorn.exchange("to")];
    for (const exchange of [from, to]) await exchange.declare({ type: "fanout" });
    await (await posthorn.queue("q").declare()).bind(to);
    await to.bind(from, "a");
    await to.bind(from, "a");
    await to.bind(from, "a", { arguments: { n: 1 } });
    await to.unbind(from, "a");
    await from.publish("", "one");
    await to.unbind(from, "a", { arguments: { n: 1 } });
    await from.publish("", "none");
    expect(await waiting(posthorn, "q")).toBe(1);
    await to.unbind(from, "a");
    await to.unbind("missing");
    await posthorn.exchange("missing").unbind(from);
  }));

test("what is bound behind an exchange later, or goes, is taken into account, whatever was routed before", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const names = ["first", "second", "third"];
    for (const [index, name] of names.entries()) {
      const exchange = await posthorn.exchange(name).declare({ type: "topic" });
      if (index > 0) await exchange.bind(names[index - 1]!, "k");
    }
    const first = posthorn.exchange("first");
    const queue = await posthorn.queue("q").declare();
    await first.publish("k", "nowhere");
    await queue.bind("third", "k");
    await first.publish("k", "there");
    expect(await waiting(posthorn, "q")).toBe(1);
    await posthorn.exchange("second").delete();
    await first.publish("k", "nowhere again");
    expect(await waiting(posthorn, "q")).toBe(1);
  }));

test("binding what is not there is refused and says what; the default exchange cannot be bound", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const there = await posthorn.exchange("there").declare({ type: "topic" });
    await expect(there.bind("missing")).rejects.toMatchObject({
      code: "not-found",
      details: { exchange: "missing" },
    });
    await expect(posthorn.exchange("missing").bind(there)).rejects.toMatchObject({
      code: "not-found",
      details: { exchange: "missing" },
    });
    for (const bound of [there.bind(""), posthorn.defaultExchange.bind(there), there.unbind("")]) {
      await expect(bound).rejects.toMatchObject({ code: "access-refused" });
    }
    await there.bind("amq.topic", "k");
    await posthorn.exchange("amq.fanout").bind(there, "k");
  }));

test("a binding must suit the type of its source", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    await expect(
      posthorn.exchange("amq.fanout").bind("amq.headers", "", { arguments: { "x-match": "most" } }),
    ).rejects.toMatchObject({
      code: "invalid-argument",
      details: { source: "amq.headers", destination: "amq.fanout" },
    });
  }));

test("an exchange is in use as long as something is bound to it, and not because it is bound itself", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const [from, to] = [posthorn.exchange("from"), posthorn.exchange("to")];
    for (const exchange of [from, to]) await exchange.declare({ type: "fanout" });
    await to.bind(from);
    await expect(from.delete({ ifUnused: true })).rejects.toMatchObject({
      code: "precondition-failed",
      details: { bindings: 1 },
    });
    await to.delete({ ifUnused: true });
    await from.delete({ ifUnused: true });
  }));

test("an auto-delete exchange goes with the last binding to it, also when the exchange or queue behind that goes", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const names = ["first", "second", "third"];
    for (const [index, name] of names.entries()) {
      const exchange = await posthorn.exchange(name).declare({ type: "fanout", autoDelete: true });
      if (index > 0) await exchange.bind(names[index - 1]!);
    }
    const other = await posthorn.exchange("other").declare({ type: "fanout" });
    await other.bind("second");
    const queue = await posthorn.queue("q").declare();
    await queue.bind("third");
    await queue.delete();
    await expect(posthorn.exchange("third").check()).rejects.toMatchObject({ code: "not-found" });
    await posthorn.exchange("second").check();
    await other.delete();
    for (const name of names) {
      await expect(posthorn.exchange(name).check()).rejects.toMatchObject({ code: "not-found" });
    }
  }));

test("bindings between durable exchanges are there after a restart, the others are not", () =>
  withBroker(
    async ({ connect, restart }) => {
      const before = await connect();
      for (const name of ["from", "to"]) await before.exchange(name).declare({ type: "topic" });
      const passing = await before.exchange("passing").declare({ type: "topic", durable: false });
      await before.exchange("to").bind("from", "kept");
      await before.exchange("to").bind("from", "unbound");
      await before.exchange("to").unbind("from", "unbound");
      await passing.bind("from", "passing");
      await (await before.queue("q").declare()).bind("to", "#");
      await before.close();
      await restart();
      const posthorn = await connect();
      const from = posthorn.exchange("from");
      await from.publish("kept", "one", { mandatory: true });
      for (const key of ["unbound", "passing"])
        await expect(from.publish(key, "", { mandatory: true })).rejects.toMatchObject({ code: "no-route" });
      expect(await waiting(posthorn, "q")).toBe(1);
    },
    { onDisk: true },
  ));

test("bindings that lead to one exchange are limited, and the limit is named", () =>
  withBroker(
    async ({ connect }) => {
      const posthorn = await connect();
      const to = await posthorn.exchange("to").declare({ type: "topic" });
      await to.bind("amq.topic", "1");
      await to.bind("amq.topic", "2");
      await to.bind("amq.topic", "1");
      await expect(to.bind("amq.topic", "3")).rejects.toMatchObject({
        code: "limit-exceeded",
        details: { limit: "maxBindingsPerQueue", maximum: 2 },
      });
    },
    { config: { maxBindingsPerQueue: 2 } },
  ));
