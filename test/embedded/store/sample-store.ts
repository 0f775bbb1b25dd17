import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  Environment,
  type Row,
  type TableName,
  Writes,
} from "../../../server/embedded/store/lmdb/environment.ts";
import { LmdbStore } from "../../../server/embedded/store/lmdb-store.ts";
import { type Changes, entryFlags, type NewEntry } from "../../../server/embedded/store/store.ts";

/**
 * A store with something of everything: queues "a" and "b" that share messages, partly settled runs, attempts, times and notes,
 * a dropped range that is not deleted yet, large messages, and what a transient queue has left.
 */

export const rounds = 40;
export const perRound = 25;
const firstDropped = 201;
const lastDropped = 300;

/** The last one lies at the end of the file, as no other place is large enough: cutting that off leaves LMDB's own pages. */
function size(id: number): number {
  if (id === rounds * perRound) return 100_000;
  return id % 90 === 0 ? 9000 : 30 + (id % 100);
}

function envelope(id: number): Buffer {
  const bytes = Buffer.alloc(size(id), id % 251);
  bytes.write(`message ${id};`);
  return bytes;
}

/** Every third message of the first half of queue "a" is settled, and all of rounds 6 and 7. */
function isSettledInA(seq: number): boolean {
  const round = Math.ceil(seq / perRound);
  return round === 6 || round === 7 || (round <= rounds / 2 && seq % 3 === 0);
}

function isDroppedFromB(seq: number): boolean {
  return seq >= firstDropped && seq <= lastDropped;
}

/** What each queue holds, by seq; ids are the same. */
export function heldBySample(queue: "a" | "b"): number[] {
  const all = Array.from({ length: rounds * perRound }, (_, i) => i + 1);
  return all.filter((seq) => !(queue === "a" ? isSettledInA(seq) : isDroppedFromB(seq)));
}

/** Those of every third round expire together, of the others one in five. */
function expiresAt(seq: number): number {
  const round = Math.ceil(seq / perRound);
  if (round % 3 === 0) return 1_900_000_000_000;
  return seq % 5 === 0 ? 1_900_000_000_000 + seq : 0;
}

/** In both queues: given with the entry, and to some of queue "a" later. */
function note(queue: "a" | "b", seq: number): Buffer | undefined {
  if (seq % 20 === 9) return Buffer.from(`note ${seq}`);
  return queue === "a" && seq % 20 === 11 ? Buffer.from(`late note ${seq}`) : undefined;
}

/** The entries that have one. */
export function notedInSample(queue: "a" | "b"): number[] {
  return heldBySample(queue).filter((seq) => note(queue, seq) !== undefined);
}

function counters(held: readonly number[], nextSeq: number) {
  const present = held.filter((seq) => seq < nextSeq);
  return {
    nextSeq,
    messages: present.length,
    bytes: present.reduce((sum, id) => sum + envelope(id).length, 0),
  };
}

function records(): Changes["records"] {
  const args = { arguments: {} };
  return [
    { key: "exchange/events", value: { type: "topic", autoDelete: false, internal: false, ...args } },
    { key: "queue/a", value: { id: 1, autoDelete: false, ...args } },
    { key: "queue/b", value: { id: 2, autoDelete: false, arguments: { maxLength: 5000 } } },
    { key: "binding/1", value: { exchange: "events", queue: "a", routingKey: "#", ...args } },
    { key: "binding/2", value: { exchange: "events", queue: "b", routingKey: "#", ...args } },
    { key: "engine/reserved-queue-ids", value: 1001 },
  ];
}

