import type { BrowsedMessage, Delivery } from "../../../server/engine/engine.ts";
import type { Bench } from "./bench.ts";
import { judgeDeliveries, type Matched, match, unexplained } from "./deliveries.ts";
import { named, nameOf } from "./message-text.ts";
import { givesWay, type ModelItem, type ModelQueue, ready } from "./model-queue.ts";

type Found = ReadonlyMap<ModelQueue, readonly BrowsedMessage[]>;

/**
 * Finds out what became of the ready messages in a turn of the event loop, where the rules leave more than one possibility or it
 * depends on which queue had its turn first: who got them, which were too much, which nobody took at once. Whether that was right is
 * judged here as to deliveries, and for the rest when everything has come to rest.
 */
export async function learnTurn(bench: Bench): Promise<void> {
  const found = new Map<ModelQueue, readonly BrowsedMessage[]>();
  for (const queue of bench.model.queues.values()) found.set(queue, await bench.browse(queue));
  const deliveries = bench.delivered.splice(0);
  const items = new Map<Delivery, ModelItem>();
  const taken = new Set<ModelItem>();
  const explain = () => {
    for (const { holder, delivery } of deliveries) {
      if (items.has(delivery)) continue;
      const item = match(bench, holder.queue, delivery, taken);
      if (item === undefined) continue;
      items.set(delivery, item);
      taken.add(item);
    }
    return deliveries.filter(({ delivery }) => !items.has(delivery));
  };
  // One thing may explain another: what was too much in a queue came to the next one, and was delivered there.
  for (let unclear = explain(); letLeave(bench, found, taken, unclear); unclear = explain());
  for (const [queue, messages] of found) putInOrder(queue, messages.map(nameOf));
  const matched: Matched[] = deliveries.map(({ holder, delivery }) => {
    const item = items.get(delivery);
    if (item === undefined) throw new Error(unexplained(bench, holder.queue, delivery));
    return { holder, delivery, item };
  });
  judgeDeliveries(bench, matched);
  bench.model.settle();
}

/** What is ready in the model, was not delivered and is not to be found has left its queue. Returns whether anything has. */
function letLeave(
  { model }: Bench,
  found: Found,
  taken: ReadonlySet<ModelItem>,
  unclear: readonly { readonly holder: { readonly queue: ModelQueue }; readonly delivery: Delivery }[],
): boolean {
  let hasAnyLeft = false;
  for (const [queue, messages] of found) {
    const there = messages.filter(({ state }) => state === "ready").map(nameOf);
    for (const { holder, delivery } of unclear) if (holder.queue === queue) there.push(nameOf(delivery));
    const candidates = ready(queue).filter((item) => !taken.has(item));
    // Of several alike those stay that have to give way last.
    if (givesWay(queue) === "oldest") candidates.reverse();
    const missing = candidates.filter((item) => !takeOut(there, named(item)));
    for (const item of missing) if (item.isImmediate) model.expireImmediate(queue, item);
    const leaving = new Set(missing.filter(({ isImmediate }) => !isImmediate));
    if (givesWay(queue) === undefined) leaving.clear();
    model.exceed(queue, inLeavingOrder(queue, leaving));
    hasAnyLeft ||= leaving.size > 0 || missing.some(({ isImmediate }) => isImmediate);
  }
  return hasAnyLeft;
}

/** The oldest of the lowest priority first, or as they came. */
function inLeavingOrder(queue: ModelQueue, leaving: ReadonlySet<ModelItem>): ModelItem[] {
  const items = queue.items.filter((item) => leaving.has(item));
  return givesWay(queue) === "oldest" ? items.sort((one, other) => one.level - other.level) : items;
}

/** What came by itself in one turn comes to a queue in an order that the broker chooses, but of each origin in its own. */
function putInOrder(queue: ModelQueue, found: readonly string[]): void {
  const arrived = queue.items.filter(({ isNew }) => isNew);
  if (arrived.every(({ arrival }) => arrival === undefined)) return;
  const known = queue.items.filter(({ isNew }) => !isNew);
  const knownNames = known.map(named);
  const settled: ModelItem[] = [];
  for (const name of found) {
    if (takeOut(knownNames, name)) continue;
    const next = arrived.find((item) => named(item) === name && mayBeNext(item, arrived));
    // Whatever is wrong is found out by comparing.
    if (next === undefined) break;
    arrived.splice(arrived.indexOf(next), 1);
    settled.push(next);
  }
  queue.items = [...known, ...settled, ...arrived];
}

function mayBeNext(item: ModelItem, arrived: readonly ModelItem[]): boolean {
  const { arrival, level } = item;
  const ofItsLevel = arrived.filter((other) => other.level === level);
  if (arrival === undefined) return ofItsLevel.find((other) => other.arrival === undefined) === item;
  return ofItsLevel.every(
    (other) => other.arrival?.from !== arrival.from || other.arrival.order >= arrival.order,
  );
}

/** Takes one such name out of a list. Returns whether there was one. */
function takeOut(names: string[], name: string): boolean {
  const at = names.indexOf(name);
  if (at >= 0) names.splice(at, 1);
  return at >= 0;
}
