import { connectWith } from "../../client/connect.ts";
import type { ConnectOptions } from "../../client/options.ts";
import type { Posthorn } from "../../client/posthorn.ts";
import { type FakeConnection, FakeServer } from "./fake-server.ts";
import { ManualRuntime } from "./manual-runtime.ts";

export interface FakeWorld {
  readonly server: FakeServer;
  readonly clock: ManualRuntime;
  readonly posthorn: Posthorn;
  /** The broker's end of the first connection. */
  readonly broker: FakeConnection;
}

/** A client that is connected to a broker whose part the test plays. */
export async function connectToFake(options: ConnectOptions = {}, heartbeatMs = 0): Promise<FakeWorld> {
  const server = new FakeServer();
  const clock = new ManualRuntime();
  const connecting = connectWith(clock, "ws://broker", { webSocket: server.webSocket, ...options });
  const broker = await server.welcome(heartbeatMs);
  return { server, clock, posthorn: await connecting, broker };
}

/** Breaks the connection and lets the client come back; returns the broker's end of the new one. */
export async function reconnect(
  { server, clock }: FakeWorld,
  broken: FakeConnection,
): Promise<FakeConnection> {
  broken.drop();
  const connection = server.accept();
  await clock.advance(100);
  const next = await connection;
  await next.welcome();
  return next;
}
