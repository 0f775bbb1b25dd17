import { MemoryStore } from "../../../server/embedded/store/memory-store.ts";
import type { Changes, QueueId, Recovered } from "../../../server/embedded/store/store.ts";
import type { ModelSnapshot } from "./queue-model.ts";

/**
 * A store that notes, with each commit, what the model holds at that moment. Every commit takes all that has changed, so
 * after a crash exactly what the last flushed commit stands for must be there.
 */
export class WatchedStore extends MemoryStore {
  /** What is on disk, in terms of the model. */
  durable: ModelSnapshot = new Map();
  recovered: Recovered | undefined;
  readonly #snapshot: () => ModelSnapshot;
  /** Of each queue, the entries handed over and not settled, in order. */
  #entries = new Map<QueueId, Set<number>>();
  #underWay: ModelSnapshot[] = [];

  constructor(snapshot: () => ModelSnapshot) {
    super({ manualFlush: true });
    this.#snapshot = snapshot;
  }

  override async open(): Promise<Recovered> {
    this.recovered = await super.open();
    this.#entries = new Map();
    for (const queue of this.recovered.queues.keys()) {
      const loaded = this.load(queue, 0, Number.MAX_SAFE_INTEGER, 10_000, 10_000_000);
      this.#entries.set(queue, new Set(loaded.map(({ seq }) => seq)));
    }
    return this.recovered;
  }

  override commit(changes: Changes): Promise<void> {
    this.#underWay.push(this.#snapshot());
    this.#checkWellFormed(changes);
    return super.commit(changes);
  }

  override flush(commits = this.pendingCommits): void {
    const flushed = this.#underWay.splice(0, commits);
    this.durable = flushed.at(-1) ?? this.durable;
    super.flush(Math.min(commits, this.pendingCommits));
  }

  override crash(): void {
    this.#underWay = [];
    super.crash();
  }

  /** What `Changes` demands of the engine. */
  #checkWellFormed({ messages, queues, dropped, records }: Changes): void {
    if (messages.length + queues.length + dropped.length + records.length === 0) {
      throw new Error("A commit of nothing.");
    }
    const written = new Set(messages.map(({ id }) => id));
    const referenced = new Set<number>();
    for (const { queue, counters, appended, settled, attempted, noted } of queues) {
      const entries = this.#entries.get(queue) ?? new Set();
      this.#entries.set(queue, entries);
      const due = (seq: number, what: string) => {
        if (!entries.has(seq))
          throw new Error(`Entry ${seq} of queue ${queue} is ${what} and was not there.`);
      };
      for (const { seq } of attempted) due(seq, "attempted");
      for (const { seq } of noted) due(seq, "noted");
      for (const { seq } of settled) {
        due(seq, "settled");
        entries.delete(seq);
      }
      let last = Math.max(0, ...entries);
      for (const { seq, messageId } of appended) {
        if (seq <= last || seq >= counters.nextSeq)
          throw new Error(`Entry ${seq} of queue ${queue} is out of order.`);
        if (!written.has(messageId))
          throw new Error(`Entry ${seq} refers to message ${messageId}, which is not written.`);
        last = seq;
        entries.add(seq);
        referenced.add(messageId);
      }
    }
    if (referenced.size < written.size) throw new Error("A message is written that is in no queue.");
    for (const { queue, fromSeq, toSeq } of dropped) {
      const entries = this.#entries.get(queue) ?? new Set();
      for (const seq of entries) if (seq >= fromSeq && seq <= toSeq) entries.delete(seq);
    }
  }
}
