import { expect, test } from "vitest";
import { withBroker } from "../support/broker.ts";

test("a random exchange gives each message to one of its queues, and every queue gets some", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const jobs = await posthorn.exchange("jobs").declare({ type: "random" });
    const names = ["a", "b", "c"];
    for (const name of names) {
      const queue = await posthorn.queue(name).declare();
      await queue.bind(jobs);
      await queue.bind(jobs, "bound twice, not twice as likely");
    }
    await Promise.all(Array.from({ length: 300 }, (_, index) => jobs.publish("same key", `${index}`)));
    const counts = await Promise.all(
      names.map(async (name) => (await posthorn.queue(name).check()).messageCount),
    );
    expect(counts.reduce((sum, count) => sum + count)).toBe(300);
    // A queue with fewer than 40 of 300 comes once in 10^15 runs.
    for (const count of counts) expect(count).toBeGreaterThan(40);
  }));

test("one message goes to one queue only, also with further keys and behind another exchange", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const [front, jobs] = [posthorn.exchange("front"), posthorn.exchange("jobs")];
    await front.declare({ type: "fanout" });
    await jobs.declare({ type: "random" });
    await jobs.bind(front);
    const queues = [await posthorn.queue("a").declare(), await posthorn.queue("b").declare()];
    for (const queue of queues) await queue.bind(jobs);
    for (let index = 0; index < 50; index++)
      await front.publish("k", "", { headers: { CC: ["one", "two", "three"] }, mandatory: true });
    const counts = await Promise.all(queues.map(async (queue) => (await queue.check()).messageCount));
    expect(counts[0]! + counts[1]!).toBe(50);
  }));

test("a random exchange without bindings leads nowhere", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const jobs = await posthorn.exchange("jobs").declare({ type: "random" });
    await expect(jobs.publish("", "", { mandatory: true })).rejects.toMatchObject({ code: "no-route" });
  }));
