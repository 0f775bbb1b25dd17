import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { type ConnectOptions, connect, type Posthorn } from "../../client/index.ts";
import { type Config, loadConfig } from "../../server/config.ts";
import { LmdbStore } from "../../server/embedded/store/lmdb-store.ts";
import { MemoryStore } from "../../server/embedded/store/memory-store.ts";
import { createLogger } from "../../server/log.ts";
import { type RunningBroker, startBroker } from "../../server/start-broker.ts";
import type { ManualTime } from "./manual-time.ts";
import { type Closed, type Frame, RawClient, type RawClientOptions } from "./raw-client.ts";

export type { Closed, Frame, RawClient };

export interface BrokerOptions {
  /** Settings other than the defaults. */
  readonly config?: Partial<Config>;
  /** Milliseconds; default a real clock. */
  readonly now?: () => number;
  /** Time for what is due in queues; default the system's. */
  readonly clock?: ManualTime;
  /** Stores in LMDB, in a directory that goes with the broker. Default: in memory. */
  readonly onDisk?: boolean;
}

/** A broker in this process, and ways to reach it. What is opened here is closed with it. */
export interface TestBroker {
  readonly url: string;
  readonly port: number;
  readonly config: Config;
  /** A connection without the SDK that has said hello. */
  raw(hello?: { readonly [field: string]: unknown }): Promise<RawClient>;
  /** A connection on which nothing has been said yet. */
  dial(options?: RawClientOptions): Promise<RawClient>;
  /** A connection through the SDK. */
  connect(options?: ConnectOptions): Promise<Posthorn>;
  /** Stops the broker in order and starts it again, on another port, with what it has stored. */
  restart(): Promise<void>;
}

/** Runs a real broker on a free port while `use` runs. Fails if the broker logs an error that no client caused. */
export async function withBroker(
  use: (broker: TestBroker) => Promise<void>,
  options: BrokerOptions = {},
): Promise<void> {
  const argv = ["--memory", "--port", "0", "--log-level", "error", "--log-format", "json"];
  const defaults = loadConfig({ argv, env: {}, readFile: () => "" });
  const config: Config = { ...defaults, ...options.config };
  const errors: string[] = [];
  const log = createLogger({ ...config, stream: { write: (line: string) => errors.push(line) } });
  const directory = options.onDisk ? mkdtempSync(join(tmpdir(), "posthorn-test-")) : undefined;
  const memory = new MemoryStore();
  const start = () =>
    startBroker({
      config,
      log,
      store: directory === undefined ? memory : new LmdbStore({ directory }),
      onFailure: (error) => errors.push(`The store failed: ${String(error)}`),
      ...(options.now !== undefined && { now: options.now }),
      ...(options.clock !== undefined && { clock: options.clock }),
    });
  let running: RunningBroker = await start();
  const rawClients: RawClient[] = [];
  const posthorns: Posthorn[] = [];
  const broker: TestBroker = {
    get url() {
      return running.url;
    },
    get port() {
      return running.port;
    },
    config,
    async dial(dialOptions) {
      const client = await RawClient.connect(running.url, dialOptions);
      rawClients.push(client);
      return client;
    },
    async raw(hello) {
      const client = await broker.dial();
      const welcome = await client.hello(hello);
      if (welcome.type !== "welcome") throw new Error(`No welcome: ${JSON.stringify(welcome)}`);
      return client;
    },
    async connect(connectOptions) {
      const posthorn = await connect(running.url, connectOptions);
      posthorns.push(posthorn);
      return posthorn;
    },
    async restart() {
      await running.stop();
      running = await start();
    },
  };
  try {
    await use(broker);
  } finally {
    await Promise.all(posthorns.map((posthorn) => posthorn.close({ timeoutMs: 1000 }).catch(() => {})));
    for (const client of rawClients) client.terminate();
    await running.stop();
    if (directory !== undefined) rmSync(directory, { recursive: true });
  }
  expect(errors, "errors in the broker's log").toEqual([]);
}

/** The texts of deliveries. */
export function texts(frames: readonly Frame[]): unknown[] {
  return frames.map(({ text }) => text);
}
