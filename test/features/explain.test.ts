import { expect, test } from "vitest";
import type { ExplainedExchange, Posthorn } from "../../client/index.ts";
import { withBroker } from "../support/broker.ts";

/** Where a message would go, and why: without publishing it. */

async function declareAll(
  posthorn: Posthorn,
  exchanges: { readonly [name: string]: Parameters<ReturnType<Posthorn["exchange"]>["declare"]>[0] },
  queues: readonly string[],
): Promise<void> {
  for (const [name, declaration] of Object.entries(exchanges))
    await posthorn.exchange(name).declare(declaration);
  for (const name of queues) await posthorn.queue(name).declare();
}

test("every binding is shown with the reason why it matches or does not, those that match first", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    await declareAll(posthorn, { orders: { type: "topic" } }, ["billing", "late"]);
    await posthorn.queue("late").bind("orders", "order.*.late");
    await posthorn.queue("billing").bind("orders", "order.#", { arguments: { note: 1 } });
    expect(await posthorn.explain("orders", "order.germany.placed")).toEqual({
      queues: ["billing"],
      queueCount: 1,
      byChance: [],
      truncated: false,
      route: {
        exchange: "orders",
        exchangeType: "topic",
        bindings: [
          {
            queue: "billing",
            routingKey: "order.#",
            arguments: { note: 1 },
            outcome: "matched",
            reason: "The routing key fits the pattern.",
          },
          {
            queue: "late",
            routingKey: "order.*.late",
            outcome: "not-matched",
            reason: 'Word 3 is "placed", not "late".',
          },
        ],
      },
    });
    for (const name of ["billing", "late"]) expect((await posthorn.queue(name).check()).messageCount).toBe(0);
  }));

test("what lies behind other exchanges and alternates is shown in its place, each exchange once", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    await declareAll(
      posthorn,
      {
        orders: { type: "direct", alternateExchange: "rest" },
        rest: { type: "fanout" },
        germany: { type: "topic", internal: true, alternateExchange: "nobody" },
        other: { type: "direct", alternateExchange: "rest" },
      },
      ["q", "unrouted"],
    );
    await posthorn.exchange("germany").bind("orders", "k");
    await posthorn.exchange("orders").bind("germany", "#");
    await posthorn.queue("q").bind("germany", "k");
    await posthorn.queue("unrouted").bind("rest");
    expect((await posthorn.explain("orders", "k")).route).toEqual({
      exchange: "orders",
      exchangeType: "direct",
      bindings: [
        {
          destination: "germany",
          routingKey: "k",
          outcome: "matched",
          reason: "The routing key is the binding's.",
          next: {
            exchange: "germany",
            exchangeType: "topic",
            bindings: [
              // Back to where it came from: not shown a second time.
              {
                destination: "orders",
                routingKey: "#",
                outcome: "matched",
                reason: "The routing key fits the pattern.",
              },
              {
                queue: "q",
                routingKey: "k",
                outcome: "matched",
                reason: "The routing key fits the pattern.",
              },
            ],
            alternate: { exchange: "nobody", outcome: "not-needed" },
          },
        },
      ],
      alternate: { exchange: "rest", outcome: "not-needed" },
    });
    expect(await posthorn.explain("other", "unknown")).toMatchObject({
      queues: ["unrouted"],
      route: {
        bindings: [],
        alternate: {
          exchange: "rest",
          outcome: "used",
          next: { exchange: "rest", bindings: [{ queue: "unrouted", outcome: "matched" }] },
        },
      },
    });
    await posthorn.exchange("rest").delete();
    expect(await posthorn.explain("other", "unknown")).toMatchObject({
      queues: [],
      queueCount: 0,
      route: { alternate: { exchange: "rest", outcome: "missing" } },
    });
  }));

