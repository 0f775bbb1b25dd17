import type { Delivery } from "../../../server/engine/engine.ts";
import { type Bench, type Holder, queueMemoryBytes } from "./bench.ts";
import { envelopeOf, named, nameOf } from "./message-text.ts";
import { deliverable, inOrder, isSuspect, type ModelItem, type ModelQueue, ready } from "./model-queue.ts";

/** What an entry costs in memory besides its envelope, as the guide to groups says. */
const entryBytes = 256;

export interface Matched {
  readonly holder: Holder;
  readonly delivery: Delivery;
  readonly item: ModelItem;
}

/** The ready item that a delivery is, of several alike the first that is not among `others`. */
export function match(
  bench: Bench,
  queue: ModelQueue,
  delivery: Delivery,
  others?: ReadonlySet<ModelItem>,
): ModelItem | undefined {
  const says = bench.facts({ ...factsOf(delivery), name: nameOf(delivery) });
  return ready(queue).find((item) => !others?.has(item) && bench.factsOf(item) === says);
}

/** Hands out in the model what the broker has handed out at once, and judges whether these were the right ones. */
export function judgeDeliveries(bench: Bench, deliveries: readonly Matched[]): void {
  const byConsumer = new Map<Holder, ModelItem[]>();
  const taken = new Map<ModelQueue, ModelItem[]>();
  for (const { holder, delivery, item } of deliveries) {
    const { queue } = holder;
    if (queue.arguments.messageGroups !== undefined)
      bench.expect(deliverable(queue).includes(item), `${named(item)} was not the turn of its group`);
    const own = [...(byConsumer.get(holder) ?? []), item];
    byConsumer.set(holder, own);
    taken.set(queue, [...(taken.get(queue) ?? []), item]);
    holder.held.push({ item, delivery, isSuspect: isSuspect(queue, item) });
    bench.model.handOut(queue, item);
  }
  for (const [queue, items] of taken) {
    if (queue.arguments.messageGroups !== undefined) continue;
    const all = inOrder(queue);
    const last = Math.max(...items.map((item) => all.indexOf(item)));
    // What came by itself in this turn may have come after the consumers had their turn.
    const skipped = all
      .slice(0, last)
      .find(({ state, arrival }) => state === "ready" && arrival === undefined);
    bench.expect(
      skipped === undefined,
      `"${queue.name}" delivered ${items.map(named)} and passed over ${skipped && named(skipped)}`,
    );
  }
  for (const [{ queue }, items] of byConsumer) {
    if (queue.arguments.messageGroups !== undefined) continue;
    const places = items.map((item) => inOrder(queue).indexOf(item));
    const isInOrder = places.every((place, i) => i === 0 || place > places[i - 1]!);
    bench.expect(isInOrder, `"${queue.name}" delivered ${items.map(named)} to one consumer`);
  }
}

/** Looks at what was handed out during a call. */
export function judgeServed(bench: Bench): void {
  const matched = bench.delivered.splice(0).map(({ holder, delivery }) => {
    const item = match(bench, holder.queue, delivery);
    if (item === undefined) throw new Error(unexplained(bench, holder.queue, delivery));
    item.state = "unsettled";
    return { holder, delivery, item };
  });
  for (const { item } of matched) item.state = "ready";
  judgeDeliveries(bench, matched);
}

export function unexplained(bench: Bench, { name }: ModelQueue, delivery: Delivery): string {
  const says = bench.facts({ ...factsOf(delivery), name: nameOf(delivery) });
  return `"${name}" delivered ${says}, which is not ready there.`;
}

/** What a queue owes whoever has room. Of groups, only as many messages are looked at as fit into memory. */
export function owed(queue: ModelQueue): ModelItem[] {
  const can = new Set(deliverable(queue));
  if (queue.arguments.messageGroups === undefined) return [...can];
  const items = ready(queue);
  let bytes = 0;
  const seen: ModelItem[] = [];
  for (const item of items) {
    if (bytes >= queueMemoryBytes) break;
    if (can.has(item)) seen.push(item);
    else bytes += envelopeOf(item.message).length + entryBytes;
  }
  return seen;
}

function factsOf({ attempts, redelivered }: Delivery) {
  return { attempts, redelivered };
}
