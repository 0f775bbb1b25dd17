import { expect, test } from "vitest";
import type { Posthorn } from "../../client/index.ts";
import { withBroker } from "../support/broker.ts";

/** SEMANTICS 21. */

const waiting = async (posthorn: Posthorn, queue: string) =>
  (await posthorn.queue(queue).check()).messageCount;

/** A direct exchange with a queue `routed` for the key `k`, and its alternate with a queue `rest`. */
async function withAlternate(posthorn: Posthorn) {
  const unrouted = await posthorn.exchange("unrouted").declare({ type: "fanout" });
  const orders = await posthorn.exchange("orders").declare({ type: "direct", alternateExchange: "unrouted" });
  await (await posthorn.queue("routed").declare()).bind(orders, "k");
  await (await posthorn.queue("rest").declare()).bind(unrouted);
  return { orders, unrouted };
}

test("what matches no binding goes to the alternate exchange, and nothing else does", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const { orders } = await withAlternate(posthorn);
    await orders.publish("k", "known");
    await orders.publish("x", "unknown");
    expect(await waiting(posthorn, "routed")).toBe(1);
    const message = await posthorn.queue("rest").get();
    expect([message?.text(), message?.exchange, message?.routingKey]).toEqual(["unknown", "orders", "x"]);
    expect(await waiting(posthorn, "rest")).toBe(0);
  }));

test("a mandatory message that an alternate exchange takes counts as routed; one that it does not take comes back", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const { orders } = await withAlternate(posthorn);
    await orders.publish("x", "taken", { mandatory: true });
    await posthorn.queue("rest").delete();
    await expect(orders.publish("x", "lost", { mandatory: true })).rejects.toMatchObject({
      code: "no-route",
    });
  }));

test("an alternate exchange may have an alternate of its own, and a circle of them ends silently", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const names = ["a", "b", "c"];
    for (const [index, name] of names.entries()) {
      const alternateExchange = names[(index + 1) % names.length]!;
      await posthorn.exchange(name).declare({ type: "direct", alternateExchange });
    }
    await expect(posthorn.exchange("a").publish("k", "", { mandatory: true })).rejects.toMatchObject({
      code: "no-route",
    });
    await (await posthorn.queue("last").declare()).bind("c", "k");
    await posthorn.exchange("a").publish("k", "");
    expect(await waiting(posthorn, "last")).toBe(1);
  }));

test("messages that an alternate would get that is not there are dropped and counted", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const orders = await posthorn.exchange("orders").declare({ type: "topic", alternateExchange: "later" });
    for (let i = 0; i < 3; i++) await orders.publish("k", "lost");
    expect((await orders.status()).missedTargets).toBe(3);
    const later = await posthorn.exchange("later").declare({ type: "fanout" });
    await (await posthorn.queue("rest").declare()).bind(later);
    await orders.publish("k", "kept");
    expect((await orders.status()).missedTargets).toBe(3);
    expect(await waiting(posthorn, "rest")).toBe(1);
  }));

test("an exchange that is its own alternate is a circle, too", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const self = await posthorn.exchange("self").declare({ type: "topic", alternateExchange: "self" });
    await expect(self.publish("k", "", { mandatory: true })).rejects.toMatchObject({ code: "no-route" });
  }));

test("a binding to another exchange counts as a destination, even if it leads to no queue", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const { orders } = await withAlternate(posthorn);
    const dead = await posthorn.exchange("dead end").declare({ type: "topic" });
    await dead.bind(orders, "x");
    await orders.publish("x", "lost");
    expect(await waiting(posthorn, "rest")).toBe(0);
    await dead.unbind(orders, "x");
    await orders.publish("x", "kept");
    expect(await waiting(posthorn, "rest")).toBe(1);
  }));

test("an alternate that is declared, deleted or bound later is taken into account, whatever was routed before", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const orders = await posthorn.exchange("orders").declare({ type: "topic", alternateExchange: "later" });
    const rest = await posthorn.queue("rest").declare();
    await orders.publish("x", "there is none yet");
    const later = await posthorn.exchange("later").declare({ type: "topic" });
    await orders.publish("x", "it has no binding yet");
    expect(await waiting(posthorn, "rest")).toBe(0);
    await rest.bind(later, "x");
    await orders.publish("x", "taken");
    expect(await waiting(posthorn, "rest")).toBe(1);
    await later.delete();
    await orders.publish("x", "lost");
    expect(await waiting(posthorn, "rest")).toBe(1);
    await (await later.declare({ type: "fanout" })).check();
    await rest.bind(later);
    await orders.publish("x", "taken again");
    expect(await waiting(posthorn, "rest")).toBe(2);
  }));

test("the alternate is part of what an exchange is", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const { orders } = await withAlternate(posthorn);
    await orders.declare({ type: "direct", alternateExchange: "unrouted" });
    await expect(orders.declare({ type: "direct" })).rejects.toMatchObject({
      code: "precondition-failed",
      details: { differences: [{ name: "alternateExchange", existing: "unrouted" }] },
    });
  }));

test("an alternate that is no name is refused", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    for (const alternateExchange of ["", 7, null, ["unrouted"], "x".repeat(256)]) {
      const declaration = { exchange: "e", exchangeType: "topic", arguments: { alternateExchange } };
      expect(await client.request("exchange.declare", declaration)).toMatchObject({
        code: "invalid-argument",
        details: { argument: "alternateExchange" },
      });
    }
    expect(await client.request("exchange.declare", { exchange: "e", passive: true })).toMatchObject({
      code: "not-found",
    });
  }));

test("the alternate is kept over a restart", () =>
  withBroker(async ({ connect, restart }) => {
    await withAlternate(await connect());
    await restart();
    const posthorn = await connect();
    await posthorn.exchange("orders").publish("x", "unknown");
    expect(await waiting(posthorn, "rest")).toBe(1);
  }));
