import { expect, test } from "vitest";
import { type Frame, type RawClient, texts, withBroker } from "../support/broker.ts";

async function publishNumbers(client: RawClient, from: number, to: number): Promise<void> {
  let last = 0;
  for (let i = from; i <= to; i++) last = client.publish({ routingKey: "q", text: `${i}` });
  await client.fate(last);
}

function consume(client: RawClient, priority: number, prefetch: number): Promise<Frame> {
  return client.must("queue.consume", { queue: "q", prefetch, arguments: { priority } });
}

test("the consumer with the highest priority gets everything that it can take, the next one what is left", () =>
  withBroker(async ({ raw }) => {
    const [publisher, low, high, middle] = [await raw(), await raw(), await raw(), await raw()];
    await publisher.must("queue.declare", { queue: "q" });
    await consume(low, -1, 100);
    await consume(high, 10, 2);
    await consume(middle, 5, 3);
    await publishNumbers(publisher, 1, 7);
    await Promise.all([low.barrier(), high.barrier(), middle.barrier()]);
    expect(texts(high.of("deliver"))).toEqual(["1", "2"]);
    expect(texts(middle.of("deliver"))).toEqual(["3", "4", "5"]);
    expect(texts(low.of("deliver"))).toEqual(["6", "7"]);
    high.settle(1, 1, 2, "ack");
    await high.barrier();
    await publishNumbers(publisher, 8, 8);
    await Promise.all([low.barrier(), high.barrier()]);
    expect(texts(high.of("deliver"))).toEqual(["1", "2", "8"]);
    expect(low.of("deliver")).toHaveLength(2);
  }));

test("consumers of equal priority take turns", () =>
  withBroker(async ({ raw }) => {
    const [publisher, a, b, low] = [await raw(), await raw(), await raw(), await raw()];
    await publisher.must("queue.declare", { queue: "q" });
    await low.must("queue.consume", { queue: "q" });
    await consume(a, 3, 100);
    await consume(b, 3, 100);
    await publishNumbers(publisher, 1, 6);
    await Promise.all([a.barrier(), b.barrier(), low.barrier()]);
    expect(texts(a.of("deliver"))).toEqual(["1", "3", "5"]);
    expect(texts(b.of("deliver"))).toEqual(["2", "4", "6"]);
    expect(low.of("deliver")).toEqual([]);
  }));

test("when the consumers of high priority leave, the others get the messages", () =>
  withBroker(async ({ raw }) => {
    const [publisher, low, high] = [await raw(), await raw(), await raw()];
    await publisher.must("queue.declare", { queue: "q" });
    await consume(low, 0, 100);
    const { consumer } = await consume(high, 1, 100);
    await publishNumbers(publisher, 1, 1);
    await high.deliveries(1, 1);
    await high.must("consumer.cancel", { consumer });
    await publishNumbers(publisher, 2, 2);
    expect(texts(await low.deliveries(1, 1))).toEqual(["2"]);
  }));

test("the SDK's consumers have a priority", () =>
  withBroker(async ({ connect }) => {
    const posthorn = await connect();
    const queue = await posthorn.queue("q").declare();
    const got: string[] = [];
    const low = await queue.consume(() => void got.push("low"));
    const high = await queue.consume(() => void got.push("high"), { priority: 1 });
    await queue.publish("1");
    await queue.publish("2");
    await high.cancel();
    await queue.publish("3");
    await low.cancel();
    expect(got).toEqual(["high", "high", "low"]);
  }));

test("a priority that is no integer is refused, and the argument is named", () =>
  withBroker(async ({ raw }) => {
    const client = await raw();
    await client.must("queue.declare", { queue: "q" });
    for (const priority of ["high", 1.5, 2 ** 31, true]) {
      expect(await client.request("queue.consume", { queue: "q", arguments: { priority } })).toMatchObject({
        code: "invalid-argument",
        details: { argument: "priority" },
      });
    }
  }));
