import { expect, test } from "vitest";
import { textOf } from "../../support/embedded.ts";
import { type OpenEngine, withEngine } from "./harness.ts";

/** What becomes of deliveries: SEMANTICS 38, 69, 72–77. */
export function settlingContract(open: OpenEngine): void {
  test("requeued messages come back to their places, in whatever order they are requeued", () =>
    withEngine(open, async (context) => {
      await context.queue("q");
      context.publish("q", ["1", "2", "3", "4", "5", "6"]);
      const consumer = await context.consume("q", { prefetch: 5 });
      await context.quiet();
      consumer.subscription.cancel();
      context.engine.settle(consumer.pick("4", "1"), "requeue");
      context.engine.settle(consumer.pick("3", "5"), "return");
      context.engine.settle(consumer.pick("2"), "requeue");
      expect((await context.drain("q")).map(textOf)).toEqual(["1", "2", "3", "4", "5", "6"]);
    }));

  test("a message that came back says so, and how often", () =>
    withEngine(open, async (context) => {
      await context.queue("q");
      context.publish("q", ["1", "2"]);
      const [first] = await context.drain("q");
      context.engine.settle([first!], "requeue");
      for (const attempts of [1, 2, 3]) {
        const { delivery } = await context.engine.get("q", { noAck: false }, context.owner);
        expect(delivery).toMatchObject({ redelivered: true, attempts });
        context.engine.settle([delivery!], attempts % 2 === 0 ? "requeue" : "return");
      }
    }));

  test("a rejected message is gone", () =>
    withEngine(open, async (context) => {
      await context.queue("q");
      context.publish("q", ["1", "2"]);
      context.engine.settle(await context.drain("q"), "reject");
      await context.quiet();
      expect(await context.ready("q")).toBe(0);
      await context.harness.restart("stopped");
      expect(await context.ready("q")).toBe(0);
    }));

  test("deliveries of a queue that was deleted can be settled, to no effect", () =>
    withEngine(open, async (context) => {
      await context.queue("q");
      context.publish("q", ["1", "2", "3", "4"]);
      const deliveries = await context.drain("q");
      await context.engine.deleteQueue("q", { ifUnused: false, ifEmpty: false }, context.owner);
      await context.queue("q");
      for (const [i, outcome] of (["ack", "requeue", "reject", "return"] as const).entries()) {
        context.engine.settle([deliveries[i]!], outcome);
      }
      await context.quiet();
      expect(await context.ready("q")).toBe(0);
    }));

  test("one settlement may name deliveries of several queues, those that went included", () =>
    withEngine(open, async (context) => {
      for (const name of ["a", "b", "c"]) {
        await context.queue(name);
        context.publish(name, name);
      }
      const deliveries = [];
      for (const name of ["a", "b", "c"]) deliveries.push(...(await context.drain(name)));
      await context.engine.deleteQueue("b", { ifUnused: false, ifEmpty: false }, context.owner);
      context.engine.settle(deliveries, "requeue");
      expect([await context.ready("a"), await context.ready("c")]).toEqual([1, 1]);
    }));

  test("a consumer that refuses its message for ever does not keep other queues from being served", () =>
    withEngine(open, async (context) => {
      await context.queue("hot");
      await context.queue("calm");
      const hot = await context.consume("hot", { prefetch: 1 });
      let isOver = false;
      let refusals = 0;
      hot.onDelivery = (delivery) => {
        if (isOver) return;
        refusals++;
        context.engine.settle([delivery], "requeue");
      };
      const calm = await context.consume("calm");
      context.publish("hot", "refused");
      for (const text of ["1", "2", "3"]) {
        context.publish("calm", text);
        while (calm.texts.at(-1) !== text) await new Promise((resolve) => setImmediate(resolve));
      }
      isOver = true;
      expect(calm.texts).toEqual(["1", "2", "3"]);
      expect(refusals).toBeGreaterThan(0);
      await context.quiet();
    }));
}
