import { expect, test } from "vitest";
import { withBroker } from "../support/broker.ts";

/** SEMANTICS 20. */

test("an internal exchange takes nothing from clients, and passes on what comes through other exchanges", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const inner = await posthorn.exchange("inner").declare({ type: "fanout", internal: true });
    const outer = await posthorn.exchange("outer").declare({ type: "fanout" });
    const fallback = await posthorn
      .exchange("fallback")
      .declare({ type: "direct", alternateExchange: "inner" });
    const queue = await posthorn.queue("q").declare();
    await queue.bind(inner);
    await inner.bind(outer);
    await expect(inner.publish("", "refused")).rejects.toMatchObject({ code: "access-refused" });
    await expect(inner.publish("", "refused", { mandatory: true })).rejects.toMatchObject({
      code: "access-refused",
    });
    await outer.publish("", "over a binding");
    await fallback.publish("", "as the alternate");
    expect((await queue.get())?.text()).toBe("over a binding");
    expect((await queue.get())?.text()).toBe("as the alternate");
  }));

test("being internal is part of what an exchange is, and is kept over a restart", () =>
  withBroker(async ({ connect, restart }) => {
    await (await connect()).exchange("inner").declare({ type: "topic", internal: true });
    await restart();
    const inner = (await connect()).exchange("inner");
    await inner.declare({ type: "topic", internal: true });
    await expect(inner.declare({ type: "topic" })).rejects.toMatchObject({
      details: { differences: [{ name: "internal", declared: false, existing: true }] },
    });
    await expect(inner.publish("", "")).rejects.toMatchObject({ code: "access-refused" });
  }));
