import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type Changes,
  entryFlags,
  type LoadedEntry,
  maxNoteBytes,
  type NewEntry,
  type NewMessage,
  type NotedEntry,
  type QueueChanges,
  type Recovered,
  type Store,
  type StoredEntry,
} from "../../server/embedded/store/store.ts";
import { storeModel } from "./store-model.ts";

/** One place where a store keeps things, which can be opened again and again. */
export interface StorePlace {
  /** A store that is not open yet, on what the last one left. */
  store(): Store;
  remove(): Promise<void>;
}

const nothing: Changes = { messages: [], queues: [], dropped: [], records: [] };
const noCounters = { nextSeq: 1, messages: 0, bytes: 0 };

export function message(id: number, text = `message ${id}`): NewMessage {
  return { id, envelope: new TextEncoder().encode(text) };
}

export function entry(seq: number, messageId = seq, more: Partial<NewEntry> = {}): NewEntry {
  return { seq, messageId, flags: 0, bytes: 10, priority: 0, expiresAt: 0, note: undefined, ...more };
}

export function queueChanges(queue: number, changes: Partial<QueueChanges>): QueueChanges {
  return { queue, counters: noCounters, appended: [], settled: [], attempted: [], noted: [], ...changes };
}

export function changes(more: Partial<Changes>): Changes {
  return { ...nothing, ...more };
}

/** Messages `first` to `last`, in one queue, seq and id the same. */
export function published(queue: number, first: number, last: number, more: Partial<NewEntry> = {}): Changes {
  const messages: NewMessage[] = [];
  const appended: NewEntry[] = [];
  for (let id = first; id <= last; id++) {
    const added = message(id);
    messages.push(added);
    appended.push(entry(id, id, { bytes: added.envelope.length, ...more }));
  }
  const counters = { nextSeq: last + 1, messages: last - first + 1, bytes: 0 };
  return changes({ messages, queues: [queueChanges(queue, { appended, counters })] });
}

export function settled(queue: number, ...seqs: number[]): Changes {
  return changes({
    queues: [queueChanges(queue, { settled: seqs.map((seq) => ({ seq, messageId: seq })) })],
  });
}

/** Gives entries of queue 1 notes, or takes them away. */
function noted(...notes: NotedEntry[]): Changes {
  return changes({ queues: [queueChanges(1, { noted: notes })] });
}

export function everything(store: Store, queue: number): LoadedEntry[] {
  const all: LoadedEntry[] = [];
  for (;;) {
    const fromSeq = (all.at(-1)?.seq ?? -1) + 1;
    const loaded = store.load(
      queue,
      fromSeq,
      Number.POSITIVE_INFINITY,
      Number.POSITIVE_INFINITY,
      Number.POSITIVE_INFINITY,
    );
    if (loaded.length === 0) return all;
    all.push(...loaded);
  }
}

/** As {@link everything}, without messages, in steps of so many. */
export function scanned(store: Store, queue: number, maxEntries = 1000): StoredEntry[] {
  const all: StoredEntry[] = [];
  for (let fromSeq: number | undefined = 0; fromSeq !== undefined; ) {
    const { entries, nextSeq } = store.scan(queue, fromSeq, Number.POSITIVE_INFINITY, maxEntries);
    expect(entries.length).toBeLessThanOrEqual(maxEntries);
    if (nextSeq !== undefined) expect(nextSeq).toBeGreaterThan(fromSeq);
    all.push(...entries);
    fromSeq = nextSeq;
  }
  return all;
}

export function seqs(entries: readonly StoredEntry[]): number[] {
  return entries.map(({ seq }) => seq);
}

export function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

export async function maintainToTheEnd(store: Store): Promise<void> {
  for (let steps = 0; (await store.maintain()) !== "nothing"; steps++) expect(steps).toBeLessThan(10_000);
}

const bytesOf = (text: string) => new TextEncoder().encode(text);
const noteOf = ({ note }: StoredEntry) => note && new TextDecoder().decode(note);
const text = (loaded: LoadedEntry) => new TextDecoder().decode(loaded.envelope);

