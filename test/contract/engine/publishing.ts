import { expect, test } from "vitest";
import { exchangeNamed } from "../../support/embedded.ts";
import { type OpenEngine, withEngine } from "./harness.ts";

/** What a publisher is told, and when: SEMANTICS 23, 25, 49–53, 58. */
export function publishingContract(open: OpenEngine): void {
  test("a persistent message to a durable queue is confirmed when it is on disk, and not before", () =>
    withEngine(open, async (context) => {
      await context.queue("q");
      context.harness.stopDisk();
      context.publish("q", ["1", "2", "3"]);
      await context.quiet();
      expect(context.publisher.outcomes).toEqual([]);
      context.harness.letDiskGoOn();
      await context.quiet();
      expect(context.publisher.outcomes).toEqual(["confirmed 1", "confirmed 2", "confirmed 3"]);
    }));

  test("what need not be on disk is confirmed at once", () =>
    withEngine(open, async (context) => {
      await context.queue("durable");
      await context.queue("transient", { durable: false });
      await context.queue("exclusive", { exclusive: true });
      context.harness.stopDisk();
      context.publish("durable", "1", { persistent: false });
      context.publish("transient", "2");
      context.publish("exclusive", "3");
      await context.quiet();
      expect(context.publisher.outcomes).toEqual(["confirmed 1", "confirmed 2", "confirmed 3"]);
    }));

  test("a message is confirmed when every durable queue it went to has it, although a transient one has it at once", () =>
    withEngine(open, async (context) => {
      const { engine, owner } = context;
      for (const [name, durable] of [
        ["a", true],
        ["b", false],
        ["c", true],
      ] as const) {
        await context.queue(name, { durable });
        await engine.bindQueue({ queue: name, exchange: "amq.fanout", routingKey: "", arguments: {} }, owner);
      }
      context.harness.stopDisk();
      context.publish("", "to all", { exchange: "amq.fanout" });
      const { delivery } = await engine.get("a", { noAck: false }, owner);
      engine.settle([delivery!], "ack");
      await context.quiet();
      expect(context.publisher.outcomes).toEqual([]);
      context.harness.letDiskGoOn();
      await context.quiet();
      expect(context.publisher.outcomes).toEqual(["confirmed 1"]);
    }));

  test("a message that is acked before it was to be written is confirmed without the disk", () =>
    withEngine(open, async (context) => {
      await context.queue("q");
      context.harness.stopDisk();
      context.publish("q", "1");
      const { delivery } = await context.engine.get("q", { noAck: false }, context.owner);
      context.engine.settle([delivery!], "ack");
      await context.quiet();
      expect(context.publisher.outcomes).toEqual(["confirmed 1"]);
    }));

  test("a message whose queue is purged or deleted is confirmed all the same", () =>
    withEngine(open, async (context) => {
      await context.queue("purged");
      await context.queue("deleted");
      context.publish("purged", "1");
      context.publish("deleted", "2");
      const purged = context.engine.purgeQueue("purged", context.owner);
      const deleted = context.engine.deleteQueue(
        "deleted",
        { ifUnused: false, ifEmpty: false },
        context.owner,
      );
      expect(await Promise.all([purged, deleted])).toEqual([1, 1]);
      await context.quiet();
      expect(context.publisher.confirmedNumbers).toEqual([1, 2]);
    }));

  test("a queue deleted while its messages are on their way to the disk keeps no publisher waiting", () =>
    withEngine(open, async (context) => {
      await context.queue("q");
      context.harness.stopDisk();
      context.publish("q", ["1", "2"]);
      await context.quiet();
      const deleted = context.engine.deleteQueue("q", { ifUnused: false, ifEmpty: false }, context.owner);
      context.harness.letDiskGoOn();
      expect(await deleted).toBe(2);
      await context.quiet();
      expect(context.publisher.confirmedNumbers).toEqual([1, 2]);
    }));

  test("a message without a route is confirmed, and a mandatory one is returned before that", () =>
    withEngine(open, async (context) => {
      await context.engine.declareExchange(exchangeNamed("orders", "topic"));
      context.publish("nowhere", "1", { exchange: "orders" });
      context.publish("nowhere", "2", { exchange: "orders", mandatory: true });
      context.publish("no-such-queue", "3", { mandatory: true });
      await context.quiet();
      expect(context.publisher.outcomes).toEqual([
        "confirmed 1",
        "returned 2",
        "confirmed 2",
        "returned 3",
        "confirmed 3",
      ]);
    }));

  test("a mandatory message with a route is not returned", () =>
    withEngine(open, async (context) => {
      await context.queue("q");
      context.publish("q", "1", { mandatory: true });
      await context.quiet();
      expect(context.publisher.outcomes).toEqual(["confirmed 1"]);
    }));

  test("a message to an exchange that does not exist is refused, and those after it are not", () =>
    withEngine(open, async (context) => {
      await context.queue("q");
      context.publish("q", "1");
      context.publish("q", "2", { exchange: "none", mandatory: true });
      context.publish("q", "3");
      await context.quiet();
      expect([...context.publisher.outcomes].sort()).toEqual([
        "confirmed 1",
        "confirmed 3",
        "refused 2 not-found",
      ]);
    }));

  test("a confirm that was not asked for is not needed for others to come", () =>
    withEngine(open, async (context) => {
      await context.queue("q");
      context.publish("q", "1");
      context.publish("q", "2", { confirm: false });
      context.publish("q", "3", { confirm: false, persistent: false });
      context.publish("q", "4");
      await context.quiet();
      expect(context.publisher.confirmedNumbers).toEqual(expect.arrayContaining([1, 4]));
      expect(await context.ready("q")).toBe(4);
    }));

  test("every outcome is told exactly once, whatever the messages are", () =>
    withEngine(open, async (context) => {
      await context.queue("durable");
      await context.queue("transient", { durable: false });
      const routes = [
        { routingKey: "durable" },
        { routingKey: "transient" },
        { routingKey: "none" },
        { routingKey: "", exchange: "none" },
      ];
      for (let i = 0; i < 400; i++) {
        const { routingKey, ...properties } = routes[i % 4]!;
        context.publish(routingKey, `${i}`, { ...properties, persistent: i % 3 > 0 });
        if (i % 37 === 0) await context.quiet();
      }
      await context.quiet();
      const numbers = context.publisher.outcomes.map((outcome) => Number(outcome.split(" ")[1]));
      expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 400 }, (_, i) => i + 1));
    }));

  test("a queue gets one copy, however many bindings lead to it", () =>
    withEngine(open, async (context) => {
      await context.queue("q");
      for (const routingKey of ["#", "orders.#", "orders.*", "orders.de"]) {
        await context.engine.bindQueue(
          { queue: "q", exchange: "amq.topic", routingKey, arguments: {} },
          context.owner,
        );
      }
      context.publish("orders.de", "once", { exchange: "amq.topic" });
      await context.quiet();
      expect(await context.ready("q")).toBe(1);
    }));

  test("every queue that is bound gets its own copy", () =>
    withEngine(open, async (context) => {
      const names = ["a", "b", "c"];
      for (const name of names) {
        await context.queue(name);
        await context.engine.bindQueue(
          { queue: name, exchange: "amq.fanout", routingKey: "", arguments: {} },
          context.owner,
        );
      }
      context.publish("", ["1", "2"], { exchange: "amq.fanout" });
      const [first] = await context.drain("a");
      context.engine.settle([first!], "ack");
      await context.quiet();
      expect((await context.drain("b")).length).toBe(2);
      expect((await context.drain("c")).length).toBe(2);
    }));

  test("headers are asked for only where they decide", () =>
    withEngine(open, async (context) => {
      await context.queue("q");
      await context.engine.bindQueue(
        { queue: "q", exchange: "amq.headers", routingKey: "", arguments: { country: "DE" } },
        context.owner,
      );
      const unread = () => {
        throw new Error("The headers were read.");
      };
      context.publish("q", "1", { headers: unread });
      context.publish("x", "2", { exchange: "amq.topic", headers: unread });
      context.publish("x", "3", { exchange: "amq.headers", headers: () => ({ country: "DE" }) });
      context.publish("x", "4", { exchange: "amq.headers", headers: () => ({ country: "FR" }) });
      await context.quiet();
      expect(await context.ready("q")).toBe(2);
    }));

  test("the engine is congested while too much waits for the disk, and tells of the relief", () =>
    withEngine(
      open,
      async (context) => {
        await context.queue("q");
        let reliefs = 0;
        context.engine.onRelief(() => reliefs++);
        context.harness.stopDisk();
        context.publish("q", "x".repeat(600));
        expect(context.engine.congested).toBe(false);
        context.publish("q", "x".repeat(600));
        expect(context.engine.congested).toBe(true);
        await context.quiet();
        expect(context.engine.congested).toBe(true);
        expect(reliefs).toBe(0);
        context.harness.letDiskGoOn();
        await context.quiet();
        expect(context.engine.congested).toBe(false);
        expect(reliefs).toBe(1);
      },
      { maxUncommittedBytes: 1000 },
    ));

  test("what is settled before it is written relieves, too", () =>
    withEngine(
      open,
      async (context) => {
        await context.queue("q");
        context.harness.stopDisk();
        context.publish("q", "x".repeat(1200));
        expect(context.engine.congested).toBe(true);
        context.engine.settle(await context.drain("q"), "ack");
        await context.quiet();
        expect(context.engine.congested).toBe(false);
      },
      { maxUncommittedBytes: 1000 },
    ));
}
