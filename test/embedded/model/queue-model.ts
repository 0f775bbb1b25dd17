/** One message's place in one queue, as far as the rules go. */
export interface ModelItem {
  readonly id: number;
  readonly bytes: number;
  /** What its priority comes to in this queue. */
  readonly level: number;
  /** Survives a restart once it is on disk: persistent, and in a durable queue. */
  readonly survives: boolean;
  redelivered: boolean;
  attempts: number;
  isReady: boolean;
  /** Settled, purged or deleted with its queue. */
  isGone: boolean;
}

/** A queue is an array; taking, requeueing and settling never move anything in it. */
export class ModelQueue {
  readonly name: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly maxPriority: number;
  items: ModelItem[] = [];
  consumers = 0;

  constructor(name: string, properties: { durable: boolean; autoDelete: boolean; maxPriority: number }) {
    this.name = name;
    this.durable = properties.durable;
    this.autoDelete = properties.autoDelete;
    this.maxPriority = properties.maxPriority;
  }

  /** In the order in which they are due. */
  get ready(): ModelItem[] {
    return inOrder(this.items.filter(({ isReady }) => isReady));
  }

  add(id: number, bytes: number, persistent: boolean, priority: number): ModelItem {
    const survives = persistent && this.durable;
    const level = Math.min(priority, this.maxPriority);
    const item = {
      id,
      bytes,
      level,
      survives,
      redelivered: false,
      attempts: 0,
      isReady: true,
      isGone: false,
    };
    this.items.push(item);
    return item;
  }

  requeue(item: ModelItem): void {
    if (item.isGone) return;
    item.isReady = true;
    item.redelivered = true;
    item.attempts++;
  }

  remove(item: ModelItem): void {
    item.isGone = true;
    this.items = this.items.filter((other) => other !== item);
  }

  purge(): number {
    const ready = this.ready;
    for (const item of ready) this.remove(item);
    return ready.length;
  }

  clear(): void {
    for (const item of this.items) item.isGone = true;
    this.items = [];
  }
}

/** Higher levels first, each in order. */
export function inOrder(items: readonly ModelItem[]): ModelItem[] {
  return [...items].sort((one, other) => other.level - one.level || one.id - other.id);
}

/** What a restart would find: the durable queues that there are, each with its surviving items. */
export type ModelSnapshot = ReadonlyMap<ModelQueue, ReadonlyMap<ModelItem, { readonly attempts: number }>>;

export function snapshotOf(queues: Iterable<ModelQueue>): ModelSnapshot {
  const snapshot = new Map<ModelQueue, Map<ModelItem, { attempts: number }>>();
  for (const queue of queues) {
    if (!queue.durable) continue;
    const items = queue.items.filter(({ survives }) => survives);
    snapshot.set(queue, new Map(items.map((item) => [item, { attempts: item.attempts }])));
  }
  return snapshot;
}
