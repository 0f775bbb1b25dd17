/** Connects so many clients at once, says how that went, and cuts them all off when it is told to. */
import { WebSocket } from "ws";
import { subprotocol } from "../../../protocol/index.ts";

export interface StormReport {
  readonly welcomed: number;
  /** Why others were not. */
  readonly failures: readonly string[];
  readonly ms: number;
}

const url = process.argv[2]!;
const connections = Number(process.argv[3]);
const hello = JSON.stringify({ type: "hello", id: 1, protocol: 1, heartbeatMs: 0 });
const startedAtMs = performance.now();

function connectOne(): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, subprotocol, { perMessageDeflate: false });
    socket.on("open", () => socket.send(hello));
    socket.on("message", (data: Buffer) => {
      const { type, code } = JSON.parse(data.toString()) as { type: string; code?: string };
      resolve(type === "welcome" ? undefined : `${type} ${code ?? ""}`);
    });
    socket.on("error", (error) => resolve(error.message));
    socket.on("close", (code) => resolve(`closed with ${code}`));
  });
}

const ends = await Promise.all(Array.from({ length: connections }, connectOne));
const failures = ends.filter((end) => end !== undefined);
const report: StormReport = {
  welcomed: connections - failures.length,
  failures: [...new Set(failures)],
  ms: performance.now() - startedAtMs,
};
process.send?.(report);
process.on("message", () => process.exit(0));
