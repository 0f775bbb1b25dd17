import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeIndexRow, endOfRun, IndexRowReader } from "../../../server/embedded/store/lmdb/index-row.ts";
import { encodeMessageRow, MessageRowReader } from "../../../server/embedded/store/lmdb/message-row.ts";
import { decodeReferences, encodeReferences } from "../../../server/embedded/store/lmdb/references-row.ts";
import {
  bitmapBytes,
  decodeCounters,
  decodeNote,
  decodeRecord,
  decodeState,
  encodeCounters,
  encodeNote,
  encodeRecord,
  encodeState,
  type RunState,
} from "../../../server/embedded/store/lmdb/small-rows.ts";
import { readU64, writeU64 } from "../../../server/embedded/store/lmdb/u64.ts";
import type { NewEntry } from "../../../server/embedded/store/store.ts";

const number = fc.oneof(fc.maxSafeNat(), fc.nat(), fc.nat(300));
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });

/** Rising numbers, often by one. */
const rising = (maxLength: number) =>
  fc
    .tuple(
      fc.integer({ min: 0, max: 2 ** 48 }),
      fc.array(
        fc.oneof(
          { weight: 9, arbitrary: fc.constant(1) },
          { weight: 1, arbitrary: fc.integer({ min: 1, max: 2 ** 26 }) },
        ),
        {
          maxLength: maxLength - 1,
        },
      ),
    )
    .map(([first, steps]) => {
      const numbers = [first];
      for (const step of steps) numbers.push(numbers.at(-1)! + step);
      return numbers;
    });

/** As it would be read: somewhere inside other memory, not aligned. */
function elsewhere(row: Uint8Array): Uint8Array {
  const memory = new Uint8Array(row.length + 7).fill(0xa5);
  memory.set(row, 3);
  return memory.subarray(3, 3 + row.length);
}

/** The row with one bit the other way round. */
function flipped(row: Uint8Array, at: number): Uint8Array {
  const copy = new Uint8Array(row);
  const bit = at % (row.length * 8);
  copy[bit >>> 3]! ^= 1 << (bit & 7);
  return copy;
}

describe("64-bit numbers", () => {
  test("come back, and sort as bytes like they sort as numbers", () => {
    fc.assert(
      fc.property(number, number, (a, b) => {
        const [left, right] = [new Uint8Array(8), new Uint8Array(8)];
        writeU64(left, 0, a);
        writeU64(right, 0, b);
        expect(readU64(left, 0)).toBe(a);
        expect(Math.sign(Buffer.compare(left, right))).toBe(Math.sign(a - b));
      }),
    );
  });
});

describe("a row of messages", () => {
  const batch = rising(40).chain((ids) =>
    fc.record({
      ids: fc.constant(ids),
      envelopes: fc.array(fc.uint8Array({ maxLength: 50 }), { minLength: ids.length, maxLength: ids.length }),
      references: fc.oneof(
        fc.array(u32, { minLength: ids.length, maxLength: ids.length }),
        fc.constant(ids.map(() => 3)),
      ),
    }),
  );

  test("holds every message under its id", () => {
    fc.assert(
      fc.property(batch, fc.nat(39), fc.nat(5), ({ ids, envelopes, references }, skip, below) => {
        const from = skip % ids.length;
        const firstId = Math.max(0, ids[from]! - below);
        const bytes = encodeMessageRow({ ids, envelopes, references }, from, ids.length, firstId);
        const row = MessageRowReader.read(elsewhere(bytes), firstId)!;
        expect(row.count).toBe(ids.length - from);
        expect([...row.references()]).toEqual(references.slice(from));
        const deltas = row.idDeltas();
        for (let i = from; i < ids.length; i++) {
          const ordinal = row.ordinalOf(ids[i]!);
          expect(ordinal).toBe(i - from);
          expect(row.idAt(ordinal)).toBe(ids[i]);
          expect(firstId + (deltas?.[ordinal] ?? ordinal)).toBe(ids[i]);
          expect(row.lengthAt(ordinal)).toBe(envelopes[i]!.length);
          expect(Buffer.compare(row.envelopeAt(ordinal), envelopes[i]!)).toBe(0);
          if (!ids.includes(ids[i]! + 1)) expect(row.ordinalOf(ids[i]! + 1)).toBe(-1);
        }
      }),
    );
  });

  test("with any bit flipped, or under another key, is not taken for intact", () => {
    fc.assert(
      fc.property(batch, fc.nat(), (messages, bit) => {
        const firstId = messages.ids[0]!;
        const bytes = encodeMessageRow(messages, 0, messages.ids.length, firstId);
        expect(MessageRowReader.read(flipped(bytes, bit), firstId)).toBeUndefined();
        expect(MessageRowReader.read(bytes, firstId + 1)).toBeUndefined();
        expect(MessageRowReader.read(bytes.subarray(0, bit % bytes.length), firstId)).toBeUndefined();
      }),
    );
  });
});

