import fc from "fast-check";
import { expect } from "vitest";
import {
  entryFlags,
  type LoadedEntry,
  maxNoteBytes,
  type NewEntry,
  type NewMessage,
  type QueueChanges,
  type RecordChange,
  type Recovered,
  type Store,
  type StoredEntry,
} from "../../server/embedded/store/store.ts";

/** Random use of a store, compared with the simplest thing that could be right. */

interface CommitCommand {
  readonly type: "commit";
  readonly publishes: readonly {
    readonly queues: readonly number[];
    readonly bytes: number;
    readonly transient: boolean;
    /** The same for all, or with the bytes added. */
    readonly expiresAt: number;
    readonly note: number | null;
  }[];
  /** Which of the entries there are, as shares of their number. */
  readonly settles: readonly number[];
  readonly attempts: readonly { readonly which: number; readonly attempts: number }[];
  /** A note's length, or none any more. */
  readonly notes: readonly { readonly which: number; readonly note: number | null }[];
  readonly drop: {
    readonly queue: number;
    readonly from: number;
    readonly to: number;
    readonly whole: boolean;
  } | null;
  readonly records: readonly { readonly key: number; readonly value: number | null }[];
  /** Whether to wait for it. */
  readonly wait: boolean;
}

type Command =
  | CommitCommand
  | { readonly type: "maintain"; readonly steps: number; readonly wait: boolean }
  | {
      readonly type: "load";
      readonly queue: number;
      readonly from: number;
      readonly length: number;
      readonly max: number;
    }
  | { readonly type: "reopen"; readonly clean: boolean };

const queueCount = 4;
const share = fc.integer({ min: 0, max: 999 });
const queue = fc.integer({ min: 0, max: queueCount - 1 });

/** Mostly none. */
const note = fc.oneof(
  { weight: 40, arbitrary: fc.constant(null) },
  { weight: 20, arbitrary: fc.nat(300) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: maxNoteBytes }) },
);

const commit: fc.Arbitrary<Command> = fc.record({
  type: fc.constant("commit" as const),
  publishes: fc.array(
    fc.record({
      queues: fc.uniqueArray(queue, { minLength: 1 }),
      bytes: fc.oneof({ weight: 20, arbitrary: fc.nat(300) }, { weight: 1, arbitrary: fc.nat(400_000) }),
      transient: fc.oneof(
        { weight: 5, arbitrary: fc.constant(false) },
        { weight: 1, arbitrary: fc.constant(true) },
      ),
      expiresAt: fc.constantFrom(0, 0, 0, 1_800_000_000_000, 1_800_000_000_007),
      note,
    }),
    { maxLength: 12 },
  ),
  settles: fc.array(share, { maxLength: 16 }),
  attempts: fc.array(fc.record({ which: share, attempts: fc.integer({ min: 1, max: 70_000 }) }), {
    maxLength: 3,
  }),
  notes: fc.array(fc.record({ which: share, note }), { maxLength: 5 }),
  drop: fc.oneof(
    { weight: 12, arbitrary: fc.constant(null) },
    {
      weight: 1,
      arbitrary: fc.record({ queue, from: share, to: share, whole: fc.boolean() }),
    },
  ),
  records: fc.array(fc.record({ key: fc.nat(5), value: fc.option(fc.nat()) }), { maxLength: 2 }),
  wait: fc.boolean(),
});

