import { expect, test } from "vitest";
import { failure, type OpenEngine, withEngine } from "./harness.ts";

/** How a queue shares out its messages: SEMANTICS 65, 68, 70. */
export function sharingContract(open: OpenEngine): void {
  const single = { arguments: { singleActiveConsumer: true } };

  test("the highest priority gets what it can take, the next one the rest", () =>
    withEngine(open, async (context) => {
      await context.queue("q");
      const low = await context.consume("q");
      const high = await context.consume("q", { priority: 1, prefetch: 2 });
      context.publish("q", ["1", "2", "3", "4"]);
      await context.quiet();
      expect([high.texts, low.texts]).toEqual([
        ["1", "2"],
        ["3", "4"],
      ]);
    }));

  test("a consumer gets no more bytes than it may, except for one message when it has none", () =>
    withEngine(open, async (context) => {
      await context.queue("q");
      const consumer = await context.consume("q", { prefetchBytes: 10 });
      context.publish("q", ["12345", "1234567890 and more", "1"]);
      await context.quiet();
      expect(consumer.texts).toEqual(["12345"]);
      context.engine.settle(consumer.pick("12345"), "ack");
      await context.quiet();
      expect(consumer.texts.slice(1)).toEqual(["1234567890 and more"]);
      context.engine.settle(consumer.pick("1234567890 and more"), "requeue");
      await context.quiet();
      expect(consumer.texts.slice(2)).toEqual(["1234567890 and more"]);
    }));

  test("of a single active consumer, each is told what it is, once it subscribes and when that changes", () =>
    withEngine(open, async (context) => {
      await context.queue("q", single);
      const first = await context.consume("q", { prefetch: 1 });
      const second = await context.consume("q");
      const preferred = await context.consume("q", { priority: 1, isIdle: true });
      expect([first, second, preferred].map(({ activeChanges }) => activeChanges)).toEqual([
        [true, false],
        [false],
        [true],
      ]);
      context.publish("q", ["1", "2"]);
      await context.quiet();
      expect([first.texts, second.texts]).toEqual([[], []]);
      preferred.subscription.cancel();
      await context.quiet();
      expect([first.texts, second.texts]).toEqual([["1"], []]);
      first.subscription.cancel();
      await context.quiet();
      expect(second.texts).toEqual(["2"]);
      expect([first.activeChanges.at(-1), second.activeChanges.at(-1)]).toEqual([true, true]);
    }));

  test("a queue with a single active consumer gives nothing to others", () =>
    withEngine(open, async (context) => {
      const { engine, owner } = context;
      await context.queue("q", single);
      const pulling = engine.get("q", { noAck: true }, owner);
      expect(await failure(pulling)).toMatchObject({ code: "resource-locked" });
      expect(await failure(context.consume("q", { exclusive: true }))).toMatchObject({
        code: "access-refused",
      });
    }));

  test("a paused queue gives nothing until it is resumed, also after a restart", () =>
    withEngine(open, async (context) => {
      const { harness, owner } = context;
      await context.queue("q");
      context.publish("q", "1");
      await context.quiet();
      await context.engine.pauseQueue("q", owner);
      await harness.restart("crashed");
      expect(await context.engine.inspectQueue("q", owner)).toMatchObject({ ready: 1, paused: true });
      const consumer = await context.consume("q");
      context.publish("q", "2");
      await context.quiet();
      expect(await context.engine.get("q", { noAck: true }, owner)).toEqual({
        delivery: undefined,
        messages: 2,
      });
      expect(consumer.texts).toEqual([]);
      await context.engine.resumeQueue("q", owner);
      await context.quiet();
      expect(consumer.texts).toEqual(["1", "2"]);
    }));
}
