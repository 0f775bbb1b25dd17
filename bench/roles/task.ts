import type { Destination } from "../drivers/driver.ts";
import type { TallyOptions } from "./tally.ts";

/** Publishes over one connection. */
export interface ProduceTask {
  readonly role: "produce";
  readonly destination: Destination;
  readonly bytes: number;
  readonly persistent: boolean;
  readonly confirm: boolean;
  readonly window: number;
  /** Ends after so long, or after so many messages. */
  readonly stopAfter: { readonly ms: number } | { readonly messages: number };
  /** Default: as fast as it goes. */
  readonly perSecond?: number;
  /** Not further ahead of the consumers than so many messages; they report their progress. */
  readonly maxAhead?: number;
  readonly keys: "one" | "varied";
  /** Each message carries the time of its publish. */
  readonly timed: boolean;
}

/** Consumes queues over one connection. */
export interface ConsumeTask extends TallyOptions {
  readonly role: "consume";
  readonly queues: readonly string[];
  readonly prefetch: number;
  readonly acks: boolean;
}

/** Makes queues with many bindings and consumes them. */
export interface ConsumeBoundTask {
  readonly role: "consume-bound";
  readonly topic: string;
  readonly bindingCount: number;
  readonly queueCount: number;
  readonly ms: number;
}

/** Opens connections, each with one exclusive queue on a topic. */
export interface SubscribeTask extends TallyOptions {
  readonly role: "subscribe";
  readonly topic: string;
  readonly pattern: string;
  readonly connections: number;
  readonly acks: boolean;
}

/** Publishes to many queues, one connection each, as fast as a small window allows. */
export interface MixedProduceTask {
  readonly role: "mixed-produce";
  readonly queues: readonly string[];
  readonly window: number;
  readonly ms: number;
}

/** Consumes many queues, two connections each: fast and slow ones, late acks, requeues. */
export interface MixedConsumeTask {
  readonly role: "mixed-consume";
  readonly queues: readonly string[];
  readonly ms: number;
}

export type Task =
  | ProduceTask
  | ConsumeTask
  | ConsumeBoundTask
  | SubscribeTask
  | MixedProduceTask
  | MixedConsumeTask;

/** What a load generator tells when it is through. */
export interface TaskResult {
  readonly count: number;
  /** First publish, or first delivery: on `monotonicMs`. */
  readonly startedAtMs: number;
  /** Last confirm, or last delivery. */
  readonly endedAtMs: number;
  readonly cpuSeconds: number;
  /** Where the warm-up ended; the rate is taken from here. */
  readonly warm: { readonly count: number; readonly atMs: number };
  /** From publish to callback, of messages that carry their time, without the first fifth. */
  readonly latencyMs?: { readonly p50: number; readonly p99: number; readonly p999: number };
}

/** What a load generator is told. */
export type Order =
  | { readonly order: "go" }
  /** Consumers end after so many messages, publishers that look how far their consumers are know it from `consumed`. */
  | { readonly order: "expect"; readonly count: number }
  | { readonly order: "consumed"; readonly count: number }
  | { readonly order: "leave" };

/** How it went until a load generator was set up. */
export interface SetUp {
  /** From the first connection to the last subscription. */
  readonly connectSeconds?: number;
  /** When it asked for messages, on `monotonicMs`. */
  readonly consumesSinceMs?: number;
}

/** What a load generator tells. */
export type Report =
  | ({ readonly report: "ready" } & SetUp)
  | { readonly report: "first"; readonly atMs: number }
  | { readonly report: "consumed"; readonly count: number }
  | { readonly report: "done"; readonly result: TaskResult }
  | { readonly report: "failed"; readonly message: string };
