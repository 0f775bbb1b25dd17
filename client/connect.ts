import { Connection } from "./connection.ts";
import { type ConnectOptions, resolveOptions } from "./options.ts";
import { Posthorn } from "./posthorn.ts";
import { type Runtime, systemRuntime } from "./runtime.ts";
import { findWebSocket } from "./websocket.ts";

/**
 * Connects to a broker.
 * @param url `ws://…` or `wss://…`
 * @throws PosthornError `connect-failed`, `authentication-failed`, `aborted`, `invalid-argument`, … Only this first
 * attempt fails at once; a connection that was made once comes back by itself.
 */
export function connect(url: string | URL, options: ConnectOptions = {}): Promise<Posthorn> {
  return connectWith(systemRuntime, url, options);
}

/** `connect` with a clock of one's own. */
export async function connectWith(
  runtime: Runtime,
  url: string | URL,
  options: ConnectOptions,
): Promise<Posthorn> {
  const settings = resolveOptions(options);
  const webSocket = options.webSocket ?? (await findWebSocket());
  const connection = new Connection(webSocket, String(url), settings, runtime);
  await connection.open(options.signal);
  return new Posthorn(connection);
}
