import { setTimeout as wait } from "node:timers/promises";
import { Flood } from "./flood.ts";
import { LeanClient } from "./lean-client.ts";
import type { Scenario } from "./scenario.ts";
import { World } from "./world.ts";

const messages = 1000;
const queue = "hot";

export const nackLoop: Scenario = {
  name: "nack-loop",
  summary: "A client puts back, as fast as it can, every message that it gets of a queue of 1000.",

  run({ scale }) {
    return World.run({ flags: [], victim: { does: "durable", perSecond: 1000 } }, async (world) => {
      const { url } = world;
      const posthorn = await world.connect();
      await posthorn.queue(queue).declare();
      const publisher = await Flood.start({
        url,
        routingKey: () => queue,
        bodyBytes: () => 1024,
        persistent: true,
        windowBytes: 2 ** 20,
        messages,
      });
      await publisher.done;
      publisher.close();
      const control = await world.control(5000 * scale);

      let returned = 0;
      let first = 1;
      let last = 0;
      const nacker: LeanClient = await LeanClient.open(url, {
        onDeliver: ({ delivery }) => {
          last = delivery;
        },
        onBatch: () => {
          nacker.settle(1, first, last, "requeue");
          returned += last - first + 1;
          first = last + 1;
        },
      });
      await nacker.request("queue.consume", { queue, prefetch: messages });
      const startedAtMs = performance.now();
      const under = await world.victim.measure(() => wait(5000 * scale));
      const perSecond = (returned * 1000) / (performance.now() - startedAtMs);
      world.facts.push(`${Math.round(perSecond).toLocaleString("en")} put back a second`);
      world.expect(returned > messages, "nothing came back a second time");

      // While the loop goes on, one that acks gets them all.
      let acked = 0;
      const isDone = new Promise<void>((resolve) => {
        void posthorn.queue(queue).consume(
          () => {
            if (++acked === messages) resolve();
          },
          { prefetch: 10 },
        );
      });
      await isDone;
      nacker.end();
      return { control, under };
    });
  },
};
