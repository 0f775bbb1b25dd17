import { expect, test } from "vitest";
import { withBroker } from "../support/broker.ts";
import { ManualTime } from "../support/manual-time.ts";

test("a queue that nobody uses is deleted when its time is up; its messages are not dead-lettered", async () => {
  const clock = new ManualTime();
  await withBroker(
    async ({ connect }) => {
      const posthorn = await connect();
      const dead = await posthorn.queue("dead").declare();
      const queue = await posthorn.queue("q").declare({ expires: 1000, deadLetterQueue: "dead" });
      clock.advance(600);
      // Publishing is no use of a queue.
      await queue.publish("1");
      clock.advance(399);
      expect((await dead.check()).messageCount).toBe(0);
      clock.advance(1);
      await expect(queue.check()).rejects.toMatchObject({ code: "not-found" });
      expect((await dead.check()).messageCount).toBe(0);
    },
    { clock },
  );
});

test("declaring a queue, also passively, and taking a message from it begin its time anew", async () => {
  const clock = new ManualTime();
  await withBroker(
    async ({ connect }) => {
      const queue = await (await connect()).queue("q").declare({ expires: 1000 });
      for (const use of [() => queue.declare({ expires: 1000 }), () => queue.check(), () => queue.get()]) {
        clock.advance(999);
        await use();
      }
      clock.advance(999);
      await queue.check();
      clock.advance(1000);
      await expect(queue.check()).rejects.toMatchObject({ code: "not-found" });
    },
    { clock },
  );
});

test("a queue with a consumer is in use; its time begins when the last one goes", async () => {
  const clock = new ManualTime();
  await withBroker(
    async ({ connect }) => {
      const posthorn = await connect();
      const queue = await posthorn.queue("q").declare({ expires: 1000 });
      const consumers = [await queue.consume(() => {}), await queue.consume(() => {})];
      clock.advance(10_000);
      await consumers[0]!.cancel();
      clock.advance(10_000);
      await consumers[1]!.cancel();
      clock.advance(999);
      await queue.publish("still there", { mandatory: true });
      clock.advance(1);
      await expect(queue.publish("gone", { mandatory: true })).rejects.toMatchObject({ code: "no-route" });
    },
    { clock },
  );
});

test("a restart begins the time of a durable queue anew", async () => {
  const clock = new ManualTime();
  await withBroker(
    async ({ connect, restart }) => {
      await (await connect()).queue("q").declare({ expires: 1000 });
      clock.advance(900);
      await restart();
      clock.advance(999);
      const queue = (await connect()).queue("q");
      await queue.publish("still there", { mandatory: true });
      clock.advance(1);
      await expect(queue.check()).rejects.toMatchObject({ code: "not-found" });
    },
    { clock, onDisk: true },
  );
});

test("the time can be changed and taken away while the queue is there", async () => {
  const clock = new ManualTime();
  await withBroker(
    async ({ connect }) => {
      const posthorn = await connect();
      const [shorter, forEver] = [posthorn.queue("shorter"), posthorn.queue("for ever")];
      for (const queue of [shorter, forEver]) await queue.declare({ expires: 10_000 });
      await shorter.declare({ expires: 1000, onMismatch: "update" });
      await forEver.declare({ onMismatch: "update" });
      clock.advance(1000);
      await expect(shorter.check()).rejects.toMatchObject({ code: "not-found" });
      clock.advance(100_000);
      await forEver.check();
    },
    { clock },
  );
});
