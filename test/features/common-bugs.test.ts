import { expect, test } from "vitest";
import { type RawClient, texts, withBroker } from "../support/broker.ts";
import { ManualTime } from "../support/manual-time.ts";

/**
 * The mistakes that brokers make most often, one test each, in the order of the list that they come from. The twentieth, an
 * alarm that keeps acks out, is in `session/blocked` and, with a disk that is really full, in `system/full-disk`.
 */

async function filled(
  client: RawClient,
  count: number,
  fields: { readonly [field: string]: unknown } = {},
): Promise<void> {
  await client.must("queue.declare", { queue: "q", ...fields });
  let last = 0;
  for (let i = 1; i <= count; i++) last = client.publish({ routingKey: "q", text: `${i}` });
  if (count > 0) await client.fate(last);
}

async function ready(client: RawClient): Promise<unknown> {
  return (await client.must("queue.declare", { queue: "q", passive: true })).messageCount;
}

async function topicMatches(client: RawClient, binding: string, key: string): Promise<boolean> {
  const { queue } = await client.must("queue.declare", { exclusive: true });
  await client.must("queue.bind", { queue, exchange: "amq.topic", routingKey: binding });
  await client.confirmed({ exchange: "amq.topic", routingKey: key });
  return (await client.must("queue.delete", { queue })).messageCount === 1;
}

test("1. two matching bindings make one copy, not two", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await filled(client, 0);
    for (const routingKey of ["#", "a.#"])
      await client.must("queue.bind", { exchange: "amq.topic", routingKey });
    await client.confirmed({ exchange: "amq.topic", routingKey: "a.b" });
    expect(await ready(client)).toBe(1);
  }));

test("2. * does not match an empty key", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    expect(await topicMatches(client, "*", "")).toBe(false);
    expect(await topicMatches(client, "#", "")).toBe(true);
  }));

test("3. a.#.b matches a.b", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    expect(await topicMatches(client, "a.#.b", "a.b")).toBe(true);
    expect(await topicMatches(client, "a.#.b", "a.x.y.b")).toBe(true);
  }));

test("4. a requeued message returns to its place, not to the end", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await filled(client, 3);
    await client.must("queue.get", {});
    client.settle(0, 1, 1, "requeue");
    await client.must("queue.get", {});
    expect(texts(client.of("deliver"))).toEqual(["1", "1"]);
  }));

test("5. what a client had when it went is marked as redelivered", () =>
  withBroker(async ({ raw }) => {
    const [client, other] = [await raw(), await raw()];
    await filled(client, 1);
    await client.must("queue.get", {});
    await client.must("bye");
    await other.must("queue.get", { queue: "q" });
    expect(other.of("deliver")[0]).toMatchObject({ redelivered: true, attempts: 1 });
  }));

test("6. delivery numbers are per consumer, as the protocol says, and never used again", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await filled(client, 4);
    await client.must("queue.consume", { prefetch: 2 });
    await client.must("queue.consume", { prefetch: 2 });
    expect((await client.deliveries(1, 2)).map(({ delivery }) => delivery)).toEqual([1, 2]);
    expect((await client.deliveries(2, 2)).map(({ delivery }) => delivery)).toEqual([1, 2]);
    client.settle(1, 1, 2, "requeue");
    expect((await client.deliveries(1, 2)).map(({ delivery }) => delivery)).toEqual([3, 4]);
  }));

test("7. a prefetch of 0 is no limit, not none at all", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await filled(client, 500);
    await client.must("queue.consume", { prefetch: 0 });
    await client.deliveries(1, 500);
  }));

test("8. settling up to a number settles one consumer's deliveries, and no other's", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await filled(client, 4);
    for (const consumer of [1, 2]) {
      await client.must("queue.consume", { prefetch: 2 });
      await client.deliveries(consumer, 2);
    }
    client.settle(1, 1, 2, "ack");
    await client.must("bye");
    expect(await ready(await raw())).toBe(2);
  }));

test("9. delivery 0 is not a delivery, and stands for nothing", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await filled(client, 2);
    await client.must("queue.consume", {});
    await client.deliveries(1, 2);
    client.settle(1, 0, 2, "ack");
    client.settle(1, 0, 0, "ack");
    for (let i = 0; i < 2; i++)
      expect(await client.next({ type: "error" })).toMatchObject({ code: "invalid-frame" });
    await client.must("bye");
    expect(await ready(await raw())).toBe(2);
  }));