test("headers, properties and further keys are looked at as in a publish", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    await declareAll(
      posthorn,
      {
        headers: { type: "headers" },
        hash: { type: "consistent-hash", hashOn: { by: "property", name: "correlationId" } },
      },
      ["red", "a", "b", "c"],
    );
    await posthorn.queue("red").bind("headers", "", { arguments: { color: "red", at: new Date(5) } });
    for (const name of ["a", "b", "c"]) await posthorn.queue(name).bind("hash", "1");
    const headers = { color: "red", at: new Date(5) };
    expect((await posthorn.explain("headers", "", { headers })).queues).toEqual(["red"]);
    expect(
      (await posthorn.explain("headers", "", { headers: { color: "red" } })).route.bindings,
    ).toMatchObject([{ outcome: "not-matched", reason: 'The header "at" is missing.' }]);
    for (const correlationId of ["1", "2", "3", "4", "5", "6"]) {
      const { queues } = await posthorn.explain("hash", "any", { correlationId });
      await posthorn.exchange("hash").publish("any", "x", { correlationId });
      expect(queues.length).toBe(1);
      expect((await posthorn.queue(queues[0]!).get({ noAck: true }))?.text()).toBe("x");
    }
    const copies = { headers: { CC: ["a", "a"], BCC: ["nobody"] } };
    expect(await posthorn.explain("", "b", copies)).toMatchObject({
      queues: ["b", "a"],
      queueCount: 2,
      route: {
        exchange: "",
        exchangeType: "direct",
        bindings: [
          { queue: "b", outcome: "matched" },
          { queue: "a", outcome: "matched" },
          { queue: "nobody", outcome: "not-matched", reason: "There is no queue of this name." },
        ],
      },
    });
    await expect(posthorn.explain("headers", "", { headers: { CC: "no list" } })).rejects.toMatchObject({
      code: "invalid-argument",
    });
  }));

test("queues that only chance would lead to are told apart", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    await declareAll(posthorn, { front: { type: "fanout" }, jobs: { type: "random" } }, ["always", "a", "b"]);
    await posthorn.exchange("jobs").bind("front");
    for (const name of ["a", "b"]) await posthorn.queue(name).bind("jobs");
    await posthorn.queue("always").bind("front");
    const { queues, byChance, route } = await posthorn.explain("front", "");
    expect(queues).toEqual(["always", "a", "b"]);
    expect(byChance).toEqual(["a", "b"]);
    expect(route.bindings[0]?.next?.bindings.map(({ outcome }) => outcome)).toEqual(["chance", "chance"]);
    await posthorn.queue("a").bind("front");
    expect((await posthorn.explain("front", "")).byChance).toEqual(["b"]);
  }));

test("a long answer is cut off and says so: what matches is shown first, on all exchanges", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    await declareAll(posthorn, { wide: { type: "topic" }, behind: { type: "fanout" } }, ["q", "last"]);
    for (let index = 0; index < 30; index++) await posthorn.queue("q").bind("wide", `never.${index}`);
    await posthorn.exchange("behind").bind("wide", "k");
    await posthorn.queue("last").bind("behind");
    const { queues, truncated, route } = await posthorn.explain("wide", "k", { limit: 5 });
    expect([queues, truncated]).toEqual([["last"], true]);
    expect(route.bindings.length).toBe(4);
    expect(route.bindings[0]).toMatchObject({
      destination: "behind",
      next: { bindings: [{ queue: "last" }] },
    });
    expect((await posthorn.explain("wide", "k", { limit: 32 })).truncated).toBe(false);
    expect((await posthorn.explain("wide", "k")).route.bindings.length).toBe(31);
    for (let index = 0; index < 6; index++)
      await (await posthorn.queue(`copy-${index}`).declare()).bind("behind");
    expect(await posthorn.explain("wide", "k", { limit: 5 })).toMatchObject({
      queues: ["last", "copy-0", "copy-1", "copy-2", "copy-3"],
      queueCount: 7,
      truncated: true,
    });
    for (const limit of [0, 1001, 1.5]) {
      await expect(posthorn.explain("wide", "k", { limit })).rejects.toMatchObject({ code: "invalid-frame" });
    }
  }));

test("a chain of a hundred exchanges is explained to a depth that any JSON parser takes; its queues are all named", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const names = Array.from({ length: 100 }, (_, index) => `e${index}`);
    for (const name of names) await posthorn.exchange(name).declare({ type: "fanout" });
    for (const [index, name] of names.entries())
      if (index > 0) await posthorn.exchange(name).bind(names[index - 1]!);
    await (await posthorn.queue("end").declare()).bind("e99");
    const { queues, truncated, route } = await posthorn.explain("e0", "k");
    expect([queues, truncated]).toEqual([["end"], true]);
    let depth = 1;
    for (let at: ExplainedExchange = route; at.bindings[0]?.next !== undefined; depth++)
      at = at.bindings[0].next;
    expect(depth).toBe(32);
  }));

test("an exchange that is not there cannot be explained", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    await expect(posthorn.explain("missing", "k")).rejects.toMatchObject({
      code: "not-found",
      details: { exchange: "missing" },
    });
  }));
