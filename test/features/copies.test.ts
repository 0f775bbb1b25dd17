import { expect, test } from "vitest";
import { withBroker } from "../support/broker.ts";

/** The headers CC and BCC: SEMANTICS 25, 57. */

test("a message goes by the keys in CC and BCC as by its own, and a queue gets one copy", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const orders = await posthorn.exchange("orders").declare({ type: "topic" });
    const bindings = { own: "a", cc: "b.*", bcc: "c", several: "#", other: "d" };
    for (const [queue, key] of Object.entries(bindings)) {
      await (await posthorn.queue(queue).declare()).bind(orders, key);
    }
    await orders.publish("a", "hello", { headers: { CC: ["b.1", "b.2", "a"], BCC: ["c", "c"] } });
    for (const queue of Object.keys(bindings)) {
      const count = (await posthorn.queue(queue).check()).messageCount;
      expect([queue, count]).toEqual([queue, queue === "other" ? 0 : 1]);
    }
  }));

test("the default exchange, too, goes by the further keys", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    for (const name of ["first", "second", "third"]) await posthorn.queue(name).declare();
    const headers = { CC: ["second", "nobody", "second"], BCC: ["third"] };
    await posthorn.defaultExchange.publish("first", "", { headers });
    await posthorn.defaultExchange.publish("nobody", "", { headers, mandatory: true });
    for (const [name, count] of [
      ["first", 1],
      ["second", 2],
      ["third", 2],
    ] as const)
      expect((await posthorn.queue(name).check()).messageCount).toBe(count);
  }));

test("an alternate exchange gets what none of the keys finds a binding for, and matches all of them again", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const rest = await posthorn.exchange("rest").declare({ type: "direct" });
    const orders = await posthorn.exchange("orders").declare({ type: "direct", alternateExchange: "rest" });
    const [known, unknown] = [
      await posthorn.queue("known").declare(),
      await posthorn.queue("unknown").declare(),
    ];
    await known.bind(orders, "known");
    await unknown.bind(rest, "b");
    await orders.publish("a", "", { headers: { CC: ["known", "b"] } });
    expect((await unknown.check()).messageCount).toBe(0);
    await orders.publish("a", "", { headers: { CC: ["b"] } });
    expect((await unknown.check()).messageCount).toBe(1);
    expect((await known.check()).messageCount).toBe(1);
  }));

test("consumers see CC and never BCC; everything else in the message is as it was published", () =>
  withBroker(async ({ connect, raw }) => {
    const posthorn = await connect();
    for (const name of ["first", "second"]) await posthorn.queue(name).declare();
    const headers = { a: 1.5, CC: ["second"], BCC: ["hidden"], z: [null, { deep: new Date(7) }] };
    const options = { headers, correlationId: "c", priority: 3, appId: "app", messageId: "m" };
    await posthorn.defaultExchange.publish("first", new Uint8Array([1, 2, 3]), options);
    const { BCC: _, ...shown } = headers;
    const message = await posthorn.queue("second").get();
    expect(message?.headers).toEqual(shown);
    expect([
      message?.properties.correlationId,
      message?.properties.appId,
      message?.properties.priority,
    ]).toEqual(["c", "app", 3]);
    expect(message?.bytes).toEqual(new Uint8Array([1, 2, 3]));
    const client = await raw();
    client.ask("queue.get", { queue: "first" });
    expect(await client.next({ type: "deliver" })).toMatchObject({
      properties: { headers: { a: 1.5, CC: ["second"] }, messageId: "m" },
      base64: "AQID",
    });
    expect(JSON.stringify(client.received)).not.toContain("BCC");
  }));

test("a stored message has no BCC either, after a restart", () =>
  withBroker(
    async ({ connect, restart }) => {
      const before = await connect();
      await before.queue("q").declare();
      await before.queue("q").publish("kept", { headers: { BCC: ["x"], other: true } });
      await before.close();
      await restart();
      const message = await (await connect()).queue("q").get();
      expect([message?.text(), message?.headers]).toEqual(["kept", { other: true }]);
    },
    { onDisk: true },
  ));

test("a message that comes back as unroutable has been routed by all keys", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await client.must("queue.declare", { queue: "q" });
    client.publish({
      routingKey: "none",
      mandatory: true,
      properties: { headers: { CC: ["no"], BCC: ["neither"], n: 1 } },
      text: "x",
    });
    expect(await client.next({ type: "return" })).toMatchObject({
      code: "no-route",
      properties: { headers: { CC: ["no"], n: 1 } },
    });
    client.publish({
      routingKey: "none",
      mandatory: true,
      properties: { headers: { BCC: ["q"] } },
      text: "x",
    });
    expect(await client.next({ type: "confirm", first: 2 })).not.toHaveProperty("code");
    expect(client.received.filter(({ type }) => type === "return").length).toBe(1);
  }));

test("CC and BCC that are no lists of routing keys are refused, for that message alone", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await client.must("queue.declare", { queue: "q" });
    const publish = (headers: { readonly [name: string]: unknown }) =>
      client.confirmed({ routingKey: "q", properties: { headers } });
    const wrong = ["q", 7, null, { key: "q" }, ["q", 7], [["q"]], ["x".repeat(256)], ["ü".repeat(128)]];
    for (const name of ["CC", "BCC"]) {
      for (const value of wrong) {
        const confirm = await publish({ [name]: value });
        expect(confirm).toMatchObject({ code: "invalid-argument" });
        expect(confirm.message).toContain(name);
      }
    }
    const many = (count: number) => Array.from({ length: count }, () => "none");
    expect(await publish({ CC: many(200), BCC: many(57) })).toMatchObject({ code: "invalid-argument" });
    expect(await client.must("queue.declare", { queue: "q" })).toMatchObject({ messageCount: 0 });
    for (const fine of [
      { CC: many(200), BCC: many(56) },
      { CC: [] },
      { cc: 7, Bcc: 7 },
      { CC: ["x".repeat(255)] },
    ])
      expect(await publish(fine)).not.toHaveProperty("code");
    expect(await client.must("queue.declare", { queue: "q" })).toMatchObject({ messageCount: 4 });
  }));
