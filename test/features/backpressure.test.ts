import { expect, test } from "vitest";
import { withBroker } from "../support/broker.ts";
import { besideAHealthyClient } from "../support/healthy-client.ts";

const kiB = 1024;
const messages = 300;

/** Settings that are reached quickly: more than sockets buffer, less than the messages of a test. */
const config = { outboundHighWaterBytes: 64 * kiB, outboundMaxBytes: 512 * kiB };

test("a consumer that stops reading gets everything, in order, when it reads again; others do not notice", () =>
  withBroker(
    (broker) =>
      besideAHealthyClient(broker, async () => {
        const [publisher, slow] = [await broker.raw(), await broker.raw()];
        await publisher.must("queue.declare", { queue: "q" });
        await slow.must("queue.consume", { queue: "q", prefetch: 0 });
        slow.pause();
        for (let i = 1; i <= messages; i++)
          publisher.publish({ routingKey: "q", text: `${i}`.padEnd(64 * kiB) });
        await publisher.fate(messages);
        // The rest waits in the queue, not in memory for the one who does not read.
        const { messageCount } = await publisher.must("queue.declare", { queue: "q" });
        expect(messageCount).toBeGreaterThan(0);
        slow.resume();
        const frames = await slow.deliveries(1, messages);
        expect(frames.map(({ text }) => Number(text))).toEqual(
          Array.from({ length: messages }, (_, i) => i + 1),
        );
      }),
    { config },
  ));

test("of a client that asks for messages without reading them, the broker reads no more than it can answer", () =>
  withBroker(
    (broker) =>
      besideAHealthyClient(broker, async () => {
        const [publisher, greedy] = [await broker.raw(), await broker.raw()];
        await publisher.must("queue.declare", { queue: "q" });
        for (let i = 1; i <= messages; i++)
          publisher.publish({ routingKey: "q", text: `${i}`.padEnd(64 * kiB) });
        await publisher.fate(messages);
        greedy.pause();
        const asked = Array.from({ length: 2000 }, () =>
          greedy.ask("queue.get", { queue: "q", noAck: true }),
        );
        await publisher.barrier();
        const { messageCount } = await publisher.must("queue.declare", { queue: "q" });
        expect(messageCount).toBeGreaterThan(0);
        greedy.resume();
        const answers = await Promise.all(asked.map((id) => greedy.answer(id)));
        expect(answers.filter(({ delivered }) => delivered === 1)).toHaveLength(messages);
        expect(greedy.of("deliver").map(({ text }) => Number(text))).toEqual(
          Array.from({ length: messages }, (_, i) => i + 1),
        );
      }),
    { config },
  ));