const commands: fc.Arbitrary<readonly Command[]> = fc.array(
  fc.oneof(
    { weight: 12, arbitrary: commit },
    {
      weight: 4,
      arbitrary: fc.record({
        type: fc.constant("maintain" as const),
        steps: fc.integer({ min: 1, max: 20 }),
        wait: fc.boolean(),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        type: fc.constant("load" as const),
        queue,
        from: share,
        length: fc.nat(100),
        max: fc.integer({ min: 1, max: 40 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ type: fc.constant("reopen" as const), clean: fc.boolean() }) },
  ),
  { minLength: 1, maxLength: 100 },
);

interface ModelEntry {
  readonly seq: number;
  readonly messageId: number;
  readonly flags: number;
  readonly bytes: number;
  readonly priority: number;
  readonly expiresAt: number;
  attempts: number;
  note: Uint8Array | undefined;
}

class ModelQueue {
  entries: ModelEntry[] = [];
  nextSeq = 1;
  readonly id: number;

  constructor(id: number) {
    this.id = id;
  }

  get counters() {
    const durable = this.entries.filter(({ flags }) => (flags & entryFlags.transient) === 0);
    const bytes = durable.reduce((sum, entry) => sum + entry.bytes, 0);
    return { nextSeq: this.nextSeq, messages: durable.length, bytes };
  }
}

function envelopeOf(id: number, bytes: number): Uint8Array {
  const envelope = new Uint8Array(bytes);
  for (let i = 0; i < bytes; i++) envelope[i] = id * 31 + i;
  return envelope;
}

/** Different ones, also of the same length. */
let notesMade = 0;

function noteOf(length: number | null): Uint8Array | undefined {
  return length === null ? undefined : new Uint8Array(length).fill(++notesMade);
}

class Run {
  readonly #makeStore: () => Store;
  #store: Store;
  #queues = Array.from({ length: queueCount }, (_, i) => new ModelQueue(i + 1));
  /** Queues that a commit has named: those with counters. */
  #named = new Set<ModelQueue>();
  #nextQueueId = queueCount + 1;
  #nextMessageId = 1;
  #records = new Map<string, unknown>();
  #underWay: Promise<unknown>[] = [];
  /** What is flushed for certain: entries above may or may not be seen. */
  #flushedSeq = new Map<number, number>();

  constructor(makeStore: () => Store) {
    this.#makeStore = makeStore;
    this.#store = makeStore();
  }

  async run(commands: readonly Command[]): Promise<void> {
    await this.#store.open();
    for (const command of commands) {
      if (command.type === "commit") await this.#commit(command);
      else if (command.type === "maintain") await this.#maintain(command.steps, command.wait);
      else if (command.type === "reopen") await this.#reopen(command.clean);
      else this.#load(command.queue, command.from, command.length, command.max);
    }
    await this.#reopen(true);
    await this.#maintain(2000, true);
    for (let at = 0; at < queueCount; at++) this.#load(at, 0, Number.POSITIVE_INFINITY, 100_000);
    await this.#reopen(true);
    for (let at = 0; at < queueCount; at++) this.#load(at, 0, Number.POSITIVE_INFINITY, 100_000);
    await this.#store.close({ clean: true });
  }

  async #flushed(): Promise<void> {
    await Promise.all(this.#underWay);
    this.#underWay = [];
    for (const { id, nextSeq } of this.#queues) this.#flushedSeq.set(id, nextSeq - 1);
  }

  async #commit(command: CommitCommand): Promise<void> {
    const changed = new Map<ModelQueue, { -readonly [Key in keyof QueueChanges]: QueueChanges[Key] }>();
    const change = (queue: ModelQueue) => {
      const known = changed.get(queue);
      if (known !== undefined) return known;
      const fresh = {
        queue: queue.id,
        counters: queue.counters,
        appended: [],
        settled: [],
        attempted: [],
        noted: [],
      };
      changed.set(queue, fresh);
      return fresh as NonNullable<typeof known>;
    };
    const present = this.#queues.flatMap((queue) => queue.entries.map((entry) => ({ queue, entry })));
    for (const which of command.settles) {
      const found = present[Math.floor((which / 1000) * present.length)];
      if (found === undefined || !found.queue.entries.includes(found.entry)) continue;
      found.queue.entries = found.queue.entries.filter((entry) => entry !== found.entry);
      const { seq, messageId } = found.entry;
      const changes = change(found.queue);
      changes.settled = [...changes.settled, { seq, messageId }];
    }
    for (const { which, attempts } of command.attempts) {
      const found = present[Math.floor((which / 1000) * present.length)];
      if (found === undefined || !found.queue.entries.includes(found.entry)) continue;
      found.entry.attempts = attempts;
      const changes = change(found.queue);
      changes.attempted = [...changes.attempted, { seq: found.entry.seq, attempts }];
    }
    for (const { which, note: length } of command.notes) {
      const found = present[Math.floor((which / 1000) * present.length)];
      if (found === undefined || !found.queue.entries.includes(found.entry)) continue;
      const note = noteOf(length);
      found.entry.note = note;
      const changes = change(found.queue);
      changes.noted = [...changes.noted, { seq: found.entry.seq, note }];
    }
    const dropped = [];
    if (command.drop !== null) {
      const queue = this.#queues[command.drop.queue]!;
      const at = (share: number) => Math.floor((share / 1000) * queue.nextSeq);
      const { whole } = command.drop;
      const fromSeq = whole ? 0 : at(Math.min(command.drop.from, command.drop.to));
      const toSeq = whole ? Number.POSITIVE_INFINITY : at(Math.max(command.drop.from, command.drop.to));
      dropped.push({ queue: queue.id, fromSeq, toSeq });
      if (whole) {
        this.#queues[command.drop.queue] = new ModelQueue(this.#nextQueueId++);
        changed.delete(queue);
        this.#named.delete(queue);
      } else {
        queue.entries = queue.entries.filter(({ seq }) => seq < fromSeq || seq > toSeq);
        change(queue);
      }
    }
    const messages: NewMessage[] = [];
    for (const { queues, bytes, transient, expiresAt, note } of command.publishes) {
      // Now and then an id or a seq is left out, as by messages that are never written.
      const id = this.#nextMessageId + (bytes % 11 === 0 ? 3 : 0);
      this.#nextMessageId = id + 1;
      messages.push({ id, envelope: envelopeOf(id, bytes) });
      for (const at of queues) {
        const queue = this.#queues[at]!;
        const seq = queue.nextSeq + (bytes % 13 === 0 ? 2 : 0);
        queue.nextSeq = seq + 1;
        const flags = transient ? entryFlags.transient : 0;
        const entry: NewEntry = {
          seq,
          messageId: id,
          flags,
          bytes,
          priority: bytes % 17 === 0 ? 5 : 0,
          expiresAt: expiresAt === 0 || bytes % 3 === 0 ? expiresAt : expiresAt + bytes,
          note: noteOf(note),
        };
        queue.entries.push({ ...entry, attempts: 0 });
        const changes = change(queue);
        changes.appended = [...changes.appended, entry];
      }
    }
    const records: RecordChange[] = command.records.map(({ key, value }) => ({
      key: `record/${key}`,
      value,
    }));
    for (const { key, value } of records) {
      if (value === null) this.#records.delete(key);
      else this.#records.set(key, value);
    }
    const queues = [...changed].map(([queue, changes]) => {
      this.#named.add(queue);
      return { ...changes, counters: queue.counters };
    });
    this.#underWay.push(this.#store.commit({ messages, queues, dropped, records }));
    if (command.wait) await this.#flushed();
  }

  async #maintain(steps: number, wait: boolean): Promise<void> {
    for (let i = 0; i < steps; i++) {
      const step = this.#store.maintain();
      if (!wait) this.#underWay.push(step);
      else if (!(await step)) return;
    }
  }

  async #reopen(clean: boolean): Promise<void> {
    await this.#flushed();
    await this.#store.close({ clean });
    for (const queue of this.#queues) {
      queue.entries = queue.entries.filter(({ flags }) => (flags & entryFlags.transient) === 0);
    }
    this.#store = this.#makeStore();
    this.#check(await this.#store.open(), clean);
  }

  #check(recovered: Recovered, clean: boolean): void {
    expect(recovered.clean).toBe(clean);
    expect(recovered.nextMessageId).toBe(this.#nextMessageId);
    expect(new Map(recovered.records)).toEqual(this.#records);
    const counters = [...this.#named].map((queue) => [queue.id, queue.counters] as const);
    expect(new Map(recovered.queues)).toEqual(new Map(counters));
  }

  #load(at: number, from: number, length: number, max: number): void {
    const queue = this.#queues[at]!;
    const fromSeq = Math.floor((from / 1000) * queue.nextSeq);
    const toSeq = Math.min(fromSeq + length, this.#flushedSeq.get(queue.id) ?? 0);
    const expected = queue.entries.filter(({ seq }) => seq >= fromSeq && seq <= toSeq).slice(0, max);
    const loaded = this.#loadAll(queue.id, fromSeq, toSeq, max);
    const facts = loaded.map(({ envelope: _, ...entry }) => entry);
    expectSame(facts, expected);
    for (const { messageId, bytes, envelope } of loaded)
      expect(Buffer.compare(envelope, envelopeOf(messageId, bytes))).toBe(0);
    expectSame(this.#scan(queue.id, fromSeq, toSeq, max), expected);
    const one = expected[Math.floor(expected.length / 2)];
    if (one !== undefined) expect(this.#store.loadOne(queue.id, one.seq)?.messageId).toBe(one.messageId);
  }

  /** As many entries as there are, up to `max`, in as many windows as it takes. */
  #loadAll(queue: number, fromSeq: number, toSeq: number, max: number): LoadedEntry[] {
    const all: LoadedEntry[] = [];
    while (all.length < max) {
      const from = (all.at(-1)?.seq ?? fromSeq - 1) + 1;
      const loaded = this.#store.load(queue, from, toSeq, max - all.length, Number.POSITIVE_INFINITY);
      if (loaded.length === 0) break;
      all.push(...loaded);
    }
    return all;
  }

  /** The same, without messages. */
  #scan(queue: number, fromSeq: number, toSeq: number, max: number): StoredEntry[] {
    const all: StoredEntry[] = [];
    for (let from: number | undefined = fromSeq; from !== undefined && all.length < max; ) {
      const { entries, nextSeq } = this.#store.scan(queue, from, toSeq, max - all.length);
      all.push(...entries);
      from = nextSeq;
    }
    return all;
  }
}

/** Notes are compared apart: they may be long. */
function expectSame(found: readonly StoredEntry[], expected: readonly ModelEntry[]): void {
  const withoutNote = ({ note, ...entry }: StoredEntry) => ({ ...entry, note: note?.length });
  expect(found.map(withoutNote)).toEqual(expected.map(withoutNote));
  for (const [i, { note }] of found.entries())
    expect(Buffer.compare(note ?? Buffer.alloc(0), expected[i]!.note ?? Buffer.alloc(0))).toBe(0);
}

export const storeModel = {
  commands,
  run: (commands: readonly Command[], makeStore: () => Store) => new Run(makeStore).run(commands),
};
