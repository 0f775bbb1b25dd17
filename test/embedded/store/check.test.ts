import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { CheckReport, RepairReport } from "../../../server/embedded/store/lmdb/check/check-report.ts";
import { checkFile, repairFile } from "../../../server/embedded/store/lmdb/check/check-tasks.ts";
import { runSeed, seal } from "../../../server/embedded/store/lmdb/checksum.ts";
import { Environment, type TableName } from "../../../server/embedded/store/lmdb/environment.ts";
import { messageKey, noteKey, queueKey, runKey } from "../../../server/embedded/store/lmdb/keys.ts";
import { encodeReferences } from "../../../server/embedded/store/lmdb/references-row.ts";
import {
  encodeCounters,
  encodeNote,
  encodeRecord,
  encodeState,
} from "../../../server/embedded/store/lmdb/small-rows.ts";
import { writeU64 } from "../../../server/embedded/store/lmdb/u64.ts";
import { LmdbStore } from "../../../server/embedded/store/lmdb-store.ts";
import {
  changeRows,
  flipInFile,
  heldBySample,
  notedInSample,
  perRound,
  readSample,
  rowsOf,
  writeSample,
} from "./sample-store.ts";

/** Small, so that the messages are taken in many windows. */
const options = { windowMessages: 60 };

let directory: string;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "posthorn-check-"));
  await writeSample(directory);
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

async function check(): Promise<CheckReport> {
  return (await checkFile(join(directory, "store.mdb"), options)).report;
}

async function repair(): Promise<RepairReport> {
  const before = readFileSync(join(directory, "store.mdb"));
  const outcome = await repairFile(directory, options);
  if (outcome.type !== "repaired") throw new Error("there was nothing to repair");
  expect(outcome.report.after.problems).toEqual([]);
  expect((await check()).sound).toBe(true);
  expect(readFileSync(outcome.report.keptAs).equals(before)).toBe(true);
  return outcome.report;
}

/** Flips a bit in the middle of the table's row number `number`, in the file. */
async function flip(table: TableName, number: number): Promise<void> {
  const { value } = (await rowsOf(directory, table))[number]!;
  flipInFile(directory, value, Math.floor(value.length / 2));
}

function without(seqs: readonly number[], first: number, last: number): number[] {
  return seqs.filter((seq) => seq < first || seq > last);
}

const a = heldBySample("a");
const b = heldBySample("b");

describe("a sound store", () => {
  test("is found sound and left as it is, with what each table and queue holds", async () => {
    const path = join(directory, "store.mdb");
    const before = readFileSync(path);
    const report = await check();
    expect(report).toMatchObject({ sound: true, clean: true, problems: [], problemCount: 0 });
    expect(report.tables.messages).toMatchObject({ rows: 40 });
    expect(report.queues.map(({ id, name, messages, problems }) => [id, name, messages, problems])).toEqual([
      [1, "a", a.length, 0],
      [2, "b", b.length, 0],
      [3, undefined, 0, 0],
    ]);
    expect(await repairFile(directory, options)).toMatchObject({ type: "checked", report: { sound: true } });
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(await readSample(directory)).toEqual({ a, b, clean: true });
  });

  test("stays sound through all the background work", async () => {
    const store = new LmdbStore({ directory, maintenance: { quietTicks: 0, smallRows: 1 } });
    await store.open();
    for (let need = "more"; need !== "nothing"; ) {
      need = await store.maintain();
      await store.close({ clean: false });
      expect((await check()).problems).toEqual([]);
      await store.open();
      for (let steps = 0; need !== "nothing" && steps < 5; steps++) need = await store.maintain();
    }
    await store.close({ clean: true });
    expect((await check()).problems).toEqual([]);
    expect(await readSample(directory)).toMatchObject({ a, b });
  });
});