test("10. the return of a message comes before its confirm", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    for (let i = 0; i < 5; i++) client.publish({ routingKey: "nowhere", mandatory: true });
    await client.fate(5);
    const seen = new Set<unknown>();
    for (const { type, number, first, last } of client.received.slice(1)) {
      if (type === "return") seen.add(number);
      else for (let n = first as number; n <= (last as number); n++) expect(seen).toContain(n);
    }
    expect(seen.size).toBe(5);
  }));

test("11. a message without a route is confirmed, not refused", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    for (const mandatory of [true, false]) {
      expect(await client.confirmed({ routingKey: "nowhere", mandatory })).not.toHaveProperty("code");
    }
  }));

test("12. a message is confirmed although its queue is deleted meanwhile", () =>
  withBroker(
    async ({ raw }) => {
      const client = await raw();
      await filled(client, 0);
      const number = client.publish({ routingKey: "q" });
      client.ask("queue.delete", { queue: "q" });
      expect(await client.fate(number)).not.toHaveProperty("code");
    },
    { onDisk: true },
  ));

test("13. an auto-delete queue stays until it has had a consumer", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await filled(client, 1, { autoDelete: true });
    await client.must("queue.get", { noAck: true });
    await client.must("bye");
    const other = await raw();
    expect(await ready(other)).toBe(0);
    await other.must("queue.consume", { queue: "q" });
    await other.must("consumer.cancel", { consumer: 1 });
    expect(await other.request("queue.declare", { queue: "q", passive: true })).toMatchObject({
      code: "not-found",
    });
  }));

test("14. the message count is of those that are ready, without the unsettled", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await filled(client, 5);
    await client.must("queue.consume", { prefetch: 3 });
    await client.deliveries(1, 3);
    expect(await ready(client)).toBe(2);
  }));

test("15. a passive declaration compares nothing", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await filled(client, 0);
    await client.must("queue.declare", { queue: "q", passive: true, durable: false, autoDelete: true });
    await client.must("queue.declare", { queue: "q", passive: true, arguments: { maxLength: 1 } });
  }));

test("16. cancelling a consumer does not requeue what it holds", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await filled(client, 2);
    await client.must("queue.consume", {});
    await client.deliveries(1, 2);
    await client.must("consumer.cancel", { consumer: 1 });
    expect(await ready(client)).toBe(0);
    client.settle(1, 1, 2, "ack");
    await client.barrier();
    expect(client.of("error")).toEqual([]);
  }));

test("17. nothing is delivered behind the answer to cancel, under load either", () =>
  withBroker(async ({ raw }) => {
    const [publisher, client] = [await raw(), await raw()];
    await filled(publisher, 1000);
    for (let consumer = 1; consumer <= 3; consumer++) {
      await client.must("queue.consume", { queue: "q", prefetch: 0 });
      const answer = await client.must("consumer.cancel", { consumer });
      await client.barrier();
      const behind = client.received.slice(client.received.indexOf(answer));
      expect(behind.filter((frame) => frame.consumer === consumer)).toEqual([]);
      const last = client.of("deliver").filter((frame) => frame.consumer === consumer).length;
      if (last > 0) client.settle(consumer, 1, last, "requeue");
    }
  }));

test("18. the history of a message that dies again and again does not grow", () =>
  withBroker(async ({ connect }) => {
    const queue = await (await connect()).queue("q").declare({ deadLetterQueue: "q" });
    await queue.publish("x");
    for (let times = 1; times <= 200; times++) (await queue.get())!.reject();
    expect((await queue.get())?.deaths).toMatchObject([{ queue: "q", reason: "rejected", count: 200 }]);
  }));

test("19. an expired message is not delivered, wherever in its queue it is", async () => {
  const clock = new ManualTime();
  await withBroker(
    async ({ raw }) => {
      const client = await raw();
      await filled(client, 1);
      await client.confirmed({ routingKey: "q", text: "2", properties: { expiration: 1000 } });
      await client.confirmed({ routingKey: "q", text: "3" });
      clock.advance(1000);
      await client.must("queue.consume", { queue: "q" });
      await client.barrier();
      expect(texts(client.of("deliver"))).toEqual(["1", "3"]);
      expect(await ready(client)).toBe(0);
    },
    { clock },
  );
});
