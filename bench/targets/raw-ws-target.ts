import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Target } from "./target.ts";

const hub = fileURLToPath(new URL("../raw-hub.ts", import.meta.url));

/** A hub of bare WebSockets in a process of its own: what the sockets alone cost. */
export function rawWsTarget(): Target {
  return {
    label: "raw ws hub",
    kind: "raw-ws",
    async open() {
      const child = fork(hub, { execArgv: ["--import", "tsx"] });
      const [{ port }] = (await once(child, "message")) as [{ port: number }];
      return {
        address: { kind: "raw-ws", url: `ws://127.0.0.1:${port}`, options: {} },
        pid: child.pid,
        dataDirectory: undefined,
        restart: undefined,
        async close() {
          const exited = once(child, "exit");
          child.kill();
          await exited;
        },
      };
    },
  };
}
