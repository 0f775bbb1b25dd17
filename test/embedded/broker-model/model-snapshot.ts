import type { ModelItem, ModelQueue } from "./model-queue.ts";
import type { DeadLetterArguments } from "./topologies.ts";

/** What a restart finds. */
export interface Snapshot {
  readonly queues: ReadonlyMap<string, QueueSnapshot>;
  readonly policy: DeadLetterArguments | undefined;
}

interface QueueSnapshot {
  readonly isPaused: boolean;
  /** Items with copies of them as they were. */
  readonly items: readonly { readonly item: ModelItem; readonly asItWas: ModelItem }[];
}

export function snapshotOf(present: Iterable<ModelQueue>, policy: DeadLetterArguments | undefined): Snapshot {
  const queues = new Map<string, QueueSnapshot>();
  for (const { name, durable, isPaused, items } of present) {
    if (!durable) continue;
    const kept = items.filter(({ message }) => message.persistent);
    queues.set(name, { isPaused, items: kept.map((item) => ({ item, asItWas: { ...item } })) });
  }
  return { queues, policy };
}

/** What a restart makes of the items of a queue. */
export function recovered({ items }: QueueSnapshot): ModelItem[] {
  // Their places may have become known only after the snapshot.
  return items
    .map(({ item, asItWas }) => recoveredItem(asItWas, item.place))
    .sort((one, other) => one.place - other.place);
}

function recoveredItem(item: ModelItem, place: number): ModelItem {
  return {
    ...item,
    place,
    isNew: false,
    arrival: undefined,
    state: item.state === "parked" || item.state === "delayed" ? item.state : "ready",
    // That a message was released, without an attempt, is forgotten.
    redelivered: item.attempts > 0,
    lateAt: Number.POSITIVE_INFINITY,
    isGone: false,
  };
}
