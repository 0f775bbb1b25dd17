import {
  type Changes,
  entryFlags,
  type LoadedEntry,
  type NewEntry,
  type QueueCounters,
  type QueueId,
  type Recovered,
  type Store,
} from "./store.ts";

export interface MemoryStoreOptions {
  /** Commits wait for {@link MemoryStore.flush}, so that a test can look at what is confirmed when. Default false. */
  readonly manualFlush?: boolean;
}

interface Row {
  readonly entry: NewEntry;
  readonly envelope: Uint8Array;
  /** Which opening of the store wrote it. */
  readonly epoch: number;
  attempts: number;
}

interface PendingCommit {
  readonly apply: () => void;
  readonly resolve: () => void;
}

/** A store that forgets everything with its process: for tests, demos, and as the model that others are held against. */
export class MemoryStore implements Store {
  readonly #manualFlush: boolean;
  readonly #records = new Map<string, unknown>();
  readonly #counters = new Map<QueueId, QueueCounters>();
  /** Rows of each queue by seq, in order: entries are only ever appended. */
  readonly #queues = new Map<QueueId, Map<number, Row>>();
  /** Settled by commits that are not flushed: not shown any more. */
  readonly #settling = new Map<QueueId, Set<number>>();
  #pending: PendingCommit[] = [];
  #nextMessageId = 1;
  #epoch = 0;
  #clean = true;

  constructor({ manualFlush = false }: MemoryStoreOptions = {}) {
    this.#manualFlush = manualFlush;
  }

  async open(): Promise<Recovered> {
    this.#epoch++;
    const clean = this.#clean;
    this.#clean = false;
    return {
      records: new Map(this.#records),
      queues: new Map(this.#counters),
      nextMessageId: this.#nextMessageId,
      clean,
    };
  }

  get pendingCommits(): number {
    return this.#pending.length;
  }

  commit(changes: Changes): Promise<void> {
    const apply = this.#prepare(changes);
    return new Promise((resolve) => {
      this.#pending.push({ apply, resolve });
      if (!this.#manualFlush) queueMicrotask(() => this.flush());
    });
  }

  /** Makes every commit so far durable. */
  flush(): void {
    for (const { apply, resolve } of this.#pending.splice(0)) {
      apply();
      resolve();
    }
  }

  /** The process dies: commits that are not flushed are lost, and their promises never settle. */
  crash(): void {
    this.#pending = [];
    this.#settling.clear();
    this.#clean = false;
  }

  load(queue: QueueId, fromSeq: number, toSeq: number, maxEntries: number, maxBytes: number): LoadedEntry[] {
    const loaded: LoadedEntry[] = [];
    const settling = this.#settling.get(queue);
    let bytes = 0;
    for (const [seq, { entry, envelope, epoch, attempts }] of this.#queues.get(queue) ?? []) {
      if (seq < fromSeq || settling?.has(seq)) continue;
      if (seq > toSeq || loaded.length === maxEntries || bytes > maxBytes) break;
      if (entry.flags & entryFlags.transient && epoch !== this.#epoch) continue;
      const { messageId, flags, priority } = entry;
      loaded.push({ seq, messageId, flags, priority, attempts, envelope: envelope.slice() });
      bytes += envelope.length;
    }
    return loaded;
  }

  async maintain(): Promise<boolean> {
    return false;
  }

  async close({ clean }: { clean: boolean }): Promise<void> {
    this.flush();
    this.#clean = clean;
  }

  /** Takes what it needs of `changes`, and returns what makes them so. */
  #prepare({ messages, queues, dropped, records }: Changes): () => void {
    const envelopes = new Map(messages.map(({ id, envelope }) => [id, envelope.slice()]));
    const epoch = this.#epoch;
    const work: (() => void)[] = [];
    for (const { queue, counters, appended, settled, attempted } of queues) {
      const rows = appended.map((entry): [number, Row] => {
        const { seq, messageId, flags, bytes, priority } = entry;
        const envelope = envelopes.get(messageId) as Uint8Array;
        return [seq, { entry: { seq, messageId, flags, bytes, priority }, envelope, epoch, attempts: 0 }];
      });
      const gone = settled.map(({ seq }) => seq);
      const tried = attempted.map(({ seq, attempts }): [number, number] => [seq, attempts]);
      this.#hide(queue, gone);
      const { nextSeq, messages: count, bytes } = counters;
      work.push(() => {
        const all = this.#rowsOf(queue);
        for (const [seq, row] of rows) all.set(seq, row);
        for (const seq of gone) {
          all.delete(seq);
          this.#settling.get(queue)?.delete(seq);
        }
        for (const [seq, attempts] of tried) {
          const row = all.get(seq);
          if (row !== undefined) row.attempts = attempts;
        }
        this.#counters.set(queue, { nextSeq, messages: count, bytes });
      });
    }
    const ranges = dropped.map(({ queue, fromSeq, toSeq }) => ({ queue, fromSeq, toSeq }));
    const changed = records.map(({ key, value }) => ({ key, value: structuredClone(value) }));
    return () => {
      for (const step of work) step();
      for (const { queue, fromSeq, toSeq } of ranges) this.#drop(queue, fromSeq, toSeq);
      for (const { key, value } of changed) {
        if (value === null) this.#records.delete(key);
        else this.#records.set(key, value);
      }
      for (const id of envelopes.keys()) this.#nextMessageId = Math.max(this.#nextMessageId, id + 1);
    };
  }

  #rowsOf(queue: QueueId): Map<number, Row> {
    let rows = this.#queues.get(queue);
    if (rows === undefined) {
      rows = new Map();
      this.#queues.set(queue, rows);
    }
    return rows;
  }

  #hide(queue: QueueId, seqs: readonly number[]): void {
    if (seqs.length === 0) return;
    const settling = this.#settling.get(queue) ?? new Set<number>();
    for (const seq of seqs) settling.add(seq);
    this.#settling.set(queue, settling);
  }

  #drop(queue: QueueId, fromSeq: number, toSeq: number): void {
    if (toSeq === Number.POSITIVE_INFINITY && fromSeq === 0) {
      this.#queues.delete(queue);
      this.#counters.delete(queue);
      this.#settling.delete(queue);
      return;
    }
    for (const seq of [...(this.#queues.get(queue)?.keys() ?? [])]) {
      if (seq >= fromSeq && seq <= toSeq) this.#queues.get(queue)?.delete(seq);
    }
  }
}
