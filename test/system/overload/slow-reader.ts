import { setTimeout as wait } from "node:timers/promises";
import type { Posthorn, PosthornError } from "../../../client/index.ts";
import { Flood } from "./flood.ts";
import { Reader } from "./reader.ts";
import type { Scenario } from "./scenario.ts";
import { World } from "./world.ts";

const kiB = 1024;
/** Of 16 KiB each, they fit into what is kept for one client. */
const keys = 10;
const bodyBytes = 16 * kiB;
/** More than the sockets' buffers of both ends hold, several times. */
const longMessages = 4000;
const shortMessages = 1500;
const perSecond = 300;

export const slowReader: Scenario = {
  name: "slow-reader",
  summary:
    "Four dashboards get 300 messages a second of 16 KiB. Then three of them stop reading: one with `pause`, one with `conflate`, one with `close`.",

  run({ scale }) {
    const flags = ["--outbound-high-water-bytes", "256KiB", "--outbound-max-bytes", "1MiB"];
    return World.run(
      {
        flags: [...flags, "--slow-consumer-timeout-ms", "2s"],
        victim: { does: "durable", perSecond: scale < 1 ? 200 : 1000 },
      },
      async (world) => {
        const { url } = world;
        const posthorn = await world.connect();
        const exchange = "feed";
        await posthorn.exchange(exchange).declare({ type: "topic", durable: false });
        const readers = {
          brisk: await Reader.open({ url, exchange, whenSlow: "pause" }),
          pausing: await Reader.open({ url, exchange, whenSlow: "pause" }),
          conflating: await Reader.open({ url, exchange, whenSlow: "conflate" }),
          closing: await Reader.open({ url, exchange, whenSlow: "close" }),
        };
        for (const reader of Object.values(readers)) world.onEnd(() => reader.end());
        const feed = (messages: number) =>
          Flood.start({
            url,
            exchange,
            routingKey: (number) => `key.${number % keys}`,
            bodyBytes: () => bodyBytes,
            persistent: false,
            windowBytes: 1024 * kiB,
            messages,
            ...(scale >= 1 && { perSecond }),
          });

        const before = Math.ceil(1500 * scale);
        const control = await world.victim.measure(async () => {
          await (await feed(before)).done;
          await Promise.all(Object.values(readers).map((reader) => reader.until(before)));
        });

        const messages = Math.max(shortMessages, Math.ceil(longMessages * scale));
        const { brisk, pausing, conflating, closing } = readers;
        world.watchMemory();
        for (const reader of [pausing, conflating, closing]) reader.stopReading();
        // Its queue goes when the broker gives it up; only then it reads why.
        const closed = untilGone(closing.queue, posthorn).then(() => {
          closing.startReading();
          return closing.closed;
        });
        const under = await world.victim.measure(async () => {
          await (await feed(messages)).done;
          await brisk.until(before + messages);
        });

        for (const reader of [pausing, conflating]) reader.startReading();
        const code = await closed;
        world.expect(code === 4002, `the reader that is to be closed was closed with ${code}`);
        await Promise.all([pausing.until(before + messages), conflating.until(before + messages)]);
        world.facts.push(`${conflating.dropped} of ${messages} conflated`);
        world.expect(isInOrder(brisk.numbers.slice(before), messages), "the brisk reader missed something");
        world.expect(
          isInOrder(pausing.numbers.slice(before), messages),
          "the paused reader missed something",
        );
        world.expect(conflating.dropped > 0, "nothing was conflated");
        const newest = new Set(conflating.numbers.slice(-keys));
        for (let number = messages - keys + 1; number <= messages; number++)
          world.expect(newest.has(number), `the newest message of its key, ${number}, was not delivered`);
        // For each what may wait for its socket, a turn of the dispatcher, and what is kept to be conflated, besides the
        // queues' memory and what V8 takes for a load like this.
        world.expectMemory(3 + 16 + 64);
        return { control, under };
      },
    );
  },
};

/** From 1 to `count`, one after the other. */
function isInOrder(numbers: readonly number[], count: number): boolean {
  return numbers.length === count && numbers.every((number, index) => number === index + 1);
}

async function untilGone(queue: string, posthorn: Posthorn): Promise<void> {
  for (;;) {
    await wait(50);
    try {
      await posthorn.queue(queue).check();
    } catch (error) {
      if ((error as PosthornError).code === "not-found") return;
      throw error;
    }
  }
}