describe("one flipped bit", () => {
  test("in an index row costs that queue the run, which is named", async () => {
    const rows = await rowsOf(directory, "index");
    await flip("index", 0);
    const last = perRound;
    const { problems } = await check();
    expect(problems[0]).toMatchObject({
      kind: "damaged-row",
      table: "index",
      queue: "a",
      queueId: 1,
      fromSeq: 1,
      toSeq: last,
      text: `queue "a", entries 1 to ${last}: the row is damaged`,
    });
    expect(rows.length).toBeGreaterThan(80);
    const { losses } = await repair();
    expect(losses).toEqual([`queue "a", entries 1 to ${last}: lost, as the row is damaged`]);
    expect(await readSample(directory)).toEqual({ a: without(a, 1, last), b, clean: false });
  });

  test("in a row of messages costs every queue the entries that refer to it, which are named", async () => {
    await flip("messages", 30);
    const [first, last] = [30 * perRound + 1, 31 * perRound];
    const report = await check();
    expect(report.problems).toMatchObject([
      { kind: "damaged-row", table: "messages" },
      { kind: "missing-messages", queue: "a", fromSeq: first, toSeq: last },
      { kind: "missing-messages", queue: "b", fromSeq: first, toSeq: last },
      { kind: "missing-messages", queueId: 3, fromSeq: first, toSeq: first + 2 },
    ]);
    const { losses } = await repair();
    expect(losses[0]).toBe(
      `queue "a": ${perRound} messages are lost, as they could not be read: entries ${first} to ${last}`,
    );
    expect(losses).toHaveLength(3);
    expect(await readSample(directory)).toEqual({
      a: without(a, first, last),
      b: without(b, first, last),
      clean: false,
    });
  });

  test("in a state row brings back at most what was settled, and costs no note", async () => {
    await flip("state", 0);
    expect((await check()).problems[0]).toMatchObject({
      table: "state",
      queue: "a",
      fromSeq: 1,
      toSeq: perRound,
    });
    const { losses } = await repair();
    expect(losses).toEqual([
      `queue "a", entries 1 to ${perRound}: which of them were settled is lost; some may be delivered again`,
    ]);
    const notes = { a: [], b: [] };
    const found = await readSample(directory, notes);
    expect(notes).toEqual({ a: notedInSample("a"), b: notedInSample("b") });
    expect(found.b).toEqual(b);
    expect(found.a).toEqual(expect.arrayContaining(a));
    expect(found.a.filter((seq) => seq > perRound)).toEqual(a.filter((seq) => seq > perRound));
  });

  test("in a note costs that entry the note, which is named", async () => {
    const { key } = (await rowsOf(directory, "notes"))[0]!;
    const seq = Buffer.from(key).readUInt32BE(12);
    await flip("notes", 0);
    const where = { queue: "a", queueId: 1, fromSeq: seq, toSeq: seq };
    expect((await check()).problems).toMatchObject([{ kind: "missing-notes", table: "notes", ...where }]);
    const { losses } = await repair();
    expect(losses).toEqual([
      `queue "a": why they failed and until when they wait, if they do, is not known any more: 1 messages, entries ${seq}`,
    ]);
    const notes = { a: [], b: [] };
    expect(await readSample(directory, notes)).toEqual({ a, b, clean: false });
    expect(notes).toEqual({ a: notedInSample("a").slice(1), b: notedInSample("b") });
  });

  test("in reference counts costs nothing", async () => {
    await flip("refs", 0);
    expect((await check()).problems).toMatchObject([{ kind: "damaged-row", table: "refs" }]);
    expect((await repair()).losses).toEqual([]);
    expect(await readSample(directory)).toEqual({ a, b, clean: false });
  });

  test("in the note of a dropped range costs nothing", async () => {
    const { key } = (await rowsOf(directory, "garbage"))[0]!;
    await changeRows(directory, (writes) => writes.put("garbage", key, Buffer.from([0, 0, 1, 0])));
    expect((await check()).problems).toMatchObject([{ kind: "damaged-row", table: "garbage", queue: "b" }]);
    expect((await repair()).losses).toEqual([]);
    expect(await readSample(directory)).toEqual({ a, b, clean: false });
  });

  test("in a queue's counters costs nothing", async () => {
    await flip("counters", 1);
    expect((await check()).problems).toMatchObject([{ kind: "counters", queue: "b" }]);
    expect((await repair()).losses).toEqual([]);
    const store = new LmdbStore({ directory });
    const { queues } = await store.open();
    expect(queues.get(2)).toMatchObject({ nextSeq: 1001, messages: b.length });
    await store.close({ clean: true });
    expect(await readSample(directory)).toMatchObject({ a, b });
  });

  test("in the row that numbers the commits costs nothing", async () => {
    const environment = new Environment(join(directory, "store.mdb"), { readOnly: true });
    const { commit, nextMessageId } = environment.head()!;
    await environment.close();
    const value = Buffer.alloc(13);
    writeU64(value, 4, nextMessageId);
    value[12] = 1;
    flipInFile(directory, seal(value, commit), 9);
    expect((await check()).problems).toMatchObject([{ kind: "head" }]);
    expect((await repair()).losses).toEqual([]);
    expect(await readSample(directory)).toMatchObject({ a, b });
  });

  test.each(["exchange/events", "queue/a", "queue/b", "binding/1", "engine/reserved-queue-ids"])(
    "in the record %s loses no message",
    async (name) => {
      const row = (await rowsOf(directory, "records")).find(
        ({ key }) => Buffer.from(key).toString() === name,
      )!;
      flipInFile(directory, row.value, row.value.length - 3);
      expect((await check()).problems[0]).toMatchObject({ kind: "damaged-row", table: "records" });
      await repair();
      expect(await readSample(directory)).toEqual({ a, b, clean: false });
    },
  );
});

