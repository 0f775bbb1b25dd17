import { setTimeout as wait } from "node:timers/promises";
import type { ReceivedMessage } from "../../../client/index.ts";
import { Flood, floodNumber } from "./flood.ts";
import type { Scenario } from "./scenario.ts";
import { World } from "./world.ts";

const kiB = 1024;
const queue = "hoarded";
const maxMemoryMiB = 224;

export const memoryWatermark: Scenario = {
  name: "memory-watermark",
  summary:
    "A client takes messages of 32 KiB without acking any, until the broker's memory is used up and publishing stops; others take messages from their queues meanwhile.",

  run({ scale }) {
    return World.run(
      {
        flags: ["--max-memory-bytes", `${maxMemoryMiB}MiB`, "--max-prefetch-bytes", "1GiB"],
        victim: { does: "get", perSecond: 200, seconds: 20 },
      },
      async (world) => {
        const posthorn = await world.connect();
        await posthorn.queue(queue).declare();
        const control = await world.control(5000 * scale);

        const flood = await Flood.start({
          url: world.url,
          routingKey: () => queue,
          bodyBytes: () => 32 * kiB,
          persistent: true,
          windowBytes: 2 * kiB * kiB,
          perSecond: 1500,
        });
        const received = new Set<number>();
        const hoard: ReceivedMessage[] = [];
        let isHoarding = true;
        const stream = posthorn.queue(queue).consume({ prefetch: 65_535, prefetchBytes: 2 ** 30 });
        const consuming = (async () => {
          for await (const message of stream) {
            received.add(floodNumber(message.bytes));
            if (isHoarding) hoard.push(message);
            else message.ack();
          }
        })();
        world.watchMemory();
        await flood.until(() => flood.notices.includes("memory-high"));
        const under = await world.victim.measure(() => wait(5000 * scale));
        world.facts.push(`${hoard.length} hoarded`);
        world.expect(flood.refused.has("memory-high"), "nothing was refused with memory-high");
        // The watermark is about what the process uses; what the C library keeps of freed memory comes on top.
        world.expectMemory(1.5 * maxMemoryMiB);

        isHoarding = false;
        for (const message of hoard.splice(0)) message.ack();
        await flood.until(() => flood.notices.includes("unblocked"));
        const { size } = flood.confirmed;
        await flood.until(() => flood.confirmed.size > size + 100);
        await flood.stop();
        flood.close();
        while (received.size < flood.confirmed.size) await wait(20);
        await stream.return();
        await consuming;
        world.expect(
          [...flood.confirmed].every((number) => received.has(number)),
          "confirmed messages were lost",
        );
        return { control, under };
      },
    );
  },
};
