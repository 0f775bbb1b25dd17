import { headersFromJson, headersToJson } from "../../protocol/header-json.ts";
import type { Policy } from "../engine/engine.ts";
import { type Binding, Exchange } from "./exchange.ts";
import type { Queue } from "./queue.ts";
import type { RecordChange } from "./store/store.ts";
import type { Topology } from "./topology.ts";

/** How durable exchanges, queues and bindings stand in the store: one record each, the format is part of the store's version. */
export const recordKeys = {
  exchange: (name: string) => `exchange/${name}`,
  queue: (name: string) => `queue/${name}`,
  binding: (number: number) => `binding/${number}`,
  policy: (name: string) => `policy/${name}`,
  reservedQueueIds: "engine/reserved-queue-ids",
  uncertainBelow: "engine/uncertain-below",
  clockLag: "engine/clock-lag-ms",
} as const;

type Json = { readonly [name: string]: unknown };

interface ExchangeValue {
  readonly type: string;
  readonly autoDelete: boolean;
  readonly internal: boolean;
  readonly arguments: Json;
}

interface QueueValue {
  readonly id: number;
  readonly autoDelete: boolean;
  readonly arguments: Json;
  readonly paused?: true;
  /** A start has to look through all that is stored. */
  readonly irregular?: true;
  /** Ids of the lanes for priorities above 0, by priority. */
  readonly lanes?: { readonly [priority: string]: number };
}

/** One of `queue` and `toExchange` is there: where the binding leads. */
interface BindingValue {
  readonly exchange: string;
  readonly queue?: string;
  readonly toExchange?: string;
  readonly routingKey: string;
  readonly arguments: Json;
}

interface PolicyValue {
  readonly pattern: string;
  readonly appliesTo: Policy["appliesTo"];
  readonly priority: number;
  readonly arguments: Json;
}

export function exchangeRecord({
  name,
  type,
  autoDelete,
  internal,
  arguments: args,
}: Exchange): RecordChange {
  const value: ExchangeValue = { type, autoDelete, internal, arguments: headersToJson(args) };
  return { key: recordKeys.exchange(name), value };
}

export function queueRecord(queue: Queue): RecordChange {
  const { id, name, autoDelete, arguments: args, isPaused, isIrregular, laneIds } = queue;
  const value: QueueValue = {
    id,
    autoDelete,
    arguments: headersToJson(args),
    ...(isPaused && { paused: true }),
    ...(isIrregular && { irregular: true }),
    ...(laneIds !== undefined && { lanes: laneIds }),
  };
  return { key: recordKeys.queue(name), value };
}

export function bindingRecord({
  exchange,
  destination,
  routingKey,
  arguments: args,
  recordKey,
}: Binding): RecordChange {
  const value: BindingValue = {
    exchange: exchange.name,
    ...(destination instanceof Exchange ? { toExchange: destination.name } : { queue: destination.name }),
    routingKey,
    arguments: headersToJson(args),
  };
  return { key: recordKey as string, value };
}

export function policyRecord({ name, pattern, appliesTo, priority, arguments: args }: Policy): RecordChange {
  const value: PolicyValue = { pattern, appliesTo, priority, arguments: headersToJson(args) };
  return { key: recordKeys.policy(name), value };
}

/** Builds the topology that the records describe. Returns the queues by the ids of their lanes. */
export function restoreTopology(
  records: ReadonlyMap<string, unknown>,
  topology: Topology,
): Map<number, Queue> {
  const queues = new Map<number, Queue>();
  for (const [name, value] of byKind<PolicyValue>(records, "policy/"))
    topology.policies.set({ name, ...value, arguments: headersFromJson(value.arguments) });
  for (const [name, value] of byKind<ExchangeValue>(records, "exchange/")) {
    topology.restoreExchange({ name, durable: true, ...value, arguments: headersFromJson(value.arguments) });
  }
  for (const [
    name,
    { id, autoDelete, arguments: args, paused = false, irregular = false, lanes },
  ] of byKind<QueueValue>(records, "queue/")) {
    const declaration = {
      name,
      durable: true,
      exclusive: false,
      autoDelete,
      arguments: headersFromJson(args),
    };
    const queue = topology.restoreQueue(id, declaration);
    queue.isPaused = paused;
    queue.isIrregular = irregular;
    queues.set(id, queue);
    if (lanes === undefined) continue;
    queue.restoreLanes(lanes);
    for (const laneId of Object.values(lanes)) queues.set(laneId, queue);
  }
  for (const [number, value] of byKind<BindingValue>(records, "binding/")) {
    const { exchange, queue, toExchange, routingKey } = value;
    const destination = toExchange === undefined ? { queue: queue as string } : { exchange: toExchange };
    const how = { routingKey, arguments: headersFromJson(value.arguments) };
    topology.restoreBinding(Number(number), exchange, destination, how);
  }
  topology.restoreQueueIds((records.get(recordKeys.reservedQueueIds) as number | undefined) ?? 1);
  return queues;
}

function* byKind<T>(records: ReadonlyMap<string, unknown>, prefix: string): Generator<[string, T]> {
  for (const [key, value] of records)
    if (key.startsWith(prefix)) yield [key.slice(prefix.length), value as T];
}
