import type { ErrorCode } from "../../protocol/errors.ts";
import { Deadlines } from "../../server/embedded/deadlines.ts";
import { EmbeddedEngine } from "../../server/embedded/embedded-engine.ts";
import type { EmbeddedEngineOptions } from "../../server/embedded/engine-options.ts";
import type { QueueHost } from "../../server/embedded/queue.ts";
import { MemoryStore } from "../../server/embedded/store/memory-store.ts";
import type {
  Delivery,
  DeliverySink,
  ExchangeDeclaration,
  Owner,
  Publication,
  PublishSink,
  QueueDeclaration,
  SubscribeOptions,
} from "../../server/engine/engine.ts";

/** What a queue that stands alone needs of its surroundings. */
export function queueHost(parts: Partial<QueueHost> = {}): QueueHost {
  return {
    store: {
      load: () => [],
      scan: () => ({ entries: [], nextSeq: undefined }),
    },
    used: () => {},
    recordChanged: () => {},
    newLaneId: () => 1000,
    expired: (entry) => entry.lane.end(entry),
    damaged: () => {},
    memory: { usedBytes: 0, budgetBytes: 1_000_000, queueBytes: 1_000_000 },
    uncertainBelow: 0,
    changed: () => {},
    wake: () => {},
    now: () => 0,
    deadlines: new Deadlines({ now: () => 0, delay: () => {} }),
    circuitChanged: () => {},
    random: () => 0.5,
    deadLetters: {
      tryMove: () => false,
      move: (entry) => {
        entry.lane.end(entry);
        return false;
      },
    },
    ...parts,
  };
}

/** Stands in for `setImmediate`: what is deferred waits until a test lets the turn of the event loop end. */
export class ManualTurns {
  #callbacks: (() => void)[] = [];
  readonly defer = (callback: () => void): void => {
    this.#callbacks.push(callback);
  };

  get pending(): number {
    return this.#callbacks.length;
  }

