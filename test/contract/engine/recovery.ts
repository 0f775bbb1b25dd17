import { expect, test } from "vitest";
import { exchangeNamed, queueNamed, textOf } from "../../support/embedded.ts";
import { failure, type OpenEngine, withEngine } from "./harness.ts";

const ways = ["stopped", "crashed"] as const;

/** What is there after a restart: SEMANTICS 93. */
export function recoveryContract(open: OpenEngine): void {
  for (const way of ways) {
    test(`durable exchanges, queues and bindings are there after the engine has ${way}, and nothing else is`, () =>
      withEngine(open, async (context) => {
        const { owner: by } = context;
        const { engine } = context;
        await engine.declareExchange(exchangeNamed("durable", "topic", { arguments: { a: 1 } }));
        await engine.declareExchange(exchangeNamed("transient", "topic", { durable: false }));
        await context.queue("durable");
        await context.queue("transient", { durable: false });
        await context.queue("exclusive", { exclusive: true });
        for (const queue of ["durable", "transient", "exclusive"]) {
          for (const exchange of ["durable", "transient", "amq.topic"]) {
            const args = { list: [1n, "x", new Uint8Array([1])] };
            await engine.bindQueue({ queue, exchange, routingKey: "a.*", arguments: args }, by);
          }
        }
        await context.harness.restart(way);
        const { engine: next } = context;
        expect(next.counts()).toMatchObject({ exchanges: 6, queues: 1, consumers: 0 });
        expect(await failure(next.checkExchange("transient"))).toMatchObject({ code: "not-found" });
        expect(await failure(next.checkQueue("transient", by))).toMatchObject({ code: "not-found" });
        await next.declareExchange(exchangeNamed("durable", "topic", { arguments: { a: 1 } }));
        expect(await next.declareQueue(queueNamed("durable"), by)).toEqual({
          name: "durable",
          messages: 0,
          consumers: 0,
        });
        context.publish("a.b", "1", { exchange: "durable" });
        context.publish("a.b", "2", { exchange: "amq.topic" });
        const args = { list: [1, "x", new Uint8Array([1])] };
        await next.unbindQueue(
          { queue: "durable", exchange: "durable", routingKey: "a.*", arguments: args },
          by,
        );
        context.publish("a.b", "3", { exchange: "durable" });
        await context.quiet();
        expect(await context.ready("durable")).toBe(2);
      }));

    test(`what was deleted stays deleted after the engine has ${way}`, () =>
      withEngine(open, async (context) => {
        const { owner: by, engine } = context;
        await engine.declareExchange(exchangeNamed("x", "fanout"));
        await context.queue("q");
        await context.queue("r");
        await engine.bindQueue({ queue: "r", exchange: "x", routingKey: "", arguments: {} }, by);
        await engine.bindQueue({ queue: "r", exchange: "amq.fanout", routingKey: "", arguments: {} }, by);
        context.publish("q", "1");
        await engine.deleteQueue("q", { ifUnused: false, ifEmpty: false }, by);
        await engine.deleteExchange("x", { ifUnused: false });
        await engine.unbindQueue({ queue: "r", exchange: "amq.fanout", routingKey: "", arguments: {} }, by);
        await context.harness.restart(way);
        expect(context.engine.counts()).toMatchObject({ exchanges: 5, queues: 1, consumers: 0 });
        await context.queue("q");
        context.publish("", "2", { exchange: "amq.fanout" });
        await context.quiet();
        expect(await context.ready("q")).toBe(0);
        expect(await context.ready("r")).toBe(0);
      }));

    test(`confirmed persistent messages are there in order after the engine has ${way}, transient ones are not`, () =>
      withEngine(open, async (context) => {
        await context.queue("q");
        for (let i = 0; i < 300; i++) {
          context.publish("q", `${i}`, { persistent: i % 3 > 0 });
          if (i % 50 === 0) await context.quiet();
        }
        await context.quiet();
        await context.harness.restart(way);
        const expected = Array.from({ length: 300 }, (_, i) => `${i}`).filter((_, i) => i % 3 > 0);
        expect(await context.ready("q")).toBe(expected.length);
        expect((await context.drain("q")).map(textOf)).toEqual(expected);
      }));

    test(`what was settled stays settled after the engine has ${way}`, () =>
      withEngine(open, async (context) => {
        await context.queue("q");
        context.publish("q", ["1", "2", "3", "4", "5"]);
        await context.quiet();
        const deliveries = await context.drain("q");
        context.engine.settle([deliveries[0]!, deliveries[3]!], "ack");
        context.engine.settle([deliveries[1]!], "reject");
        context.engine.settle([deliveries[4]!, deliveries[2]!], "return");
        await context.quiet();
        await context.harness.restart(way);
        expect((await context.drain("q")).map(textOf)).toEqual(["3", "5"]);
      }));

    test(`what was purged stays away after the engine has ${way}, what was handed out then does not`, () =>
      withEngine(open, async (context) => {
        await context.queue("q");
        context.publish("q", ["1", "2", "3"]);
        const { delivery } = await context.engine.get("q", { noAck: false }, context.owner);
        await context.engine.purgeQueue("q", context.owner);
        context.engine.settle([delivery!], "return");
        await context.quiet();
        await context.harness.restart(way);
        expect((await context.drain("q")).map(textOf)).toEqual(["1"]);
      }));
  }

  test("after a crash every message counts as redelivered, for nobody knows", () =>
    withEngine(open, async (context) => {
      await context.queue("q");
      context.publish("q", ["1", "2"]);
      await context.quiet();
      await context.engine.get("q", { noAck: false }, context.owner);
      await context.harness.restart("crashed");
      context.publish("q", "3");
      await context.quiet();
      expect((await context.drain("q")).map((delivery) => [textOf(delivery), delivery.redelivered])).toEqual([
        ["1", true],
        ["2", true],
        ["3", false],
      ]);
    }));

  test("what may have been handed out before a crash still counts as redelivered after an orderly stop", () =>
    withEngine(open, async (context) => {
      await context.queue("q");
      context.publish("q", "1");
      await context.quiet();
      await context.harness.restart("crashed");
      context.publish("q", "2");
      await context.harness.restart("stopped");
      const deliveries = await context.drain("q");
      expect(deliveries.map((delivery) => [textOf(delivery), delivery.redelivered])).toEqual([
        ["1", true],
        ["2", false],
      ]);
    }));

  test("after an orderly stop it is known exactly which messages were handed out, and how often", () =>
    withEngine(open, async (context) => {
      await context.queue("q");
      context.publish("q", ["1", "2", "3"]);
      const first = await context.drain("q");
      context.engine.settle([first[0]!], "requeue");
      await context.quiet();
      context.engine.settle([first[1]!], "return");
      const { delivery } = await context.engine.get("q", { noAck: false }, context.owner);
      context.engine.settle([delivery!], "return");
      context.publish("q", "4");
      context.engine.settle([first[2]!], "ack");
      await context.harness.restart("stopped");
      expect(
        (await context.drain("q")).map((delivery) => [
          textOf(delivery),
          delivery.redelivered,
          delivery.attempts,
        ]),
      ).toEqual([
        ["1", true, 2],
        ["2", true, 1],
        ["4", false, 0],
      ]);
    }));

  test("stopping makes durable what is under way", () =>
    withEngine(open, async (context) => {
      await context.queue("q");
      context.publish("q", ["1", "2"], { confirm: false });
      await context.harness.restart("stopped");
      expect(await context.ready("q")).toBe(2);
    }));

  test("order holds over restarts, also for what came back", () =>
    withEngine(open, async (context) => {
      await context.queue("q");
      context.publish("q", ["1", "2", "3"]);
      await context.quiet();
      await context.harness.restart("stopped");
      context.publish("q", ["4", "5"]);
      const deliveries = await context.drain("q");
      expect(deliveries.map(textOf)).toEqual(["1", "2", "3", "4", "5"]);
      context.engine.settle([deliveries[4]!, deliveries[1]!, deliveries[0]!], "return");
      await context.quiet();
      await context.harness.restart("crashed");
      context.publish("q", "6");
      expect((await context.drain("q")).map(textOf)).toEqual(["1", "2", "3", "4", "5", "6"]);
    }));

  test("a message to several queues is in all of them after a crash, and leaves each by itself", () =>
    withEngine(open, async (context) => {
      for (const name of ["a", "b", "c"]) {
        await context.queue(name);
        await context.engine.bindQueue(
          { queue: name, exchange: "amq.fanout", routingKey: "", arguments: {} },
          context.owner,
        );
      }
      context.publish("", ["1", "2"], { exchange: "amq.fanout" });
      await context.quiet();
      context.engine.settle(await context.drain("a"), "ack");
      await context.engine.deleteQueue("b", { ifUnused: false, ifEmpty: false }, context.owner);
      await context.quiet();
      await context.harness.restart("crashed");
      expect(await context.ready("a")).toBe(0);
      expect((await context.drain("c")).map(textOf)).toEqual(["1", "2"]);
    }));
}
