import { describe, expect, test } from "vitest";
import { connectToFake, type FakeWorld, reconnect } from "../support/fake-client.ts";
import type { FakeConnection } from "../support/fake-server.ts";
import { settled } from "../support/manual-runtime.ts";

let namesMadeUp = 0;
const counts = { messageCount: 0, consumerCount: 0 };

/** Answers everything that comes, and returns it. */
async function answerAll(broker: FakeConnection): Promise<{ [field: string]: unknown }[]> {
  const seen: { [field: string]: unknown }[] = [];
  for (;;) {
    await settled();
    if (broker.unread.length === 0) return seen;
    const frame = (await broker.next()) as { type: string; id?: number; [field: string]: unknown };
    const { id, ...content } = frame;
    seen.push(content);
    if (id === undefined) continue;
    const name = (frame.queue as string | undefined) ?? `amq.gen-${++namesMadeUp}`;
    const consumer = { consumer: seen.length, consumerTag: "tag", prefetch: 10 };
    const reply = frame.type === "queue.declare" ? { queue: name, ...counts } : {};
    broker.control({ type: "ok", id, ...(frame.type === "queue.consume" ? consumer : reply) });
  }
}

async function declared(broker: FakeConnection, work: Promise<unknown>): Promise<void> {
  await answerAll(broker);
  await work;
}

async function backAgain(world: FakeWorld, broker: FakeConnection) {
  const again = await reconnect(world, broker);
  return { again, seen: await answerAll(again) };
}

