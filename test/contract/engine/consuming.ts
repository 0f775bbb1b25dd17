import { expect, test } from "vitest";
import { textOf } from "../../support/embedded.ts";
import { failure, type OpenEngine, withEngine } from "./harness.ts";

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${i + 1}`);
}

/** Who gets what, when: SEMANTICS 34, 39, 59–70, 86. */
export function consumingContract(open: OpenEngine): void {
  test("messages come in the order in which they were published, with the bytes they had", () =>
    withEngine(open, async (context) => {
      await context.queue("q");
      const consumer = await context.consume("q", { prefetch: 1000 });
      context.publish("q", numbered(250));
      await context.quiet();
      context.publish("q", ["ä€😀", ""]);
      await context.quiet();
      expect(consumer.texts).toEqual([...numbered(250), "ä€😀", ""]);
      expect(consumer.deliveries.every(({ redelivered, attempts }) => !redelivered && attempts === 0)).toBe(
        true,
      );
    }));

  test("a subscription gets nothing until it is resumed for the first time", () =>
    withEngine(open, async (context) => {
      await context.queue("q");
      context.publish("q", "1");
      const consumer = await context.consume("q", { isIdle: true });
      await context.quiet();
      expect(consumer.texts).toEqual([]);
      consumer.subscription.resume();
      await context.quiet();
      expect(consumer.texts).toEqual(["1"]);
    }));

  test("a consumer never has more unsettled deliveries than its prefetch", () =>
    withEngine(open, async (context) => {
      await context.queue("q");
      context.publish("q", numbered(10));
      const consumer = await context.consume("q", { prefetch: 3 });
      await context.quiet();
      expect(consumer.texts).toEqual(["1", "2", "3"]);
    }));

  for (const outcome of ["ack", "reject"] as const) {
    test(`${outcome} gives the credit back, once for each delivery`, () =>
      withEngine(open, async (context) => {
        await context.queue("q");
        context.publish("q", numbered(10));
        const consumer = await context.consume("q", { prefetch: 2 });
        await context.quiet();
        context.engine.settle(consumer.pick("2"), outcome);
        await context.quiet();
        expect(consumer.texts).toEqual(["1", "2", "3"]);
        context.engine.settle(consumer.pick("1", "3"), outcome);
        await context.quiet();
        expect(consumer.texts).toEqual(["1", "2", "3", "4", "5"]);
      }));
  }

  for (const outcome of ["requeue", "return"] as const) {
    test(`${outcome} gives the credit back, and the message is the next in line`, () =>
      withEngine(open, async (context) => {
        await context.queue("q");
        context.publish("q", numbered(4));
        const consumer = await context.consume("q", { prefetch: 2 });
        await context.quiet();
        context.engine.settle(consumer.pick("2"), outcome);
        await context.quiet();
        expect(consumer.texts).toEqual(["1", "2", "2"]);
      }));
  }

  test("without acks the prefetch plays no part, and nothing is left to settle", () =>
    withEngine(open, async (context) => {
      await context.queue("q");
      context.publish("q", numbered(20));
      const consumer = await context.consume("q", { noAck: true, prefetch: 1 });
      await context.quiet();
      expect(consumer.texts).toEqual(numbered(20));
      await context.harness.restart("stopped");
      expect(await context.ready("q")).toBe(0);
    }));

  test("consumers are served in turn", () =>
    withEngine(open, async (context) => {
      await context.queue("q");
      const consumers = [await context.consume("q"), await context.consume("q"), await context.consume("q")];
      context.publish("q", numbered(7));
      await context.quiet();
      expect(consumers.map(({ texts }) => texts)).toEqual([
        ["1", "4", "7"],
        ["2", "5"],
        ["3", "6"],
      ]);
      // The turn goes on where it was.
      context.publish("q", ["8", "9"]);
      await context.quiet();
      expect(consumers.map(({ texts }) => texts.at(-1))).toEqual(["7", "8", "9"]);
    }));

  test("a consumer without credit is passed over", () =>
    withEngine(open, async (context) => {
      await context.queue("q");
      const small = await context.consume("q", { prefetch: 1 });
      const large = await context.consume("q");
      context.publish("q", numbered(5));
      await context.quiet();
      expect(small.texts).toEqual(["1"]);
      expect(large.texts).toEqual(["2", "3", "4", "5"]);
    }));

  test("a receiver without room holds back nobody else, and goes on when it is resumed", () =>
    withEngine(open, async (context) => {
      await context.queue("q");
      const full = await context.consume("q");
      full.room = false;
      const other = await context.consume("q", { prefetch: 3 });
      context.publish("q", numbered(5));
      await context.quiet();
      expect(full.texts).toEqual([]);
      expect(other.texts).toEqual(["1", "2", "3"]);
      full.room = true;
      await context.quiet();
      expect(full.texts).toEqual([]);
      full.subscription.resume();
      await context.quiet();
      expect(full.texts).toEqual(["4", "5"]);
    }));

  test("nothing is delivered after cancel, and what was delivered can still be settled", () =>
    withEngine(open, async (context) => {
      await context.queue("q");
      context.publish("q", ["1", "2"]);
      const consumer = await context.consume("q");
      await context.quiet();
      context.publish("q", "3");
      consumer.subscription.cancel();
      consumer.subscription.resume();
      consumer.subscription.cancel();
      await context.quiet();
      expect(consumer.texts).toEqual(["1", "2"]);
      expect(consumer.cancellations).toEqual([]);
      expect(await context.ready("q")).toBe(1);
      expect(context.engine.counts().consumers).toBe(0);
      context.engine.settle(consumer.pick("1"), "ack");
      context.engine.settle(consumer.pick("2"), "requeue");
      expect((await context.drain("q")).map(textOf)).toEqual(["2", "3"]);
    }));

  test("a consumer cancelled by another one's delivery gets nothing more, and its messages go to who is left", () =>
    withEngine(open, async (context) => {
      await context.queue("q");
      const first = await context.consume("q");
      const second = await context.consume("q");
      first.onDelivery = () => second.subscription.cancel();
      context.publish("q", numbered(4));
      await context.quiet();
      expect(second.texts).toEqual([]);
      expect(first.texts).toEqual(["1", "3", "2", "4"]);
      expect(first.deliveries.some(({ redelivered }) => redelivered)).toBe(false);
    }));

  test("a queue deleted by one consumer's delivery delivers nothing to the others", () =>
    withEngine(open, async (context) => {
      await context.queue("q");
      const first = await context.consume("q");
      const second = await context.consume("q");
      first.onDelivery = () => {
        void context.engine.deleteQueue("q", { ifUnused: false, ifEmpty: false }, context.owner);
      };
      context.publish("q", numbered(4));
      await context.quiet();
      expect(second.texts).toEqual([]);
      expect(second.cancellations).toEqual(["queue-deleted"]);
      expect(first.cancellations).toEqual(["queue-deleted"]);
    }));

  test("whoever cancels on hearing that another was cancelled is not told himself", () =>
    withEngine(open, async (context) => {
      await context.queue("q");
      const first = await context.consume("q");
      const second = await context.consume("q");
      first.cancelled = () => second.subscription.cancel();
      await context.engine.deleteQueue("q", { ifUnused: false, ifEmpty: false }, context.owner);
      expect(second.cancellations).toEqual([]);
      expect(context.engine.counts().consumers).toBe(0);
    }));

  test("an exclusive consumer is alone: it is refused beside others, and others beside it", () =>
    withEngine(open, async (context) => {
      await context.queue("q");
      const shared = await context.consume("q");
      expect(await failure(context.consume("q", { exclusive: true }))).toMatchObject({ code: "in-use" });
      shared.subscription.cancel();
      const exclusive = await context.consume("q", { exclusive: true });
      expect(await failure(context.consume("q"))).toMatchObject({ code: "in-use" });
      expect(await failure(context.consume("q", { exclusive: true }))).toMatchObject({ code: "in-use" });
      exclusive.subscription.cancel();
      await context.consume("q");
    }));

  test("consuming or getting from a queue that is not there fails", () =>
    withEngine(open, async (context) => {
      expect(await failure(context.consume("none"))).toMatchObject({ code: "not-found" });
      expect(await failure(context.engine.get("none", { noAck: false }, context.owner))).toMatchObject({
        code: "not-found",
      });
    }));

  test("get takes one message, says how many are left, and counts against nobody's prefetch", () =>
    withEngine(open, async (context) => {
      await context.queue("q");
      context.publish("q", ["1", "2", "3"]);
      const pulled = await context.engine.get("q", { noAck: false }, context.owner);
      expect(textOf(pulled.delivery!)).toBe("1");
      expect(pulled.messages).toBe(2);
      const consumer = await context.consume("q", { prefetch: 2 });
      await context.quiet();
      expect(consumer.texts).toEqual(["2", "3"]);
      expect(await context.engine.get("q", { noAck: false }, context.owner)).toEqual({
        delivery: undefined,
        messages: 0,
      });
      context.engine.settle([pulled.delivery!], "requeue");
      expect(textOf((await context.engine.get("q", { noAck: true }, context.owner)).delivery!)).toBe("1");
      context.engine.settle(consumer.deliveries, "ack");
      await context.harness.restart("stopped");
      expect(await context.ready("q")).toBe(0);
    }));

  test("purging takes the ready messages only, and says how many there were", () =>
    withEngine(open, async (context) => {
      await context.queue("q");
      context.publish("q", numbered(5));
      const consumer = await context.consume("q", { prefetch: 2 });
      await context.quiet();
      expect(await context.engine.purgeQueue("q", context.owner)).toBe(3);
      expect(await context.engine.purgeQueue("q", context.owner)).toBe(0);
      context.engine.settle(consumer.pick("2"), "ack");
      context.engine.settle(consumer.pick("1"), "requeue");
      context.publish("q", "6");
      await context.quiet();
      expect(consumer.texts).toEqual(["1", "2", "1", "6"]);
    }));

  test("a consumer's messages are not lost to the next when it takes part in nothing", () =>
    withEngine(open, async (context) => {
      await context.queue("q", { durable: false });
      const idle = await context.consume("q", { isIdle: true });
      context.publish("q", numbered(3), { persistent: false });
      const consumer = await context.consume("q");
      await context.quiet();
      expect(idle.texts).toEqual([]);
      expect(consumer.texts).toEqual(["1", "2", "3"]);
    }));
}