export async function writeSample(directory: string): Promise<void> {
  const store = new LmdbStore({ directory });
  await store.open();
  const all = Array.from({ length: rounds * perRound }, (_, i) => i + 1);
  for (let round = 0; round < rounds; round++) {
    const ids = all.slice(round * perRound, (round + 1) * perRound);
    const nextSeq = ids.at(-1)! + 1;
    const appended: NewEntry[] = ids.map((id) => {
      return {
        seq: id,
        messageId: id,
        flags: 0,
        bytes: envelope(id).length,
        priority: 0,
        expiresAt: expiresAt(id),
        note: note("b", id),
      };
    });
    const transient = appended.slice(0, 3).map((entry) => ({ ...entry, flags: entryFlags.transient }));
    const untouched = { settled: [], attempted: [], noted: [] };
    await store.commit({
      messages: ids.map((id) => ({ id, envelope: envelope(id) })),
      queues: [
        { queue: 1, counters: counters(all, nextSeq), appended, ...untouched },
        { queue: 2, counters: counters(all, nextSeq), appended, ...untouched },
        { queue: 3, counters: { nextSeq, messages: 0, bytes: 0 }, appended: transient, ...untouched },
      ],
      dropped: [],
      records: round === 0 ? records() : [],
    });
  }
  const nextSeq = rounds * perRound + 1;
  await store.commit({
    messages: [],
    queues: [
      {
        queue: 1,
        counters: counters(heldBySample("a"), nextSeq),
        appended: [],
        settled: all.filter(isSettledInA).map((seq) => ({ seq, messageId: seq })),
        attempted: [{ seq: 1, attempts: 3 }],
        noted: all.filter((seq) => seq % 20 === 11).map((seq) => ({ seq, note: note("a", seq) })),
      },
      {
        queue: 2,
        counters: counters(heldBySample("b"), nextSeq),
        appended: [],
        settled: [],
        attempted: [],
        noted: [],
      },
    ],
    dropped: [{ queue: 2, fromSeq: firstDropped, toSeq: lastDropped }],
    records: [],
  });
  await store.close({ clean: true });
}

interface ReadSample {
  a: number[];
  b: number[];
  clean: boolean;
}

/**
 * What the store gives out, by queue: seqs, after it was held that each has the right envelope and time, and the right note or,
 * if `notes` is given, none: then it is added there.
 */
export async function readSample(
  directory: string,
  notes?: { a: number[]; b: number[] },
): Promise<ReadSample> {
  const store = new LmdbStore({ directory, longReadMs: Number.POSITIVE_INFINITY });
  const { clean, records: found } = await store.open();
  const read = (name: "a" | "b") => {
    const { id } = (found.get(`queue/${name}`) ?? { id: 0 }) as { id: number };
    const loaded = store.load(id, 0, Number.POSITIVE_INFINITY, 1_000_000, Number.POSITIVE_INFINITY);
    for (const entry of loaded) {
      if (!envelope(entry.messageId).equals(entry.envelope))
        throw new Error(`message ${entry.messageId} is not itself`);
      const { seq } = entry;
      if (entry.expiresAt !== expiresAt(seq)) throw new Error(`entry ${seq} expires at another time`);
      if (notes !== undefined && entry.note === undefined) continue;
      const expected = note(name, seq);
      if (entry.note === undefined ? expected !== undefined : !expected?.equals(entry.note))
        throw new Error(`entry ${seq} of ${name} has another note`);
      if (entry.note !== undefined) notes?.[name].push(seq);
    }
    return loaded.map(({ seq }) => seq);
  };
  try {
    return { a: read("a"), b: read("b"), clean };
  } finally {
    await store.close({ clean: true });
  }
}

export async function rowsOf(directory: string, table: TableName): Promise<Row[]> {
  const environment = new Environment(join(directory, "store.mdb"), { readOnly: true });
  try {
    return [...environment.rows(table, Buffer.from([0]), 1_000_000)];
  } finally {
    await environment.close();
  }
}

/** Changes rows of a store that nobody has open. */
export async function changeRows(directory: string, change: (writes: Writes) => void): Promise<void> {
  const environment = new Environment(join(directory, "store.mdb"));
  try {
    const writes = new Writes();
    change(writes);
    const head = environment.head()!;
    await environment.commit(writes, { ...head, commit: head.commit + 1 });
  } finally {
    await environment.close();
  }
}

/** Flips a bit of a row where it lies in the file, wherever it lies: freed pages may still have it too. */
export function flipInFile(directory: string, value: Uint8Array, offset: number): void {
  const path = join(directory, "store.mdb");
  const file = readFileSync(path);
  let found = 0;
  for (let at = file.indexOf(value); at >= 0; at = file.indexOf(value, at + 1)) {
    file[at + offset]! ^= 1;
    found++;
  }
  if (found === 0) throw new Error("the row is not in the file");
  writeFileSync(path, file);
}
