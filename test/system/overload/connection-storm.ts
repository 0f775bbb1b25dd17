import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { connect } from "../../../client/index.ts";
import type { Scenario } from "./scenario.ts";
import type { StormReport } from "./storm-child.ts";
import { World } from "./world.ts";

const childPath = fileURLToPath(new URL("./storm-child.ts", import.meta.url));
const longConnections = 10_000;
const longBystanders = 200;

export const connectionStorm: Scenario = {
  name: "connection-storm",
  summary:
    "Ten thousand clients connect at once, beside 200 with a short heartbeat, and are cut off at once.",

  run({ scale }) {
    const connections = Math.ceil(longConnections * scale);
    const flags = ["--max-connections-per-ip", "100000", "--max-unauthenticated-per-ip", "100000"];
    // A tenth of the default. In the short form the machine may be busy with other tests.
    const heartbeatMs = scale < 1 ? 5000 : 2000;
    return World.run(
      {
        flags: [...flags, "--heartbeat-ms", String(heartbeatMs)],
        victim: { does: "durable", perSecond: 200, heartbeatMs },
      },
      async (world) => {
        let lost = 0;
        const bystanders = await Promise.all(
          Array.from({ length: Math.ceil(longBystanders * scale) }, () =>
            connect(world.url, { heartbeatMs, reconnect: false }),
          ),
        );
        let isOver = false;
        for (const bystander of bystanders)
          bystander.on("state", ({ state, reason }) => {
            if (isOver || state !== "closed") return;
            if (lost++ === 0) world.problems.push(`a bystander was lost: ${reason?.code}`);
          });
        const control = await world.control(5000 * scale);

        const args = [world.url, String(connections)];
        const storm = fork(childPath, args, { execArgv: ["--import", "tsx"] });
        world.onEnd(() => void storm.kill("SIGKILL"));
        let report: StormReport | undefined;
        const under = await world.victim.measure(async () => {
          [report] = (await once(storm, "message")) as [StormReport];
        });
        const { welcomed, failures, ms } = report!;
        world.facts.push(`${welcomed} in within ${(ms / 1000).toFixed(1)} s`);
        world.expect(welcomed === connections, `${connections - welcomed} were not let in: ${failures}`);

        const gone = world.logged("client gone", connections);
        storm.send("leave");
        await gone;
        world.expect(lost === 0, `${lost} bystanders were lost`);
        isOver = true;
        await Promise.all(bystanders.map((bystander) => bystander.close()));
        return { control, under };
      },
    );
  },
};
