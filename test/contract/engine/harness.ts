import type {
  Delivery,
  Engine,
  Owner,
  Publication,
  QueueDeclaration,
} from "../../../server/engine/engine.ts";
import {
  owner,
  publication,
  queueNamed,
  RecordingConsumer,
  RecordingPublisher,
  subscribing,
} from "../../support/embedded.ts";

/** An engine under test, and what the suite has to be able to do to it. */
export interface EngineHarness {
  readonly engine: Engine;
  /** Resolves when the engine has done all that it can do without further calls. */
  quiet(): Promise<void>;
  /** From now on nothing counts as being on disk, until {@link letDiskGoOn}. */
  stopDisk(): void;
  letDiskGoOn(): void;
  /** Ends the engine, in an orderly way or not, and starts another one on what is on disk. */
  restart(how: "stopped" | "crashed"): Promise<void>;
  close(): Promise<void>;
}

export interface HarnessOptions {
  /** Unwritten bytes above which the engine shall be congested. */
  readonly maxUncommittedBytes?: number;
  readonly maxQueues?: number;
  readonly maxExchanges?: number;
  readonly maxBindingsPerQueue?: number;
  readonly maxPolicies?: number;
}

export type OpenEngine = (options?: HarnessOptions) => Promise<EngineHarness>;

/** Runs a test's body on an engine of its own, with what most of them need. */
export async function withEngine(
  open: OpenEngine,
  body: (context: EngineContext) => Promise<void>,
  options?: HarnessOptions,
): Promise<void> {
  const harness = await open(options);
  try {
    await body(new EngineContext(harness));
  } finally {
    harness.letDiskGoOn();
    await harness.close();
  }
}

export class EngineContext {
  readonly harness: EngineHarness;
  readonly owner: Owner = owner("first");
  readonly publisher = new RecordingPublisher();
  #published = 0;

  constructor(harness: EngineHarness) {
    this.harness = harness;
  }

  get engine(): Engine {
    return this.harness.engine;
  }

  quiet(): Promise<void> {
    return this.harness.quiet();
  }

  async queue(name: string, properties: Partial<QueueDeclaration> = {}): Promise<void> {
    await this.engine.declareQueue(queueNamed(name, properties), this.owner);
  }

  /** Publishes texts to a queue, or with `properties` elsewhere. Returns the last number. */
  publish(
    routingKey: string,
    texts: string | readonly string[],
    properties: Partial<Publication> = {},
  ): number {
    for (const text of typeof texts === "string" ? [texts] : texts) {
      this.engine.publish(publication(++this.#published, routingKey, text, properties), this.publisher);
    }
    return this.#published;
  }

  /** A subscription that is running, unless `isIdle`. */
  async consume(
    queue: string,
    options: Parameters<typeof subscribing>[0] & { isIdle?: boolean; owner?: Owner } = {},
  ): Promise<RunningConsumer> {
    const { isIdle = false, owner: by = this.owner, ...properties } = options;
    const sink = new RecordingConsumer();
    const subscription = await this.engine.subscribe(queue, subscribing(properties), by, sink);
    if (!isIdle) subscription.resume();
    return Object.assign(sink, { subscription });
  }

  /** Takes all that is ready in a queue, by `get`. */
  async drain(queue: string): Promise<Delivery[]> {
    const all: Delivery[] = [];
    for (;;) {
      const { delivery } = await this.engine.get(queue, { noAck: false }, this.owner);
      if (delivery === undefined) return all;
      all.push(delivery);
    }
  }

  async ready(queue: string): Promise<number> {
    return (await this.engine.checkQueue(queue, this.owner)).messages;
  }
}

export type RunningConsumer = RecordingConsumer & {
  readonly subscription: Awaited<ReturnType<Engine["subscribe"]>>;
};

/** The error with which a promise rejects. */
export async function failure(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("It did not fail.");
}