  /** Ends the present turn: what is deferred meanwhile belongs to the next. */
  end(): void {
    for (const callback of this.#callbacks.splice(0)) callback();
  }

  /** Ends turns until nothing is deferred any more. */
  endAll(): void {
    for (let turns = 0; this.#callbacks.length > 0; turns++) {
      if (turns === 10_000) throw new Error("The engine does not come to rest.");
      this.end();
    }
  }
}

/** Lets what waits for promises run. */
export function microtasks(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export interface SteppedEngine {
  readonly engine: EmbeddedEngine;
  readonly store: MemoryStore;
  readonly turns: ManualTurns;
  readonly failures: unknown[];
  readonly damaged: string[];
  /** Each with argument, target and whose it is. */
  readonly missingTargets: (readonly [argument: string, target: string, of: string])[];
  /** Ends turns and flushes commits until nothing is under way. */
  rest(): Promise<void>;
}

/** An engine whose turns, and with `manualFlush` also whose disk, a test moves on by hand. */
export async function steppedEngine(
  options: Partial<EmbeddedEngineOptions> & { store?: MemoryStore } = {},
): Promise<SteppedEngine> {
  const turns = new ManualTurns();
  const store = options.store ?? new MemoryStore({ manualFlush: true });
  const failures: unknown[] = [];
  const damaged: string[] = [];
  const missingTargets: SteppedEngine["missingTargets"] = [];
  const engine = new EmbeddedEngine({
    limits: {
      maxExchanges: 1000,
      maxQueues: 1000,
      maxBindingsPerQueue: 1000,
      maxPolicies: 100,
      ...consumerLimits,
    },
    memoryBudgetBytes: 64 * 1024 * 1024,
    queueMemoryBytes: 1024 * 1024,
    maxUncommittedBytes: 1024 * 1024,
    defer: turns.defer,
    now: () => 0,
    delay: () => {},
    random: () => 0,
    events: {
      onFailure: (error) => failures.push(error),
      onDamage: (queue) => damaged.push(queue),
      onCircuitChange: () => {},
      onMissingTarget: (...facts) => missingTargets.push(facts),
    },
    ...options,
    store,
  });
  let isStarting = true;
  const started = engine.start().finally(() => {
    isStarting = false;
  });
  while (isStarting) {
    store.flush();
    await microtasks();
  }
  await started;
  const rest = async () => {
    do {
      turns.endAll();
      store.flush();
      await microtasks();
    } while (turns.pending > 0 || store.pendingCommits > 0);
  };
  return { engine, store, turns, failures, damaged, missingTargets, rest };
}

/** Waits for a control operation of a stepped engine, moving on turns and disk meanwhile. */
export async function done<T>(stepped: SteppedEngine, promise: Promise<T>): Promise<T> {
  // Without this a rejection in the meantime would count as unhandled.
  promise.catch(() => {});
  await stepped.rest();
  return promise;
}

export function owner(name = "someone"): Owner {
  return { name };
}

export function queueNamed(name: string, properties: Partial<QueueDeclaration> = {}): QueueDeclaration {
  return { name, durable: true, exclusive: false, autoDelete: false, arguments: {}, ...properties };
}

export function exchangeNamed(
  name: string,
  type: string,
  properties: Partial<ExchangeDeclaration> = {},
): ExchangeDeclaration {
  return { name, type, durable: true, autoDelete: false, internal: false, arguments: {}, ...properties };
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** To an engine an envelope is just bytes; in tests it is a text. */
export function envelope(text: string): Uint8Array {
  return encoder.encode(text);
}

export function textOf(delivery: { readonly envelope: Uint8Array }): string {
  return decoder.decode(delivery.envelope);
}

/** A persistent message to the default exchange that wants a confirm, unless said otherwise. */
export function publication(
  number: number,
  routingKey: string,
  text: string,
  properties: Partial<Publication> = {},
): Publication {
  return {
    number,
    mandatory: false,
    confirm: true,
    exchange: "",
    routingKey,
    copyKeys: [],
    persistent: true,
    priority: 0,
    envelope: envelope(text),
    bodyBytes: text.length,
    expiration: -1,
    headers: () => ({}),
    property: () => undefined,
    ...properties,
  };
}

/** Notes what becomes of one publisher's messages, and in which order it is told. */
export class RecordingPublisher implements PublishSink {
  /** `confirmed 1`, `refused 2 not-found`, `returned 3`: ranges are taken apart. */
  readonly outcomes: string[] = [];
  readonly ranges: [first: number, last: number][] = [];

  confirmed(first: number, last: number): void {
    this.ranges.push([first, last]);
    for (let number = first; number <= last; number++) this.outcomes.push(`confirmed ${number}`);
  }

  refused(number: number, code: ErrorCode): void {
    this.outcomes.push(`refused ${number} ${code}`);
  }

  returned(number: number): void {
    this.outcomes.push(`returned ${number}`);
  }

  get confirmedNumbers(): number[] {
    return this.outcomes
      .filter((outcome) => outcome.startsWith("confirmed "))
      .map((outcome) => Number(outcome.slice("confirmed ".length)));
  }
}

/** Keeps what one subscription gets. */
export class RecordingConsumer implements DeliverySink {
  readonly deliveries: Delivery[] = [];
  readonly cancellations: ErrorCode[] = [];
  readonly activeChanges: boolean[] = [];
  /** What was not settled in time. */
  readonly late: Delivery[] = [];
  /** How many deliveries came with each call. */
  readonly batchSizes: number[] = [];
  room = true;
  /** Called with each delivery, from within the engine's call. */
  onDelivery: ((delivery: Delivery) => void) | undefined;

  hasRoom(): boolean {
    return this.room;
  }

  deliver(deliveries: readonly Delivery[]): void {
    this.batchSizes.push(deliveries.length);
    this.deliveries.push(...deliveries);
    if (this.onDelivery !== undefined) for (const delivery of [...deliveries]) this.onDelivery(delivery);
  }

  expired(deliveries: readonly Delivery[]): void {
    this.late.push(...deliveries);
  }

  activeChanged(isActive: boolean): void {
    this.activeChanges.push(isActive);
  }

  cancelled(code: ErrorCode): void {
    this.cancellations.push(code);
  }

  get texts(): string[] {
    return this.deliveries.map(textOf);
  }

  /** The deliveries with these texts, in this order. */
  pick(...texts: string[]): Delivery[] {
    return texts.map((text) => {
      const found = this.deliveries.find((delivery) => textOf(delivery) === text);
      if (found === undefined) throw new Error(`There was no delivery ${text}.`);
      return found;
    });
  }
}

/** What consumers may have, where a test does not care. */
export const consumerLimits = { defaultPrefetchBytes: 1024 ** 3, maxPrefetchBytes: 1024 ** 3 };

export function subscribing(properties: Partial<SubscribeOptions> = {}): SubscribeOptions {
  return {
    consumerTag: "tag",
    prefetch: 100,
    noAck: false,
    exclusive: false,
    priority: 0,
    prefetchBytes: undefined,
    ackTimeout: undefined,
    ...properties,
  };
}