describe("a row of the index", () => {
  const entries = rising(40).chain((seqs) =>
    fc
      .record({
        firstId: fc.integer({ min: 0, max: 2 ** 48 }),
        ids: fc.oneof(
          fc.constant(undefined),
          fc.array(u32, { minLength: seqs.length, maxLength: seqs.length }),
        ),
        bytes: fc.oneof(fc.constant([100]), fc.array(u32, { minLength: 2, maxLength: 5 })),
        flags: fc.oneof(fc.constant([0]), fc.array(fc.nat(255), { minLength: 1, maxLength: 5 })),
        priorities: fc.oneof(fc.constant([0]), fc.array(fc.nat(255), { minLength: 1, maxLength: 5 })),
        times: fc.oneof(fc.constant([0]), fc.array(fc.maxSafeNat(), { minLength: 1, maxLength: 5 })),
      })
      .map(({ firstId, ids, bytes, flags, priorities, times }) =>
        seqs.map(
          (seq, i): NewEntry => ({
            seq,
            messageId: firstId + (ids?.[i] ?? i),
            bytes: bytes[i % bytes.length]!,
            flags: flags[i % flags.length]!,
            priority: priorities[i % priorities.length]!,
            expiresAt: times[i % times.length]!,
            note: undefined,
          }),
        ),
      ),
  );

  test("holds every entry at its place", () => {
    fc.assert(
      fc.property(entries, fc.nat(39), fc.nat(5), number, (all, skip, around, queue) => {
        const from = skip % all.length;
        const firstSeq = Math.max(0, all[from]!.seq - around);
        const lastSeq = all.at(-1)!.seq + around;
        const bytes = encodeIndexRow(queue, all, from, all.length, firstSeq, lastSeq);
        const row = IndexRowReader.read(elsewhere(bytes), queue, firstSeq)!;
        expect(row.count).toBe(all.length - from);
        expect(row.lastSeq).toBe(lastSeq);
        expect(row.hasTransient).toBe(all.slice(from).some(({ flags }) => (flags & 1) !== 0));
        const deltas = row.seqDeltas();
        for (let i = from; i < all.length; i++) {
          const at = i - from;
          const read: NewEntry = {
            seq: row.seqAt(at),
            messageId: row.messageIdAt(at),
            bytes: row.bytesAt(at),
            flags: row.flagsAt(at),
            priority: row.priorityAt(at),
            expiresAt: row.expiresAt(at),
            note: undefined,
          };
          expect(read).toEqual(all[i]);
          expect(firstSeq + (deltas?.[at] ?? at)).toBe(all[i]!.seq);
          expect(row.ordinalFrom(all[i]!.seq)).toBe(at);
          expect(row.ordinalFrom(all[i]!.seq + 1)).toBe(at + 1);
        }
        expect(row.ordinalFrom(0)).toBe(0);
      }),
    );
  });

  test("with any bit flipped, or under another key, is not taken for intact", () => {
    fc.assert(
      fc.property(entries, fc.nat(), (all, bit) => {
        const firstSeq = all[0]!.seq;
        const bytes = encodeIndexRow(7, all, 0, all.length);
        expect(IndexRowReader.read(flipped(bytes, bit), 7, firstSeq)).toBeUndefined();
        expect(IndexRowReader.read(bytes, 8, firstSeq)).toBeUndefined();
        expect(IndexRowReader.read(bytes, 7, firstSeq + 1)).toBeUndefined();
      }),
    );
  });

  test("ends before 4096 entries are passed, or seqs or ids lie further apart than its columns hold", () => {
    const entry = (seq: number, messageId = seq): NewEntry => ({
      seq,
      messageId,
      bytes: 1,
      flags: 0,
      priority: 0,
      expiresAt: 0,
      note: undefined,
    });
    const many = Array.from({ length: 5000 }, (_, i) => entry(i));
    expect(endOfRun(many, 0)).toBe(4096);
    expect(endOfRun(many, 4096)).toBe(5000);
    expect(endOfRun([entry(1), entry(2), entry(2 ** 32 + 1)], 0)).toBe(2);
    expect(endOfRun([entry(1), entry(2), entry(2 ** 32)], 0)).toBe(3);
    expect(endOfRun([entry(1, 2 ** 40), entry(2, 2 ** 40 + 5), entry(3, 2 ** 39)], 0)).toBe(2);
  });

  describe("of a queue whose messages do not expire", () => {
    const entry = (seq: number, messageId: number, more: Partial<NewEntry> = {}): NewEntry => ({
      seq,
      messageId,
      flags: 0,
      bytes: 100,
      priority: 0,
      expiresAt: 0,
      note: undefined,
      ...more,
    });
    const row = (...entries: NewEntry[]) =>
      Buffer.from(encodeIndexRow(7, entries, 0, entries.length)).toString("hex");

    test("is what it was before there were times and notes", () => {
      expect(row(entry(5, 2 ** 33), entry(6, 2 ** 33 + 1), entry(7, 2 ** 33 + 2))).toBe(
        "4c926503030000000700000002000000000000000200000064000000",
      );
      expect(row(entry(5, 9, { flags: 1, priority: 3 }), entry(8, 4, { bytes: 70 }))).toBe(
        "7990a30002000000380000000300000004000000000000000000000000000000030000000500000000000000" +
          "640000004600000001000300",
      );
    });

    test("is the same if they have notes, which lie elsewhere", () => {
      expect(row(entry(5, 1, { note: new Uint8Array(9) }))).toBe(row(entry(5, 1)));
    });

    test("grows by eight bytes if they all expire at the same time, else by eight bytes each", () => {
      const entries = [1, 2, 3].map((id) => entry(id, id));
      const length = row(...entries).length / 2;
      expect(row(...entries.map((plain) => ({ ...plain, expiresAt: 5 }))).length / 2).toBe(length + 8);
      expect(row(...entries.map((plain) => ({ ...plain, expiresAt: plain.seq }))).length / 2).toBe(
        length + 24,
      );
    });
  });
});