/** What every store has to do. */
export function storeContract(name: string, makePlace: () => Promise<StorePlace>): void {
  describe(name, () => {
    let place: StorePlace;
    let store: Store;
    let recovered: Recovered;
    let isOpen = false;

    async function open(): Promise<void> {
      store = place.store();
      recovered = await store.open();
      isOpen = true;
    }

    async function close(clean = true): Promise<void> {
      isOpen = false;
      await store.close({ clean });
    }

    async function reopen(clean = true): Promise<void> {
      await close(clean);
      await open();
    }

    beforeEach(async () => {
      place = await makePlace();
      await open();
    });

    afterEach(async () => {
      if (isOpen) await close();
      await place.remove();
    });

    describe("opening", () => {
      test("a new store is empty, clean, and numbers messages from 1", () => {
        expect(recovered.records.size).toBe(0);
        expect(recovered.queues.size).toBe(0);
        expect(recovered.nextMessageId).toBe(1);
        expect(recovered.clean).toBe(true);
      });

      test("a clean stop is told from one that was not", async () => {
        await reopen(false);
        expect(recovered.clean).toBe(false);
        await reopen(true);
        expect(recovered.clean).toBe(true);
        await reopen(false);
        expect(recovered.clean).toBe(false);
      });

      test("a message id is never given out again, also when all messages are gone", async () => {
        await store.commit(published(1, 1, 7));
        await store.commit(settled(1, ...range(1, 7)));
        await maintainToTheEnd(store);
        await reopen();
        expect(recovered.nextMessageId).toBe(8);
        await reopen();
        expect(recovered.nextMessageId).toBe(8);
      });

      test("each queue's counters come back as they were last written", async () => {
        await store.commit(
          changes({
            queues: [
              queueChanges(1, { counters: { nextSeq: 5, messages: 1, bytes: 2 } }),
              queueChanges(2 ** 40, { counters: { nextSeq: 2 ** 45, messages: 2 ** 41, bytes: 2 ** 50 } }),
            ],
          }),
        );
        await store.commit(
          changes({ queues: [queueChanges(1, { counters: { nextSeq: 9, messages: 3, bytes: 30 } })] }),
        );
        await reopen();
        expect([...recovered.queues]).toEqual([
          [1, { nextSeq: 9, messages: 3, bytes: 30 }],
          [2 ** 40, { nextSeq: 2 ** 45, messages: 2 ** 41, bytes: 2 ** 50 }],
        ]);
      });
    });

    describe("records", () => {
      test("a record comes back as it was last written, until it is deleted", async () => {
        await store.commit(
          changes({
            records: [
              { key: "queue/1", value: { name: "orders", durable: true } },
              { key: "queue/2", value: "gone" },
              { key: "exchange/ü☃", value: [1, null, { a: "b" }] },
              { key: `binding/${"x".repeat(1890)}`, value: 7 },
            ],
          }),
        );
        await store.commit(
          changes({
            records: [
              { key: "queue/1", value: { name: "orders", durable: false } },
              { key: "queue/2", value: null },
            ],
          }),
        );
        await reopen();
        expect(Object.fromEntries(recovered.records)).toEqual({
          "queue/1": { name: "orders", durable: false },
          "exchange/ü☃": [1, null, { a: "b" }],
          [`binding/${"x".repeat(1890)}`]: 7,
        });
      });

      test("thousands of records come back", async () => {
        const keys = range(1, 3000).map((number) => `binding/${String(number).padStart(5, "0")}`);
        await store.commit(changes({ records: keys.map((key) => ({ key, value: { key } })) }));
        await reopen();
        expect([...recovered.records.keys()].sort()).toEqual(keys);
      });
    });

    describe("loading", () => {
      test("an entry comes back with all that was said about it", async () => {
        const appended = [
          entry(7, 3, { priority: 9, expiresAt: 1_800_000_000_123, bytes: 5 }),
          entry(8, 4, { flags: entryFlags.transient, bytes: 0 }),
        ];
        await store.commit(
          changes({
            messages: [message(3, "three"), message(4, "")],
            queues: [queueChanges(1, { appended })],
          }),
        );
        const loaded = everything(store, 1);
        const envelope = expect.any(Uint8Array);
        expect(loaded).toEqual(appended.map((added) => ({ ...added, attempts: 0, envelope })));
        expect(loaded.map(text)).toEqual(["three", ""]);
      });

      test("a window is bounded by its ends, by a number of entries and by bytes", async () => {
        await store.commit(published(1, 1, 100));
        await store.commit(published(1, 101, 200));
        const load = (from: number, to: number, maxEntries: number, maxBytes: number) =>
          seqs(store.load(1, from, to, maxEntries, maxBytes));
        expect(load(95, 104, 1000, 1e9)).toEqual(range(95, 104));
        expect(load(95, 200, 20, 1e9)).toEqual(range(95, 114));
        expect(load(201, 300, 20, 1e9)).toEqual([]);
        expect(load(0, 0, 20, 1e9)).toEqual([]);
        expect(load(150, Number.POSITIVE_INFINITY, 1000, 1e9)).toEqual(range(150, 200));
      });

      test("there is at least one entry however small the window, and the one that passes the bytes is the last", async () => {
        await store.commit(
          changes({
            messages: range(1, 5).map((id) => message(id, "x".repeat(100))),
            queues: [
              queueChanges(1, { appended: range(1, 5).map((seq) => entry(seq, seq, { bytes: 100 })) }),
            ],
          }),
        );
        expect(seqs(store.load(1, 2, 5, 10, 0))).toEqual([2]);
        expect(seqs(store.load(1, 2, 5, 10, 100))).toEqual([2, 3]);
        expect(seqs(store.load(1, 2, 5, 10, 101))).toEqual([2, 3]);
      });

      test("each queue has its own entries, also next to others with adjoining numbers", async () => {
        await store.commit(published(255, 1, 3));
        await store.commit(published(256, 4, 6));
        await store.commit(published(257, 7, 9));
        expect(seqs(everything(store, 255))).toEqual([1, 2, 3]);
        expect(seqs(everything(store, 256))).toEqual([4, 5, 6]);
        expect(seqs(everything(store, 257))).toEqual([7, 8, 9]);
        expect(everything(store, 254)).toEqual([]);
        expect(everything(store, 258)).toEqual([]);
      });

      test("gaps between seqs and between ids do not matter, however wide", async () => {
        const numbers = [1, 2, 10, 4_000_000_000, 5_000_000_000, 2 ** 40, 2 ** 52];
        await store.commit(
          changes({
            messages: numbers.map((id) => message(id)),
            queues: [queueChanges(1, { appended: numbers.map((seq) => entry(seq)) })],
          }),
        );
        expect(seqs(everything(store, 1))).toEqual(numbers);
        expect(everything(store, 1).map(text)).toEqual(numbers.map((id) => `message ${id}`));
        expect(seqs(store.load(1, 11, 2 ** 41, 10, 1e9))).toEqual([4_000_000_000, 5_000_000_000, 2 ** 40]);
        await store.commit(settled(1, 2, 5_000_000_000));
        await maintainToTheEnd(store);
        expect(seqs(everything(store, 1))).toEqual([1, 10, 4_000_000_000, 2 ** 40, 2 ** 52]);
      });

      test("a queue may refer to messages in any order, and hold one twice", async () => {
        const appended = [entry(1, 3), entry(2, 1), entry(3, 2), entry(4, 3)];
        await store.commit(
          changes({
            messages: [message(1), message(2), message(3)],
            queues: [queueChanges(1, { appended })],
          }),
        );
        await store.commit(changes({ queues: [queueChanges(1, { settled: [{ seq: 1, messageId: 3 }] })] }));
        expect(everything(store, 1).map(text)).toEqual(["message 1", "message 2", "message 3"]);
      });

      test("a commit may be large, in messages and in bytes", async () => {
        await store.commit(published(1, 1, 20_000));
        const sizes = [300_000, 1, 17_000_000, 0, 262_144, 5];
        await store.commit(
          changes({
            messages: sizes.map((size, i) => ({
              id: 20_001 + i,
              envelope: new Uint8Array(size).fill(i + 1),
            })),
            queues: [
              queueChanges(1, {
                appended: sizes.map((bytes, i) => entry(20_001 + i, 20_001 + i, { bytes })),
              }),
            ],
          }),
        );
        await reopen();
        const loaded = everything(store, 1);
        expect(seqs(loaded)).toEqual(range(1, 20_006));
        const large = loaded.slice(20_000);
        expect(large.map(({ envelope }) => envelope.length)).toEqual(sizes);
        expect(large.every(({ envelope }, i) => envelope.every((byte) => byte === i + 1))).toBe(true);
      });

      test("memory is not shared in either direction", async () => {
        const published1 = published(1, 1, 3);
        const committed = store.commit(published1);
        for (const { envelope } of published1.messages) (envelope as Uint8Array).fill(0);
        await committed;
        const first = everything(store, 1);
        expect(first.map(text)).toEqual(["message 1", "message 2", "message 3"]);
        for (const { envelope } of first) envelope.fill(0);
        expect(everything(store, 1).map(text)).toEqual(["message 1", "message 2", "message 3"]);
      });
    });

    describe("settling", () => {
      test("a settled entry is gone, and stays gone after a restart", async () => {
        await store.commit(published(1, 1, 10));
        await store.commit(settled(1, 9, 2, 3));
        expect(seqs(everything(store, 1))).toEqual([1, 4, 5, 6, 7, 8, 10]);
        await reopen(false);
        expect(seqs(everything(store, 1))).toEqual([1, 4, 5, 6, 7, 8, 10]);
        await store.commit(settled(1, 1, 4, 5, 6, 7, 8, 10));
        expect(everything(store, 1)).toEqual([]);
        await reopen();
        expect(everything(store, 1)).toEqual([]);
      });

      test("an entry that a commit under way settles is left out at once", async () => {
        await store.commit(published(1, 1, 5));
        const committed = store.commit(settled(1, 2, 4));
        expect(seqs(everything(store, 1))).toEqual([1, 3, 5]);
        await committed;
        expect(seqs(everything(store, 1))).toEqual([1, 3, 5]);
      });

      test("an entry can be settled while the commit that adds it is under way", async () => {
        const commits = [
          store.commit(published(1, 1, 5)),
          store.commit(settled(1, 1, 2)),
          store.commit(settled(1, 4)),
        ];
        await Promise.all(commits);
        expect(seqs(everything(store, 1))).toEqual([3, 5]);
        await Promise.all([store.commit(published(1, 6, 6)), store.commit(settled(1, 3, 5, 6))]);
        expect(everything(store, 1)).toEqual([]);
        await reopen();
        expect(everything(store, 1)).toEqual([]);
      });

      test("a message stays for as long as one queue holds it", async () => {
        const queues = range(1, 10).map((queue) => queueChanges(queue, { appended: [entry(1), entry(2)] }));
        await store.commit(changes({ messages: [message(1), message(2)], queues }));
        for (const queue of range(1, 9)) await store.commit(settled(queue, 1, 2));
        await maintainToTheEnd(store);
        await reopen();
        expect(everything(store, 10).map(text)).toEqual(["message 1", "message 2"]);
        expect(everything(store, 9)).toEqual([]);
      });

      test("a message can be moved to another queue in one commit", async () => {
        await store.commit(published(1, 1, 3));
        await store.commit(
          changes({
            queues: [
              queueChanges(1, { settled: [{ seq: 2, messageId: 2 }] }),
              queueChanges(2, { appended: [entry(1, 2)] }),
            ],
          }),
        );
        await store.commit(settled(1, 1, 3));
        await maintainToTheEnd(store);
        expect(everything(store, 1)).toEqual([]);
        expect(everything(store, 2).map(text)).toEqual(["message 2"]);
      });

      test("an entry's attempts are the last ones written", async () => {
        await store.commit(published(1, 1, 4));
        await store.commit(
          changes({
            queues: [
              queueChanges(1, {
                attempted: [
                  { seq: 2, attempts: 1 },
                  { seq: 3, attempts: 7 },
                ],
              }),
            ],
          }),
        );
        await store.commit(changes({ queues: [queueChanges(1, { attempted: [{ seq: 2, attempts: 2 }] })] }));
        await reopen();
        expect(everything(store, 1).map(({ attempts }) => attempts)).toEqual([0, 2, 7, 0]);
        await store.commit(settled(1, 2));
        await maintainToTheEnd(store);
        await reopen();
        expect(everything(store, 1).map(({ attempts }) => attempts)).toEqual([0, 7, 0]);
      });
    });

    describe("times and notes", () => {
      test("when an entry expires is kept, whether it is the same for all of a commit or not", async () => {
        const time = 1_800_000_000_000;
        const times = [
          ...range(1, 10).map(() => 0),
          ...range(11, 20).map(() => time),
          ...range(21, 30).map((seq) => (seq % 2) * (time + seq)),
          ...range(31, 40).map((seq) => 2 ** 53 - seq),
        ];
        for (const first of [1, 11, 21, 31]) {
          const ids = range(first, first + 9);
          const appended = ids.map((id) => entry(id, id, { expiresAt: times[id - 1]! }));
          const messages = ids.map((id) => message(id));
          await store.commit(changes({ messages, queues: [queueChanges(1, { appended })] }));
        }
        expect(everything(store, 1).map(({ expiresAt }) => expiresAt)).toEqual(times);
        await store.commit(settled(1, 2, 12, 22, 32));
        await maintainToTheEnd(store);
        await reopen();
        const left = times.filter((_, i) => i % 10 !== 1);
        expect(everything(store, 1).map(({ expiresAt }) => expiresAt)).toEqual(left);
        expect(scanned(store, 1).map(({ expiresAt }) => expiresAt)).toEqual(left);
      });

      test("a note comes back as it was last given, with the entry or later, until it is taken away", async () => {
        await store.commit(published(1, 1, 5, { note: bytesOf("first") }));
        await store.commit(published(1, 6, 10));
        await store.commit(
          noted(
            { seq: 2, note: bytesOf("second") },
            { seq: 3, note: undefined },
            { seq: 8, note: bytesOf("late") },
            { seq: 9, note: bytesOf("brief") },
            { seq: 10, note: undefined },
          ),
        );
        await store.commit(noted({ seq: 2, note: new Uint8Array() }, { seq: 9, note: undefined }));
        const notes = ["first", "", undefined, "first", "first", undefined, undefined, "late"];
        const expected = [...notes, undefined, undefined];
        expect(everything(store, 1).map(noteOf)).toEqual(expected);
        await reopen(false);
        expect(everything(store, 1).map(noteOf)).toEqual(expected);
        await maintainToTheEnd(store);
        expect(scanned(store, 1).map(noteOf)).toEqual(expected);
        await store.commit(settled(1, 1, 7));
        await maintainToTheEnd(store);
        await reopen();
        const left = [2, 3, 4, 5, 6, 8, 9, 10].map((seq) => expected[seq - 1]);
        expect(everything(store, 1).map(noteOf)).toEqual(left);
      });

      test("what commits under way say of notes and attempts is seen already", async () => {
        await store.commit(published(1, 1, 4, { note: bytesOf("old") }));
        const commits = [
          store.commit(noted({ seq: 1, note: bytesOf("newer") }, { seq: 2, note: bytesOf("newer") })),
          store.commit(noted({ seq: 1, note: bytesOf("newest") }, { seq: 3, note: undefined })),
          store.commit(changes({ queues: [queueChanges(1, { attempted: [{ seq: 4, attempts: 9 }] })] })),
        ];
        const check = () => {
          expect(everything(store, 1).map(noteOf)).toEqual(["newest", "newer", undefined, "old"]);
          expect(scanned(store, 1).map(noteOf)).toEqual(["newest", "newer", undefined, "old"]);
          expect(everything(store, 1).map(({ attempts }) => attempts)).toEqual([0, 0, 0, 9]);
        };
        check();
        for (const commit of commits) {
          await commit;
          check();
        }
        await reopen();
        check();
      });

      test("a note to an entry that is settled, or never was, changes nothing", async () => {
        await store.commit(published(1, 1, 3));
        await store.commit(settled(1, 1));
        await store.commit(noted({ seq: 1, note: bytesOf("late") }, { seq: 99, note: bytesOf("lost") }));
        await store.commit(
          changes({
            queues: [
              queueChanges(1, {
                settled: [{ seq: 2, messageId: 2 }],
                noted: [{ seq: 2, note: bytesOf("same commit") }],
              }),
            ],
          }),
        );
        await maintainToTheEnd(store);
        await reopen();
        expect(everything(store, 1).map(({ seq, note }) => [seq, note])).toEqual([[3, undefined]]);
      });

      test("a message that is moved to another queue leaves its note behind and may get another", async () => {
        await store.commit(published(1, 1, 3, { note: bytesOf("work") }));
        await store.commit(
          changes({
            queues: [
              queueChanges(1, { settled: [{ seq: 2, messageId: 2 }] }),
              queueChanges(2, { appended: [entry(1, 2, { note: bytesOf("failed"), expiresAt: 7 })] }),
            ],
          }),
        );
        await maintainToTheEnd(store);
        await reopen();
        expect(everything(store, 1).map(noteOf)).toEqual(["work", "work"]);
        expect(
          everything(store, 2).map((loaded) => [text(loaded), noteOf(loaded), loaded.expiresAt]),
        ).toEqual([["message 2", "failed", 7]]);
      });

      test("a note may be 64 KiB long, and many long ones come back in several windows", async () => {
        const note = (seq: number) => new Uint8Array(maxNoteBytes).fill(seq);
        for (const seq of range(1, 60)) await store.commit(published(1, seq, seq, { note: note(seq) }));
        await maintainToTheEnd(store);
        const loaded = everything(store, 1);
        expect(seqs(loaded)).toEqual(range(1, 60));
        expect(
          loaded.every((found) => found.note?.length === maxNoteBytes && found.note[9] === found.seq),
        ).toBe(true);
        expect(seqs(scanned(store, 1))).toEqual(range(1, 60));
      });

      test("a longer note is refused", async () => {
        const note = new Uint8Array(maxNoteBytes + 1);
        await expect(store.commit(published(1, 1, 1, { note }))).rejects.toThrow("a note takes 65537 bytes");
      });

      test("notes share no memory in either direction", async () => {
        const given = bytesOf("with the entry");
        const later = bytesOf("later");
        const commits = [
          store.commit(published(1, 1, 2, { note: given })),
          store.commit(noted({ seq: 2, note: later })),
        ];
        given.fill(0);
        later.fill(0);
        await Promise.all(commits);
        const check = () => expect(everything(store, 1).map(noteOf)).toEqual(["with the entry", "later"]);
        check();
        for (const { note } of everything(store, 1)) note!.fill(0);
        for (const { note } of scanned(store, 1)) note!.fill(0);
        check();
        const committed = store.commit(noted({ seq: 1, note: bytesOf("under way") }));
        store.loadOne(1, 1)!.note!.fill(0);
        await committed;
        expect(noteOf(store.loadOne(1, 1)!)).toBe("under way");
      });
    });

    describe("scanning", () => {
      test("an entry is found with all that the index says of it", async () => {
        const appended = [
          entry(7, 3, { priority: 9, expiresAt: 77, bytes: 5, note: bytesOf("note") }),
          entry(8, 4, { flags: entryFlags.transient }),
        ];
        await store.commit(
          changes({ messages: [message(3), message(4)], queues: [queueChanges(1, { appended })] }),
        );
        await store.commit(changes({ queues: [queueChanges(1, { attempted: [{ seq: 8, attempts: 2 }] })] }));
        expect(scanned(store, 1).map((found) => ({ ...found, note: noteOf(found) }))).toEqual([
          { ...appended[0], attempts: 0, note: "note" },
          { ...appended[1], attempts: 2 },
        ]);
      });

      test("a step is bounded by its ends and by a number of entries, and says where the next one begins", async () => {
        for (const first of range(0, 19)) await store.commit(published(1, 10 * first + 1, 10 * first + 10));
        const scan = (from: number, to: number, maxEntries: number) => {
          const { entries, nextSeq } = store.scan(1, from, to, maxEntries);
          return { seqs: seqs(entries), nextSeq };
        };
        expect(scan(5, 14, 100)).toEqual({ seqs: range(5, 14), nextSeq: undefined });
        expect(scan(5, 100, 7)).toEqual({ seqs: range(5, 11), nextSeq: 12 });
        expect(scan(5, 100, 0)).toEqual({ seqs: [5], nextSeq: 6 });
        expect(scan(201, 300, 10)).toEqual({ seqs: [], nextSeq: undefined });
        expect(scan(0, Number.POSITIVE_INFINITY, 1000)).toEqual({ seqs: range(1, 200), nextSeq: undefined });
        for (const maxEntries of [1, 3, 10, 11, 64])
          expect(seqs(scanned(store, 1, maxEntries))).toEqual(range(1, 200));
        expect(store.scan(2, 0, Number.POSITIVE_INFINITY, 10)).toEqual({ entries: [], nextSeq: undefined });
      });

      test("settled and dropped entries are left out, also by commits under way", async () => {
        await store.commit(published(1, 1, 100));
        await store.commit(settled(1, ...range(1, 20)));
        const commits = [
          store.commit(settled(1, 50)),
          store.commit(changes({ dropped: [{ queue: 1, fromSeq: 60, toSeq: 90 }] })),
        ];
        const expected = [...range(21, 49), ...range(51, 59), ...range(91, 100)];
        expect(seqs(scanned(store, 1))).toEqual(expected);
        expect(seqs(scanned(store, 1, 7))).toEqual(expected);
        await Promise.all(commits);
        await maintainToTheEnd(store);
        await reopen();
        expect(seqs(scanned(store, 1, 7))).toEqual(expected);
      });

      test("one entry is loaded by its number, unless it is settled or never was", async () => {
        await store.commit(published(1, 1, 100, { note: bytesOf("note") }));
        await store.commit(settled(1, 40));
        const loaded = store.loadOne(1, 41)!;
        expect([loaded.seq, text(loaded), noteOf(loaded)]).toEqual([41, "message 41", "note"]);
        expect(store.loadOne(1, 40)).toBeUndefined();
        expect(store.loadOne(1, 101)).toBeUndefined();
        expect(store.loadOne(2, 1)).toBeUndefined();
        const committed = store.commit(settled(1, 41));
        expect(store.loadOne(1, 41)).toBeUndefined();
        await committed;
      });
    });

    describe("commits under way", () => {
      test("they are done in the order in which they were handed over", async () => {
        const order: number[] = [];
        const commits = range(1, 30).map((id) =>
          store.commit(published(1, id, id)).then(() => order.push(id)),
        );
        await Promise.all(commits);
        expect(order).toEqual(range(1, 30));
        expect(seqs(everything(store, 1))).toEqual(range(1, 30));
      });

      test("closing waits for them", async () => {
        let isDone = false;
        void store.commit(published(1, 1, 500)).then(() => {
          isDone = true;
        });
        await reopen();
        expect(isDone).toBe(true);
        expect(seqs(everything(store, 1))).toEqual(range(1, 500));
      });

      test("an empty commit is a commit", async () => {
        await store.commit(nothing);
        await reopen();
        expect(recovered.clean).toBe(true);
      });
    });

    describe("dropping", () => {
      const drop = (queue: number, fromSeq: number, toSeq: number) =>
        store.commit(changes({ dropped: [{ queue, fromSeq, toSeq }] }));

      test("a dropped range is never seen again", async () => {
        await store.commit(published(1, 1, 100));
        await store.commit(settled(1, 50, 51));
        const dropped = drop(1, 11, 90);
        expect(seqs(everything(store, 1))).toEqual([...range(1, 10), ...range(91, 100)]);
        await dropped;
        expect(seqs(everything(store, 1))).toEqual([...range(1, 10), ...range(91, 100)]);
        expect(seqs(store.load(1, 20, 200, 1, 1e9))).toEqual([91]);
        await reopen(false);
        expect(seqs(everything(store, 1))).toEqual([...range(1, 10), ...range(91, 100)]);
        await maintainToTheEnd(store);
        expect(seqs(everything(store, 1))).toEqual([...range(1, 10), ...range(91, 100)]);
        await reopen();
        expect(seqs(everything(store, 1))).toEqual([...range(1, 10), ...range(91, 100)]);
      });

      test("entries added later are not meant, nor those of the same commit", async () => {
        await store.commit(published(1, 1, 10));
        await store.commit({ ...published(1, 11, 12), dropped: [{ queue: 1, fromSeq: 1, toSeq: 20 }] });
        await store.commit(published(1, 13, 14));
        await maintainToTheEnd(store);
        expect(seqs(everything(store, 1))).toEqual([11, 12, 13, 14]);
      });

      test("entries whose commit is under way are dropped too", async () => {
        const commits = [
          store.commit(published(1, 1, 10)),
          drop(1, 1, 8),
          store.commit(published(1, 11, 11)),
        ];
        const steps = [store.maintain(), store.maintain()];
        await Promise.all([...commits, ...steps]);
        await maintainToTheEnd(store);
        expect(seqs(everything(store, 1))).toEqual([9, 10, 11]);
        await reopen();
        expect(seqs(everything(store, 1))).toEqual([9, 10, 11]);
      });

      test("a dropped queue loses its counters, and other queues keep its messages", async () => {
        await store.commit({
          ...published(1, 1, 1000),
          queues: [
            ...published(1, 1, 1000).queues,
            queueChanges(2, { appended: range(1, 1000).map((seq) => entry(seq)) }),
          ],
        });
        await drop(1, 0, Number.POSITIVE_INFINITY);
        expect(everything(store, 1)).toEqual([]);
        await reopen();
        expect([...recovered.queues.keys()]).toEqual([2]);
        expect(everything(store, 1)).toEqual([]);
        await maintainToTheEnd(store);
        expect(everything(store, 1)).toEqual([]);
        expect(everything(store, 2).map(text)).toEqual(range(1, 1000).map((id) => `message ${id}`));
      });

      test("a message that goes to another queue stays, though all of its own goes in the same commit", async () => {
        await store.commit(published(1, 1, 10));
        await store.commit(
          changes({
            queues: [queueChanges(2, { appended: [entry(1, 4), entry(2, 5)] })],
            dropped: [{ queue: 1, fromSeq: 0, toSeq: Number.POSITIVE_INFINITY }],
          }),
        );
        await maintainToTheEnd(store);
        expect(everything(store, 2).map(text)).toEqual(["message 4", "message 5"]);
        await reopen();
        expect(everything(store, 2).map(text)).toEqual(["message 4", "message 5"]);
      });

      test("settling what is already dropped changes nothing", async () => {
        await store.commit({
          ...published(1, 1, 10),
          queues: [
            ...published(1, 1, 10).queues,
            queueChanges(2, { appended: range(1, 10).map((seq) => entry(seq)) }),
          ],
        });
        await drop(1, 1, 10);
        await store.commit(settled(1, 3, 4));
        await maintainToTheEnd(store);
        await store.commit(settled(1, 5));
        await maintainToTheEnd(store);
        expect(everything(store, 2).map(text)).toEqual(range(1, 10).map((id) => `message ${id}`));
      });
    });

    describe("transient entries", () => {
      const transient = entryFlags.transient;

      test("they are there until the store is opened again", async () => {
        await store.commit(published(1, 1, 300, { flags: transient, note: bytesOf("note") }));
        await store.commit(published(1, 301, 302));
        expect(seqs(everything(store, 1))).toEqual(range(1, 302));
        await reopen();
        expect(seqs(everything(store, 1))).toEqual([301, 302]);
        await store.commit(published(1, 303, 304, { flags: transient }));
        expect(seqs(everything(store, 1))).toEqual([301, 302, 303, 304]);
        await maintainToTheEnd(store);
        expect(seqs(everything(store, 1))).toEqual([301, 302, 303, 304]);
        await reopen(false);
        expect(seqs(everything(store, 1))).toEqual([301, 302]);
      });

      test("a message that another queue holds for good survives", async () => {
        const flags = transient;
        await store.commit(
          changes({
            messages: [message(1), message(2)],
            queues: [
              queueChanges(1, {
                appended: [entry(1, 1, { flags }), entry(2)],
                counters: { ...noCounters, nextSeq: 3 },
              }),
              queueChanges(2, {
                appended: [entry(1), entry(2, 2, { flags })],
                counters: { ...noCounters, nextSeq: 3 },
              }),
            ],
          }),
        );
        await reopen();
        await maintainToTheEnd(store);
        expect(everything(store, 1).map(text)).toEqual(["message 2"]);
        expect(everything(store, 2).map(text)).toEqual(["message 1"]);
        await store.commit(settled(1, 2));
        await store.commit(settled(2, 1));
        expect(everything(store, 1)).toEqual([]);
        expect(everything(store, 2)).toEqual([]);
      });
    });

    describe("background work", () => {
      test("changes nothing that can be seen, whatever goes on beside it", async () => {
        const left = new Set<number>();
        const commits: Promise<unknown>[] = [];
        for (let id = 1; id <= 600; id++) {
          commits.push(store.commit(published(1, id, id)));
          left.add(id);
          if (id % 3 === 0) {
            commits.push(store.commit(settled(1, id - 2)));
            left.delete(id - 2);
          }
          if (id % 7 === 0) commits.push(store.maintain());
          if (id % 100 === 0) await Promise.all(commits);
          const expected = [...left].filter((seq) => seq <= id - (id % 100));
          if (id % 50 === 0) expect(seqs(store.load(1, 0, id - (id % 100), 1000, 1e9))).toEqual(expected);
        }
        await Promise.all(commits);
        await maintainToTheEnd(store);
        expect(seqs(everything(store, 1))).toEqual([...left]);
        await store.commit(settled(1, ...[...left].slice(0, 200)));
        await maintainToTheEnd(store);
        await reopen();
        expect(seqs(everything(store, 1))).toEqual([...left].slice(200));
        expect(everything(store, 1).map(text)).toEqual([...left].slice(200).map((id) => `message ${id}`));
      });
    });

    test("whatever is committed, maintained and reopened, it agrees with a naive model", async () => {
      if (isOpen) await close();
      await fc.assert(
        fc.asyncProperty(storeModel.commands, async (commands) => {
          const own = await makePlace();
          try {
            await storeModel.run(commands, () => own.store());
          } finally {
            await own.remove();
          }
        }),
        { numRuns: 60 },
      );
    }, 60_000);
  });
}
