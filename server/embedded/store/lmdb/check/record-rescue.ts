import type { QueueId } from "../../store.ts";
import { Problems } from "./check-report.ts";
import { checkRecords, isQueueId, reservedKey } from "./record-check.ts";
import type { Findings } from "./store-check.ts";

export interface RescuedRecords {
  readonly records: ReadonlyMap<string, unknown>;
  readonly queueNames: ReadonlyMap<QueueId, string>;
}

const exchangeTypes = ["direct", "fanout", "topic", "headers", "consistent-hash", "random"];

/**
 * The records as far as they make sense together. A queue whose record is damaged is kept by its name, which is the key: its
 * messages would be deleted at the next start otherwise.
 */
export function rescueRecords(findings: Findings, losses: string[]): RescuedRecords {
  const records = new Map(findings.records);
  const claimed = new Set(findings.checkedRecords.queueNames.keys());
  const nameless = [...findings.tallies].filter(([id, { messages }]) => messages > 0 && !claimed.has(id));
  const waiting = new Set(nameless.map(([id]) => id));
  let nextId = nextQueueId(findings);

  for (const [key, text] of findings.damagedRecords) {
    if (key.startsWith("engine/")) continue;
    const value = parsed(text);
    if (!key.startsWith("queue/")) {
      if (value !== undefined && isKept(key, value)) {
        records.set(key, value);
        losses.push(
          `the record ${JSON.stringify(key)} had a wrong checksum; it is kept as it was read: ${text}`,
        );
      } else losses.push(`the record ${JSON.stringify(key)} is lost: ${JSON.stringify(text)}`);
      continue;
    }
    const noted = value?.id ?? Number(/"id":(\d+)/.exec(text)?.[1]);
    const damagedQueues = [...findings.damagedRecords.keys()].filter((other) => other.startsWith("queue/"));
    let id: QueueId;
    if (isQueueId(noted) && !claimed.has(noted) && (waiting.has(noted) || waiting.size === 0)) id = noted;
    else if (waiting.size === 1 && damagedQueues.length === 1) id = [...waiting][0]!;
    else id = nextId++;
    claimed.add(id);
    waiting.delete(id);
    nextId = Math.max(nextId, id + 1);
    const args = typeof value?.arguments === "object" && value.arguments !== null ? value.arguments : {};
    records.set(key, { id, autoDelete: value?.autoDelete === true, arguments: args });
    losses.push(
      `the record ${JSON.stringify(key)} was damaged; the queue has the arguments ${JSON.stringify(args)} now`,
    );
  }
  for (const id of waiting) {
    let name = `recovered-queue-${id}`;
    while (records.has(`queue/${name}`)) name += "-";
    records.set(`queue/${name}`, { id, autoDelete: false, arguments: {} });
    losses.push(`queue ${id}: its name is lost; its messages are in the queue ${JSON.stringify(name)} now`);
  }

  for (;;) {
    const { unusable, queueNames } = checkRecords(records, new Problems());
    if (unusable.length > 0) {
      for (const key of unusable) {
        losses.push(`the record ${JSON.stringify(key)} made no sense: ${JSON.stringify(records.get(key))}`);
        records.delete(key);
      }
      continue;
    }
    const highestId = Math.max(nextId - 1, ...queueNames.keys());
    const reserved = records.get(reservedKey);
    if (highestId > 0 && !(typeof reserved === "number" && reserved > highestId))
      records.set(reservedKey, highestId + 1);
    return { records, queueNames };
  }
}

/** Whether a record with a wrong checksum can do no harm as it is read. A policy can: its limits drop messages. */
function isKept(key: string, { type }: { readonly [name: string]: unknown }): boolean {
  if (key.startsWith("policy/")) return false;
  return !key.startsWith("exchange/") || exchangeTypes.includes(type as string);
}

/** Above all ids that are seen anywhere: an id is never given twice. */
function nextQueueId({ counters, tallies, checkedRecords }: Findings): QueueId {
  const seen = [...counters.keys(), ...tallies.keys(), ...checkedRecords.queueNames.keys()].filter(isQueueId);
  let next = Math.max(1, checkedRecords.reservedQueueIds);
  for (const id of seen) if (id >= next) next = id + 1;
  return next;
}

function parsed(text: string): { readonly [name: string]: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null
      ? (value as { readonly [name: string]: unknown })
      : undefined;
  } catch {
    return undefined;
  }
}