describe("after a reconnect", () => {
  test("exchanges, queues and bindings are brought back in this order, then publishes are sent and consumers start", async () => {
    const world = await connectToFake();
    const { posthorn, broker } = world;
    const billing = posthorn.queue("billing");
    const work = (async () => {
      await billing.declare({ durable: true });
      await posthorn.exchange("orders").declare({ type: "topic" });
      await billing.bind("orders", "order.*.line", { arguments: { at: new Date(5) } });
      await billing.consume(() => {}, { prefetch: 7 });
    })();
    await answerAll(broker);
    await work;
    const published = posthorn.exchange("orders").publish("k", "x", { mandatory: true });
    await broker.expect("publish");
    const { again, seen } = await backAgain(world, broker);
    expect(seen.map(({ type }) => type)).toEqual([
      "exchange.declare",
      "queue.declare",
      "queue.bind",
      "publish",
      "queue.consume",
    ]);
    expect(seen.filter(({ type }) => type !== "publish")).toEqual([
      { type: "exchange.declare", exchange: "orders", exchangeType: "topic" },
      { type: "queue.declare", queue: "billing", durable: true },
      {
        type: "queue.bind",
        queue: "billing",
        exchange: "orders",
        routingKey: "order.*.line",
        arguments: { at: { $timestamp: 5 } },
      },
      { type: "queue.consume", queue: "billing", prefetch: 7 },
    ]);
    again.confirm(1);
    await published;
  });

  test("what was changed by a declaration is taken as it is then: others may have changed it since", async () => {
    const world = await connectToFake();
    const { posthorn, broker } = world;
    const work = (async () => {
      await posthorn.queue("q").declare({ autoDelete: true, onMismatch: "update" });
      await posthorn.queue("r").declare({ onMismatch: "keep" });
      await posthorn.exchange("e").declare({ type: "topic", onMismatch: "update" });
    })();
    const first = await answerAll(broker);
    await work;
    const { seen } = await backAgain(world, broker);
    expect(first.map(({ onMismatch }) => onMismatch)).toEqual(["update", "keep", "update"]);
    expect(seen).toEqual([
      { type: "exchange.declare", exchange: "e", exchangeType: "topic", onMismatch: "keep" },
      { type: "queue.declare", queue: "q", autoDelete: true, onMismatch: "keep" },
      { type: "queue.declare", queue: "r", onMismatch: "keep" },
    ]);
  });

  test("the connection counts as open only when everything is back", async () => {
    const world = await connectToFake();
    await declared(world.broker, world.posthorn.queue("q").declare());
    const again = await reconnect(world, world.broker);
    await again.expect("queue.declare");
    expect(world.posthorn.state).toBe("reconnecting");
  });

  test("what was deleted or unbound stays away", async () => {
    const world = await connectToFake();
    const { posthorn, broker } = world;
    const [kept, gone] = [posthorn.queue("kept"), posthorn.queue("gone")];
    const work = (async () => {
      await posthorn.exchange("a").declare({ type: "fanout" });
      await posthorn.exchange("b").declare({ type: "fanout" });
      await kept.declare();
      await gone.declare();
      for (const queue of [kept, gone]) for (const exchange of ["a", "b"]) await queue.bind(exchange, "k");
      await kept.bind("a", "other");
      await kept.bind("a", "h", { arguments: { x: 1, y: 2 } });
      // Another handle of the same queue, and the arguments in another order: the same binding.
      await posthorn.queue("kept").unbind("a", "h", { arguments: { y: 2, x: 1 } });
      await kept.unbind("a", "k");
      await posthorn.exchange("b").delete();
      await gone.delete();
    })();
    await declared(broker, work);
    const { seen } = await backAgain(world, broker);
    expect(seen).toEqual([
      { type: "exchange.declare", exchange: "a", exchangeType: "fanout" },
      { type: "queue.declare", queue: "kept" },
      { type: "queue.bind", queue: "kept", exchange: "a", routingKey: "other" },
    ]);
  });

  test("exchanges bound to each other are bound again; auto-delete ones that went with their last binding are not declared", async () => {
    const world = await connectToFake();
    const { posthorn, broker } = world;
    const [a, b, c] = [posthorn.exchange("a"), posthorn.exchange("b"), posthorn.exchange("c")];
    const work = (async () => {
      await a.declare({ type: "topic", internal: true, alternateExchange: "rest" });
      await b.declare({ type: "fanout", autoDelete: true });
      await c.declare({ type: "fanout", autoDelete: true });
      await b.bind(a, "x");
      await b.bind(a, "y", { arguments: { n: 1 } });
      await b.unbind(a, "x");
      await a.bind(b, "z");
      await c.bind("elsewhere");
      await posthorn.queue("q").declare();
      await posthorn.queue("q").bind(c);
      await b.bind(c);
      await posthorn.queue("q").delete();
      // With it goes c, which has no other binding then, and the binding that leads to c.
      await b.unbind(c);
    })();
    await declared(broker, work);
    const { seen } = await backAgain(world, broker);
    expect(seen).toEqual([
      {
        type: "exchange.declare",
        exchange: "a",
        exchangeType: "topic",
        internal: true,
        arguments: { alternateExchange: "rest" },
      },
      { type: "exchange.declare", exchange: "b", exchangeType: "fanout", autoDelete: true },
      {
        type: "exchange.bind",
        destination: "b",
        source: "a",
        routingKey: "y",
        arguments: { n: 1 },
      },
      { type: "exchange.bind", destination: "a", source: "b", routingKey: "z" },
    ]);
  });

  test("a queue that the broker named gets a new name, and its handle, bindings and consumers follow", async () => {
    const world = await connectToFake();
    const { posthorn, broker } = world;
    const mine = posthorn.queue();
    expect(() => mine.name).toThrow(expect.objectContaining({ code: "invalid-argument" }));
    const work = (async () => {
      await mine.declare({ exclusive: true });
      await mine.bind("orders", "#");
      await mine.consume(() => {});
    })();
    await declared(broker, work);
    const before = mine.name;
    const { seen } = await backAgain(world, broker);
    expect(mine.name).not.toBe(before);
    expect(seen).toEqual([
      { type: "queue.declare", exclusive: true },
      { type: "queue.bind", queue: mine.name, exchange: "orders", routingKey: "#" },
      { type: "queue.consume", queue: mine.name },
    ]);
  });

  test("an auto-delete queue is not brought back once its last consumer was cancelled", async () => {
    const world = await connectToFake();
    const { posthorn, broker } = world;
    const queue = posthorn.queue("live");
    const work = (async () => {
      await queue.declare({ autoDelete: true });
      await queue.bind("orders", "#");
      const one = await queue.consume(() => {});
      const two = await queue.consume(() => {});
      await one.cancel();
      await two.cancel();
    })();
    await declared(broker, work);
    const { seen } = await backAgain(world, broker);
    expect(seen).toEqual([]);
  });

  test("what cannot be brought back is an error event, and the rest is", async () => {
    const world = await connectToFake();
    const { posthorn, broker } = world;
    const errors: unknown[] = [];
    posthorn.on("error", (error) => errors.push(error));
    await declared(broker, posthorn.queue("one").declare());
    await declared(broker, posthorn.queue("two").declare());
    const again = await reconnect(world, broker);
    const { id } = await again.expect("queue.declare");
    again.control({ type: "error", id, code: "precondition-failed", message: "Another type." });
    await again.answer("queue.declare", { queue: "two", ...counts });
    await settled();
    expect(posthorn.state).toBe("open");
    expect(errors).toMatchObject([
      { code: "precondition-failed", message: expect.stringContaining("queue one") },
    ]);
  });

  test("an exclusive queue that the lost session still holds is asked for until it is free", async () => {
    const world = await connectToFake();
    const { posthorn, broker, clock } = world;
    await declared(broker, posthorn.queue("mine").declare({ exclusive: true }));
    const again = await reconnect(world, broker);
    for (let i = 0; i < 3; i++) {
      const { id } = await again.expect("queue.declare");
      again.control({ type: "error", id, code: "resource-locked", message: "Of another session." });
      await clock.advance(500);
    }
    await again.answer("queue.declare", { queue: "mine", ...counts });
    await settled();
    expect(posthorn.state).toBe("open");
  });

  test("a connection lost again while things are brought back is made once more", async () => {
    const world = await connectToFake();
    await declared(world.broker, world.posthorn.queue("q").declare());
    const second = await reconnect(world, world.broker);
    await second.expect("queue.declare");
    second.drop();
    const accepted = world.server.accept();
    await world.clock.advance(1000);
    const third = await accepted;
    await third.welcome();
    expect(await answerAll(third)).toEqual([{ type: "queue.declare", queue: "q" }]);
    expect(world.posthorn.state).toBe("open");
  });
});