describe("rows that do not fit each other", () => {
  test("a state row without a run, and reference counts without messages, are found and removed", async () => {
    await changeRows(directory, (writes) => {
      const state = { settled: new Uint8Array(4), attempts: undefined, noted: undefined };
      writes.put("state", runKey(1, 9_000_000), encodeState(state, 3, 1));
      const remaining = new Uint32Array([1]);
      const references = { idDeltas: undefined, remaining, lengths: 1, rowBytes: 20 };
      writes.put("refs", messageKey(9_000_000), encodeReferences(references, 9_000_000));
    });
    expect((await check()).problems).toMatchObject([
      { kind: "orphan", table: "state", queue: "a" },
      { kind: "orphan", table: "refs" },
    ]);
    expect((await repair()).losses).toEqual([]);
    expect(await readSample(directory)).toEqual({ a, b, clean: false });
  });

  test("notes that belong to no entry are found and removed", async () => {
    const settledInA = 3;
    const withoutNote = 500;
    await changeRows(directory, (writes) => {
      for (const [queue, seq] of [
        [0, 7],
        [1, settledInA],
        [1, withoutNote],
        [2, 2000],
        [77, 1],
      ] as const)
        writes.put("notes", noteKey(queue, seq), encodeNote(Buffer.from("stray"), runSeed(queue, seq)));
    });
    expect((await check()).problems).toMatchObject([
      { kind: "orphan", table: "notes", queueId: 0, fromSeq: 7, toSeq: 7 },
      { kind: "orphan", table: "notes", queue: "a", fromSeq: settledInA, toSeq: withoutNote },
      { kind: "orphan", table: "notes", queue: "b", fromSeq: 2000, toSeq: 2000 },
      { kind: "orphan", table: "notes", queueId: 77, fromSeq: 1, toSeq: 1 },
    ]);
    expect((await repair()).losses).toEqual([]);
    expect(await readSample(directory)).toEqual({ a, b, clean: false });
  });

  test("notes that are gone are found, by the entries that should have them", async () => {
    const rows = await rowsOf(directory, "notes");
    await changeRows(directory, (writes) => {
      for (const { key } of rows) writes.remove("notes", key);
    });
    expect((await check()).problems).toMatchObject([
      { kind: "missing-notes", table: "notes", queue: "a" },
      { kind: "missing-notes", table: "notes", queue: "b" },
    ]);
    await repair();
    const notes = { a: [], b: [] };
    expect(await readSample(directory, notes)).toEqual({ a, b, clean: false });
    expect(notes).toEqual({ a: [], b: [] });
  });

  test("messages that nobody refers to, and references that are not there, are found and corrected", async () => {
    const runs = (await rowsOf(directory, "index")).map(({ key }) => key);
    const round = (key: Uint8Array) => Buffer.from(key).readUInt32BE(12);
    await changeRows(directory, (writes) => {
      // The last round loses all its runs, the one before only that of queue "a".
      for (const key of runs) {
        if (round(key) === 39 * perRound + 1) writes.remove("index", key);
        if (round(key) === 38 * perRound + 1 && key[7] === 1) writes.remove("index", key);
      }
    });
    const kinds = (await check()).problems.map(({ kind, table }) => `${kind} ${table}`);
    expect(kinds).toEqual([
      "references refs",
      "orphan messages",
      "orphan state",
      "orphan state",
      "orphan state",
      "orphan notes",
      "orphan notes",
      "counters counters",
      "counters counters",
    ]);
    const { after } = await repair();
    expect(after.tables.messages).toMatchObject({ rows: 39 });
    expect(await readSample(directory)).toEqual({
      a: without(a, 38 * perRound + 1, 40 * perRound),
      b: without(b, 39 * perRound + 1, 40 * perRound),
      clean: false,
    });
  });

  test("wrong counters are found and counted again", async () => {
    const wrong = { nextSeq: 7, messages: 12, bytes: 34 };
    await changeRows(directory, (writes) => writes.put("counters", queueKey(1), encodeCounters(wrong, 1)));
    expect((await check()).problems).toMatchObject([{ kind: "counters", queue: "a" }]);
    expect((await repair()).losses).toEqual([]);
    expect(await readSample(directory)).toEqual({ a, b, clean: false });
  });

  test("a policy that is none is found and removed, and one that is damaged is not kept: its limits would drop messages", async () => {
    const policy = { pattern: "*", appliesTo: "queues", priority: 0, arguments: { maxLength: 1000 } };
    await changeRows(directory, (writes) => {
      writes.put("records", Buffer.from("policy/good"), encodeRecord(policy));
      writes.put("records", Buffer.from("policy/no-pattern"), encodeRecord({ ...policy, pattern: 1 }));
      writes.put("records", Buffer.from("policy/other"), encodeRecord({ ...policy, appliesTo: "messages" }));
      const damaged = encodeRecord({ ...policy, arguments: { maxLength: 9 } });
      damaged.set(damaged.map((byte) => (byte === 0x39 ? 0x38 : byte)));
      writes.put("records", Buffer.from("policy/damaged"), damaged);
    });
    const texts = (await check()).problems.map(({ text }) => text);
    for (const name of ["no-pattern", "other"])
      expect(texts).toContainEqual(expect.stringContaining(`"policy/${name}" describes no policy`));
    const { losses } = await repair();
    expect(losses).toHaveLength(3);
    expect(losses).toContainEqual(expect.stringContaining('"policy/damaged" is lost'));
    const store = new LmdbStore({ directory });
    const { records } = await store.open();
    await store.close({ clean: true });
    expect([...records.keys()].filter((key) => key.startsWith("policy/"))).toEqual(["policy/good"]);
  });

  test("a binding to nothing is found and removed; a queue without its record keeps its messages", async () => {
    await changeRows(directory, (writes) => {
      const terms = { routingKey: "", arguments: {} };
      const bindings = [
        { exchange: "gone", queue: "b", ...terms },
        { exchange: "events", toExchange: "gone", ...terms },
        { exchange: "events", ...terms },
        { exchange: "events", toExchange: "amq.topic", ...terms },
      ];
      for (const [index, binding] of bindings.entries())
        writes.put("records", Buffer.from(`binding/${3 + index}`), encodeRecord(binding));
      writes.remove("records", Buffer.from("queue/a"));
    });
    const texts = (await check()).problems.map(({ text }) => text);
    expect(texts).toContainEqual(expect.stringContaining('binds to the exchange "gone", which is not there'));
    expect(texts).toContainEqual(expect.stringContaining('binds the exchange "gone", which is not there'));
    expect(texts).toContainEqual(expect.stringContaining('"binding/5" describes no binding'));
    expect(texts).not.toContainEqual(expect.stringContaining("binding/6"));
    expect(texts).toContainEqual(expect.stringContaining("but no record of the queue"));
    const { losses, after } = await repair();
    expect(losses[0]).toBe(
      'queue 1: its name is lost; its messages are in the queue "recovered-queue-1" now',
    );
    expect(after.queues.find(({ id }) => id === 1)).toMatchObject({
      name: "recovered-queue-1",
      messages: a.length,
    });
  });
});

describe("repairing", () => {
  test("is refused while the file of an earlier repair is there, and changes nothing then", async () => {
    await flip("index", 0);
    writeFileSync(join(directory, "store.mdb.before-repair"), "");
    const before = readFileSync(join(directory, "store.mdb"));
    await expect(repairFile(directory, options)).rejects.toThrow("from an earlier repair");
    expect(readFileSync(join(directory, "store.mdb")).equals(before)).toBe(true);
  });

  test("leaves the old file alone if it may not finish", async () => {
    await flip("index", 0);
    const before = readFileSync(join(directory, "store.mdb"));
    await expect(repairFile(directory, { ...options, mayFinish: () => false })).rejects.toThrow("lock");
    expect(readFileSync(join(directory, "store.mdb")).equals(before)).toBe(true);
    expect(existsSync(join(directory, "store.mdb.repairing"))).toBe(false);
    expect(existsSync(join(directory, "store.mdb.before-repair"))).toBe(false);
  });
});
