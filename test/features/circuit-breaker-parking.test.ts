import { expect, test } from "vitest";
import type { Posthorn, Queue } from "../../client/index.ts";
import { withBroker } from "../support/broker.ts";
import { ManualTime } from "../support/manual-time.ts";

interface World {
  readonly clock: ManualTime;
  readonly queue: Queue;
  /** Publishes messages of one group each. */
  readonly publish: (...groups: string[]) => Promise<void>;
  /** Takes so many messages, requeues those of the group "bad", acks the others; says which they were. */
  readonly work: (count: number, hasFailed?: (group: string) => boolean) => Promise<string[]>;
}

/** Half of four deliveries within ten seconds open the circuit for thirty; the clock stands still. */
function withCircuit(use: (world: World) => Promise<void>, more: object = {}): Promise<void> {
  const clock = new ManualTime();
  return withBroker(
    async ({ connect }) => {
      const posthorn: Posthorn = await connect();
      const circuitBreaker = { failureRate: 0.5, minimum: 4, window: 10_000, open: 30_000 };
      const queue = await posthorn.queue("q").declare({ circuitBreaker, ...more });
      await use({
        clock,
        queue,
        publish: async (...groups) => {
          for (const group of groups) await queue.publish(group, { headers: { group } });
        },
        work: async (count, hasFailed = (group) => group === "bad") => {
          const seen: string[] = [];
          for (let i = 0; i < count; i++) {
            const message = await queue.get();
            if (message === undefined) break;
            const group = message.text();
            seen.push(group);
            if (hasFailed(group)) message.requeue();
            else message.ack();
          }
          return seen;
        },
      });
    },
    { clock },
  );
}

test("a message that fails again and again while others succeed is parked, and the circuit stays closed", () =>
  withCircuit(async ({ queue, publish, work }) => {
    await publish("good", "good", "bad", "good", "good");
    expect(await work(5)).toEqual(["good", "good", "bad", "bad", "good"]);
    expect(await queue.status()).toMatchObject({ circuit: "closed", ready: 1, parked: 1 });
    expect(await work(5)).toEqual(["good"]);
  }));

test("it can be released: it is parked again when it still fails, and is done with when it succeeds", () =>
  withCircuit(async ({ queue, publish, work }) => {
    await publish("good", "good", "bad");
    await work(4);
    const [parked] = (await queue.browsePage({ filter: { state: "parked" } })).messages;
    await queue.releaseMessage(parked!.position);
    expect(await work(2)).toEqual(["bad"]);
    expect(await queue.status()).toMatchObject({ circuit: "closed", parked: 1 });
    await queue.releaseMessage(parked!.position);
    expect(await work(2, () => false)).toEqual(["bad"]);
    expect(await queue.status()).toMatchObject({ circuit: "closed", ready: 0, parked: 0 });
  }));

test("of a group whose messages fail while those of others succeed, each that fails is parked, and the circuit stays closed", () =>
  withCircuit(
    async ({ queue, publish, work }) => {
      await publish("good", "other", "bad", "bad", "bad", "good", "other");
      expect(await work(20)).toEqual([
        ...["good", "other", "bad", "good", "other", "bad", "bad", "bad"],
        ...["bad", "bad"],
      ]);
      expect(await queue.status()).toMatchObject({ circuit: "closed", ready: 0, parked: 3 });
    },
    { messageGroups: {} },
  ));

test("when all fail the circuit opens, and others are tried before the message that failed most; once they succeed, it has one try left", () =>
  withCircuit(async ({ clock, queue, publish, work }) => {
    await publish("bad", "good", "good");
    expect(await work(10)).toEqual(["bad", "bad", "bad", "bad"]);
    expect(await queue.status()).toMatchObject({ circuit: "open", ready: 2, delayed: 1 });
    clock.advance(30_000);
    expect(await work(10)).toEqual(["good", "good"]);
    expect(await queue.status()).toMatchObject({ circuit: "closed", ready: 0, delayed: 1 });
    clock.advance(30_000);
    expect(await work(10)).toEqual(["bad"]);
    expect(await queue.status()).toMatchObject({ circuit: "closed", delayed: 0, parked: 1 });
  }));

test("a message that fails when it is tried makes way for the next one", () =>
  withCircuit(async ({ clock, queue, publish, work }) => {
    await publish("1", "2", "3", "4", "5");
    const all = () => true;
    expect(await work(10, all)).toEqual(["1", "1", "1", "1"]);
    clock.advance(30_000);
    expect(await work(10, all)).toEqual(["2"]);
    expect(await queue.status()).toMatchObject({ circuit: "open", delayed: 2 });
    clock.advance(30_000);
    expect(await work(10, () => false)).toEqual(["1", "3", "4", "5"]);
    clock.advance(30_000);
    expect(await work(10, () => false)).toEqual(["2"]);
    expect(await queue.status()).toMatchObject({ circuit: "closed", ready: 0, delayed: 0, parked: 0 });
  }));

test("the delay with which a message is put back counts, if it is longer", () =>
  withCircuit(async ({ clock, queue, publish }) => {
    await publish("1", "2");
    for (let i = 0; i < 3; i++) (await queue.get())!.requeue();
    (await queue.get())!.nack({ delay: 100_000 });
    expect(await queue.status()).toMatchObject({ circuit: "open", delayed: 1 });
    clock.advance(99_999);
    expect(await queue.status()).toMatchObject({ circuit: "half-open", delayed: 1 });
    clock.advance(1);
    expect(await queue.status()).toMatchObject({ delayed: 0 });
  }));

test("where a single consumer is active, none makes way for another", () =>
  withBroker(
    async ({ raw }) => {
      const client = await raw();
      const circuitBreaker = { failureRate: 0.5, minimum: 4, window: 10_000, open: 30_000 };
      const args = { circuitBreaker, singleActiveConsumer: true };
      await client.must("queue.declare", { queue: "q", arguments: args });
      await client.must("queue.consume", { queue: "q", prefetch: 1 });
      for (const text of ["1", "2"]) await client.confirmed({ routingKey: "q", text });
      for (let number = 1; number <= 4; number++) {
        await client.deliveries(1, 1);
        client.settle(1, number, number, "requeue");
      }
      await client.barrier();
      expect(await client.must("queue.status", { queue: "q" })).toMatchObject({
        circuit: "open",
        ready: 2,
        delayed: 0,
      });
    },
    { clock: new ManualTime() },
  ));

test("a message that is not settled in time when it is tried makes way as well", () => {
  const clock = new ManualTime();
  return withBroker(
    async ({ raw }) => {
      const client = await raw();
      const circuitBreaker = { failureRate: 0.5, minimum: 1, open: 30_000 };
      await client.must("queue.declare", { queue: "q", arguments: { circuitBreaker, ackTimeout: 1000 } });
      await client.must("queue.consume", { queue: "q", prefetch: 1 });
      await client.confirmed({ routingKey: "q", text: "1" });
      await client.deliveries(1, 1);
      clock.advance(1000);
      await client.next({ type: "delivery.expired" });
      await client.confirmed({ routingKey: "q", text: "2" });
      clock.advance(30_000);
      await client.deliveries(1, 1);
      clock.advance(1000);
      await client.next({ type: "delivery.expired" });
      expect(await client.must("queue.status", { queue: "q" })).toMatchObject({
        circuit: "open",
        ready: 1,
        delayed: 1,
      });
    },
    { clock },
  );
});
