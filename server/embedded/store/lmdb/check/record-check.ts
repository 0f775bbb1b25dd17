import type { QueueId } from "../../store.ts";
import type { Problems } from "./check-report.ts";

/** What is known of exchanges, queues and bindings. */
export interface CheckedRecords {
  readonly queueNames: ReadonlyMap<QueueId, string>;
  /** First queue id that was never reserved. */
  readonly reservedQueueIds: number;
  /** Keys of records that make no sense. */
  readonly unusable: readonly string[];
}

/** Exchanges that are there without a record. */
const predeclared = ["amq.direct", "amq.fanout", "amq.topic", "amq.headers", "amq.match"];

/** Checks that queues have ids of their own, and that bindings lead from and to what is there. */
export function checkRecords(records: ReadonlyMap<string, unknown>, problems: Problems): CheckedRecords {
  const exchanges = new Set(predeclared);
  const queues = new Set<string>();
  const queueNames = new Map<QueueId, string>();
  const unusable: string[] = [];
  const refuse = (key: string, why: string, queue?: string) => {
    unusable.push(key);
    const text = `the record ${JSON.stringify(key)} ${why}`;
    problems.add({ kind: "record", table: "records", text, ...(queue === undefined ? {} : { queue }) });
  };
  for (const [key, value] of records) {
    const fields = fieldsOf(value);
    if (key.startsWith("exchange/")) {
      if (typeof fields?.type === "string" && isObject(fields.arguments))
        exchanges.add(key.slice("exchange/".length));
      else refuse(key, "describes no exchange");
    }
    if (key.startsWith("queue/")) {
      const name = key.slice("queue/".length);
      const lanes = fieldsOf(fields?.lanes ?? {});
      const ids = [fields?.id, ...Object.values(lanes ?? {})];
      const taken = ids.find((id, i) => queueNames.has(id as QueueId) || ids.indexOf(id) < i);
      if (!ids.every(isQueueId) || !isObject(fields?.arguments) || !lanes || !haveLevels(lanes))
        refuse(key, "describes no queue", name);
      else if (taken !== undefined)
        refuse(
          key,
          `has the id ${taken} of the queue ${JSON.stringify(queueNames.get(taken as QueueId) ?? name)}`,
          name,
        );
      else {
        for (const id of ids) queueNames.set(id, name);
        queues.add(name);
      }
    }
  }
  for (const [key, value] of records)
    if (key.startsWith("policy/") && !isPolicy(fieldsOf(value))) refuse(key, "describes no policy");
  for (const [key, value] of records) {
    if (!key.startsWith("binding/")) continue;
    const fields = fieldsOf(value);
    const { exchange, queue, toExchange, routingKey } = fields ?? {};
    const destination = queue ?? toExchange;
    const bound = typeof queue === "string" ? queue : undefined;
    if (typeof exchange !== "string" || typeof destination !== "string" || typeof routingKey !== "string")
      refuse(key, "describes no binding");
    else if (!exchanges.has(exchange))
      refuse(key, `binds to the exchange ${JSON.stringify(exchange)}, which is not there`, bound);
    else if (bound !== undefined && !queues.has(bound))
      refuse(key, `binds the queue ${JSON.stringify(bound)}, which is not there`, bound);
    else if (bound === undefined && !exchanges.has(destination))
      refuse(key, `binds the exchange ${JSON.stringify(destination)}, which is not there`);
  }
  const highestId = Math.max(0, ...queueNames.keys());
  const reserved = records.get(reservedKey);
  const isReserved = typeof reserved === "number" && reserved > highestId;
  if (!isReserved && (highestId > 0 || reserved !== undefined)) {
    const text = `the record ${JSON.stringify(reservedKey)} does not cover queue ${highestId}: its id might be given again`;
    problems.add({ kind: "record", table: "records", text });
  }
  return { queueNames, reservedQueueIds: isReserved ? reserved : 0, unusable };
}

/** The record that says which queue ids may have been given out. */
export const reservedKey = "engine/reserved-queue-ids";

export function isQueueId(value: unknown): value is QueueId {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

/** Each is for a priority. */
function haveLevels(lanes: object): boolean {
  return Object.keys(lanes).every((level) => /^[1-9]\d{0,2}$/.test(level) && Number(level) <= 255);
}

function isPolicy(fields: ReturnType<typeof fieldsOf>): boolean {
  const { pattern, appliesTo, priority, arguments: args } = fields ?? {};
  if (typeof pattern !== "string" || !Number.isInteger(priority) || !isObject(args)) return false;
  return appliesTo === "queues" || appliesTo === "exchanges";
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function fieldsOf(value: unknown): { readonly [name: string]: unknown } | undefined {
  return isObject(value) ? (value as { readonly [name: string]: unknown }) : undefined;
}
