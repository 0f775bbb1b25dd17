import { setTimeout as wait } from "node:timers/promises";
import { Drain } from "./drain.ts";
import { Flood } from "./flood.ts";
import type { Scenario } from "./scenario.ts";
import { onSmallDisk } from "./small-disk-world.ts";
import { World } from "./world.ts";

const kiB = 1024;
const queue = "backlog";

export const diskWatermark: Scenario = {
  name: "disk-watermark",
  summary:
    "A client publishes messages of 8 KiB that nobody consumes, until the reserve is reached, and goes on publishing, in vain; messages that need no disk go on.",

  run({ scale }) {
    return onSmallDisk(64, (_disk, directory) =>
      World.run({ flags: [], directory, victim: { does: "transient", perSecond: 200 } }, async (world) => {
        const posthorn = await world.connect();
        await posthorn.queue(queue).declare();
        const control = await world.control(5000 * scale);

        const flood = await Flood.start({
          url: world.url,
          routingKey: () => queue,
          bodyBytes: () => 8 * kiB,
          persistent: true,
          windowBytes: kiB * kiB,
        });
        world.onEnd(() => flood.close());
        await flood.until(() => flood.notices.includes("disk-full"));
        const under = await world.victim.measure(() => wait(5000 * scale));
        world.facts.push(`${flood.confirmed.size} taken, ${flood.refused.get("disk-full")} refused`);
        world.expect([...flood.refused.keys()].join() === "disk-full", "other refusals than disk-full");

        const drain = new Drain(posthorn, [queue]);
        await drain.start();
        await flood.until(() => flood.notices.includes("unblocked"));
        const { size } = flood.confirmed;
        await flood.until(() => flood.confirmed.size > size + 100);
        await flood.stop();
        await drain.until(flood.confirmed);
        await drain.stop();
        return { control, under };
      }),
    );
  },
};