describe("the small rows", () => {
  test("a run's state comes back, and is found out when damaged or of another run", () => {
    const state = fc.integer({ min: 1, max: 200 }).chain((count) =>
      fc.record({
        count: fc.constant(count),
        settled: fc.uint8Array({ minLength: bitmapBytes(count), maxLength: bitmapBytes(count) }),
        attempts: fc.array(fc.tuple(fc.nat(count - 1), u32), { maxLength: 5 }).map((pairs) => new Map(pairs)),
        noted: fc.option(fc.uint8Array({ minLength: bitmapBytes(count), maxLength: bitmapBytes(count) }), {
          nil: undefined,
        }),
        bit: fc.nat(),
      }),
    );
    fc.assert(
      fc.property(state, ({ count, settled, attempts, noted, bit }) => {
        const bytes = encodeState({ settled, attempts, noted }, count, 99);
        const read = decodeState(elsewhere(bytes), count, 99);
        expect(read?.settled).toEqual(settled);
        expect(read?.attempts ?? new Map()).toEqual(attempts);
        expect(read?.noted).toEqual(noted);
        expect(decodeState(flipped(bytes, bit), count, 99)).toBeUndefined();
        expect(decodeState(bytes, count, 98)).toBeUndefined();
        expect(decodeState(bytes, count + 1, 99)).toBeUndefined();
      }),
    );
  });

  test("the state of a run without notes is what it was before there were any", () => {
    const state = { settled: new Uint8Array([5, 0, 0, 0]), attempts: undefined, noted: undefined };
    const hex = (value: RunState) => Buffer.from(encodeState(value, 3, 99)).toString("hex");
    expect(hex(state)).toBe("555a5964030000000000000005000000");
    expect(hex({ ...state, attempts: new Map([[1, 3]]) })).toBe(
      "612205c80300000001000000050000000100000003000000",
    );
  });

  test("a note comes back, and is found out when damaged or of another entry", () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.nat(), (note, bit) => {
        const bytes = encodeNote(note, 77);
        expect(decodeNote(elsewhere(bytes), 77)).toEqual(note);
        expect(decodeNote(flipped(bytes, bit), 77)).toBeUndefined();
        expect(decodeNote(bytes, 78)).toBeUndefined();
      }),
    );
  });

  test("references come back whatever their size", () => {
    const column = (count: number) =>
      fc
        .constantFrom(200, 60_000, 2 ** 32 - 1)
        .chain((max) => fc.uint32Array({ max, minLength: count, maxLength: count }));
    const row = fc.integer({ min: 1, max: 20 }).chain((count) =>
      fc.record({
        idDeltas: fc.option(column(count), { nil: undefined }),
        remaining: column(count),
        lengths: fc.oneof(u32, column(count)),
        rowBytes: u32,
      }),
    );
    fc.assert(
      fc.property(row, fc.nat(), (written, bit) => {
        const bytes = encodeReferences(written, 5);
        expect(decodeReferences(elsewhere(bytes), 5)).toEqual(written);
        expect(decodeReferences(flipped(bytes, bit), 5)).toBeUndefined();
        expect(decodeReferences(bytes, 6)).toBeUndefined();
      }),
    );
  });

  test("counters and records come back, and are found out when damaged", () => {
    fc.assert(
      fc.property(
        number,
        number,
        number,
        fc.jsonValue(),
        fc.nat(),
        (nextSeq, messages, bytes, value, bit) => {
          const counters = encodeCounters({ nextSeq, messages, bytes }, 3);
          expect(decodeCounters(elsewhere(counters), 3)).toEqual({ nextSeq, messages, bytes });
          expect(decodeCounters(flipped(counters, bit), 3)).toBeUndefined();
          expect(decodeCounters(counters, 4)).toBeUndefined();
          const record = encodeRecord(value);
          expect(decodeRecord(elsewhere(record))?.value).toEqual(JSON.parse(JSON.stringify(value)));
          expect(decodeRecord(flipped(record, bit))).toBeUndefined();
        },
      ),
    );
  });
});
