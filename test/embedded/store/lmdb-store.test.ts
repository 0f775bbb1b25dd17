import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Environment, type TableName, Writes } from "../../../server/embedded/store/lmdb/environment.ts";
import { LmdbStore, type LmdbStoreOptions } from "../../../server/embedded/store/lmdb-store.ts";
import { type DroppedRange, entryFlags, StoreError } from "../../../server/embedded/store/store.ts";
import {
  changes,
  entry,
  everything,
  maintainToTheEnd,
  published,
  queueChanges,
  range,
  scanned,
  seqs,
  settled,
} from "../../contract/store-contract.ts";
import { storeModel } from "../../contract/store-model.ts";

let directory: string;
let store: LmdbStore;
let isOpen = false;

const eager = { quietTicks: 0, smallRows: 4, slackBytes: 0 };
const contentTables = ["messages", "refs", "index", "state", "notes", "garbage"] as const;

async function open(options: Partial<LmdbStoreOptions> = {}) {
  // How much a window holds would otherwise depend on how long it took.
  store = new LmdbStore({ directory, longReadMs: Number.POSITIVE_INFINITY, ...options });
  const recovered = await store.open();
  isOpen = true;
  return recovered;
}

async function close(clean = true): Promise<void> {
  isOpen = false;
  await store.close({ clean });
}

/** Looks at, or changes, the rows of a store that is not open. */
async function onDisk<Result>(look: (environment: Environment) => Result | Promise<Result>): Promise<Result> {
  const environment = new Environment(join(directory, "store.mdb"));
  try {
    return await look(environment);
  } finally {
    await environment.close();
  }
}

function rowCount(environment: Environment, table: TableName): number {
  return environment.keys(table, Buffer.from([0]), 1_000_000).length;
}

/** How many rows there are of each kind. */
function rowCounts(): Promise<typeof noRows> {
  return onDisk((environment) => {
    const counts = { ...noRows };
    for (const table of contentTables) counts[table] = rowCount(environment, table);
    return counts;
  });
}

const noRows = { messages: 0, refs: 0, index: 0, state: 0, notes: 0, garbage: 0 };

/** Flips a bit in the middle of the table's row number `number`. */
function damage(table: TableName, number: number): Promise<void> {
  return onDisk(async (environment) => {
    const rows = [...environment.rows(table, Buffer.from([0]), 1000)];
    const { key, value } = rows[number]!;
    value[Math.floor(value.length / 2)]! ^= 1;
    const writes = new Writes();
    writes.put(table, key, value);
    const head = environment.head()!;
    await environment.commit(writes, { ...head, commit: head.commit + 1 });
  });
}

async function refusal(action: () => unknown): Promise<StoreError> {
  try {
    await action();
  } catch (error) {
    if (error instanceof StoreError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "posthorn-store-"));
});

afterEach(async () => {
  if (isOpen) await close();
  await rm(directory, { recursive: true });
});

describe("the directory", () => {
  test("is made with all above it", async () => {
    const parent = directory;
    directory = join(parent, "some", "where");
    await open();
    await close();
    expect((await readdir(directory)).sort()).toEqual(["store.json", "store.mdb", "store.mdb-lock"]);
    directory = parent;
  });

  test("with foreign files in it is refused, and left as it was", async () => {
    await writeFile(join(directory, "holiday.jpg"), "");
    const error = await refusal(() => open());
    expect(error.code).toBe("not-a-store");
    expect(error.message).toContain("holiday.jpg");
    expect(await readdir(directory)).toEqual(["holiday.jpg"]);
  });

  test("that a power cut left half made is begun again", async () => {
    // LMDB writes its first pages without syncing them: what is left of them would end the process.
    await writeFile(join(directory, "store.json.new"), "");
    await writeFile(join(directory, "store.mdb"), Buffer.alloc(8192));
    await open();
    await store.commit(published(1, 1, 3));
    await close();
    await open();
    expect(seqs(everything(store, 1))).toEqual([1, 2, 3]);
    expect(await readdir(directory)).not.toContain("store.json.new");
  });

  test.each(["", "null", "[]", '{"format":"1"}'])("with the marker %j is refused", async (marker) => {
    await writeFile(join(directory, "store.json"), marker);
    expect((await refusal(() => open())).code).toBe("not-a-store");
  });

  test("of a newer format is refused with both versions named", async () => {
    await open();
    await close();
    const marker = JSON.parse(await readFile(join(directory, "store.json"), "utf8"));
    await writeFile(join(directory, "store.json"), JSON.stringify({ ...marker, format: marker.format + 1 }));
    const error = await refusal(() => open());
    expect(error.code).toBe("newer-format");
    expect(error.message).toContain(`format ${marker.format + 1}`);
    expect(error.message).toContain(`up to ${marker.format}`);
  });
});

describe("the lock", () => {
  const holderCode = (path: string) => `
    import { LmdbStore } from "${new URL("../../../server/embedded/store/lmdb-store.ts", import.meta.url).pathname}";
    await new LmdbStore({ directory: ${JSON.stringify(path)} }).open();
    console.log("open");
    setInterval(() => {}, 1000);`;

  async function startHolder() {
    const args = ["--import", "tsx", "--input-type=module", "--eval", holderCode(directory)];
    const holder = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    await once(holder.stdout, "data");
    return holder;
  }

  test("keeps a second store of the same process out, until the first is closed", async () => {
    await open();
    const second = new LmdbStore({ directory });
    const error = await refusal(() => second.open());
    expect(error.code).toBe("locked");
    expect(error.message).toContain(`process ${process.pid} on `);
    await close();
    await second.open();
    await second.close({ clean: true });
  });

  test("keeps another process out and tells who holds it; killing the holder frees it at once", async () => {
    const holder = await startHolder();
    const error = await refusal(() => open());
    expect(error.code).toBe("locked");
    expect(error.message).toContain(`process ${holder.pid} on `);
    holder.kill("SIGKILL");
    await once(holder, "exit");
    expect((await open()).clean).toBe(false);
    await close();
    // What the dead left behind is gone too.
    expect((await readdir(directory)).filter((name) => name.startsWith("lock-"))).toEqual([]);
  });

  test("a holder that is stopped and does not answer still holds it", async () => {
    const holder = await startHolder();
    holder.kill("SIGSTOP");
    const error = await refusal(() => open());
    expect(error.code).toBe("locked");
    holder.kill("SIGKILL");
    await once(holder, "exit");
  });

  test("works in a directory whose path is longer than a socket's may be", async () => {
    const parent = directory;
    directory = join(parent, "d".repeat(120));
    await mkdir(directory);
    await open();
    expect((await refusal(() => new LmdbStore({ directory }).open())).code).toBe("locked");
    await close();
    expect((await readdir(directory)).filter((name) => name.startsWith("lock-"))).toEqual([]);
    directory = parent;
  });

  test("of many that start at once at most one gets in, and nobody is kept out afterwards", async () => {
    const stores = range(1, 8).map(() => new LmdbStore({ directory }));
    const outcomes = await Promise.allSettled(stores.map((each) => each.open()));
    const opened = stores.filter((_, i) => outcomes[i]!.status === "fulfilled");
    expect(opened.length).toBeLessThanOrEqual(1);
    for (const each of opened) await each.close({ clean: true });
    await open();
  });
});

describe("a commit", () => {
  test("is only applied on top of the one before", async () => {
    await open();
    await store.commit(published(1, 1, 3));
    await close();
    await onDisk(async (environment) => {
      const head = environment.head()!;
      const writes = new Writes();
      writes.put("records", Buffer.from("x"), Buffer.from("lost"));
      const skipping = environment.commit(writes, { ...head, commit: head.commit + 2 });
      await expect(skipping).rejects.toThrow("does not follow");
      const repeating = environment.commit(writes, { ...head, commit: head.commit });
      await expect(repeating).rejects.toThrow("does not follow");
      expect(rowCount(environment, "records")).toBe(0);
      expect(environment.head()).toEqual(head);
      await environment.commit(writes, { ...head, commit: head.commit + 1 });
      expect(rowCount(environment, "records")).toBe(1);
    });
  });

  test("that cannot be built ends the store, and nothing of it is written", async () => {
    await open();
    await store.commit(published(1, 1, 3));
    const wrong = changes({ queues: [queueChanges(1, { appended: [entry(9, 99)] })] });
    expect((await refusal(() => store.commit(wrong))).message).toContain("message 99");
    expect((await refusal(() => store.commit(published(1, 4, 5)))).code).toBe("io");
    await close();
    expect((await open()).clean).toBe(false);
    expect(seqs(everything(store, 1))).toEqual([1, 2, 3]);
  });
});

describe("damage", () => {
  beforeEach(async () => {
    await open();
    await store.commit(published(1, 1, 10));
    await store.commit(published(1, 11, 20));
    await store.commit(published(1, 21, 30));
  });

  async function damagedRange(table: TableName): Promise<DroppedRange | undefined> {
    await close();
    await damage(table, 1);
    await open();
    // What comes before it is given out first.
    expect(seqs(store.load(1, 1, 30, 100, 1e9))).toEqual(range(1, 10));
    const error = await refusal(() => store.load(1, 11, 30, 100, 1e9));
    expect(error.code).toBe("damaged");
    expect(error.message).toMatch(/^queue 1, entries 11 to /);
    return error.range;
  }

  test("to an index row is reported with all that the row can have held", async () => {
    expect(await damagedRange("index")).toEqual({ queue: 1, fromSeq: 11, toSeq: 20 });
    expect(seqs(store.load(1, 21, 30, 100, 1e9))).toEqual(range(21, 30));
  });

  test("to a row of messages is reported entry by entry", async () => {
    expect(await damagedRange("messages")).toEqual({ queue: 1, fromSeq: 11, toSeq: 11 });
    expect((await refusal(() => store.load(1, 20, 30, 100, 1e9))).range).toMatchObject({
      fromSeq: 20,
      toSeq: 20,
    });
    expect(seqs(store.load(1, 21, 30, 100, 1e9))).toEqual(range(21, 30));
  });

  test("to a state row is reported like damage to the run", async () => {
    await store.commit(settled(1, 12));
    await store.commit(settled(1, 1));
    await store.commit(settled(1, 2));
    expect(seqs(everything(store, 1))).toEqual([...range(3, 11), ...range(13, 30)]);
    await close();
    await damage("state", 1);
    await open();
    expect(seqs(store.load(1, 1, 30, 100, 1e9))).toEqual(range(3, 10));
    expect((await refusal(() => store.load(1, 11, 30, 100, 1e9))).range).toMatchObject({
      fromSeq: 11,
      toSeq: 20,
    });
  });

  test("to a note is reported like damage to the entry", async () => {
    const note = (seq: number) => ({ seq, note: Buffer.from("a note") });
    await store.commit(changes({ queues: [queueChanges(1, { noted: [note(3), note(11), note(12)] })] }));
    expect(await damagedRange("notes")).toEqual({ queue: 1, fromSeq: 11, toSeq: 11 });
    expect((await refusal(() => store.loadOne(1, 11))).code).toBe("damaged");
    expect(seqs(store.load(1, 12, 30, 100, 1e9))).toEqual(range(12, 30));
  });

  test("is met by scanning as by loading, but for that of messages", async () => {
    await close();
    await damage("messages", 0);
    await damage("index", 1);
    await open();
    const { entries, nextSeq } = store.scan(1, 0, 30, 100);
    expect(seqs(entries)).toEqual(range(1, 10));
    expect(nextSeq).toBe(11);
    expect((await refusal(() => store.scan(1, 11, 30, 100))).range).toEqual({
      queue: 1,
      fromSeq: 11,
      toSeq: 20,
    });
    expect(seqs(store.scan(1, 21, 30, 100).entries)).toEqual(range(21, 30));
  });

  test("leaves no notes behind when it is dropped", async () => {
    const noted = [3, 11, 15, 20, 21].map((seq) => ({ seq, note: Buffer.from(`note ${seq}`) }));
    await store.commit(changes({ queues: [queueChanges(1, { noted })] }));
    const damaged = (await damagedRange("index"))!;
    await store.commit(changes({ dropped: [damaged] }));
    await maintainToTheEnd(store);
    await close();
    expect(await rowCounts()).toMatchObject({ index: 2, notes: 2, garbage: 0 });
    await open();
    expect(everything(store, 1).filter(({ note }) => note !== undefined)).toHaveLength(2);
  });

  test("what is damaged can be dropped, and the queue goes on behind it", async () => {
    const damaged = (await damagedRange("index"))!;
    await store.commit(changes({ dropped: [damaged] }));
    expect(seqs(everything(store, 1))).toEqual([...range(1, 10), ...range(21, 30)]);
    await maintainToTheEnd(store);
    await close();
    await open();
    expect(seqs(everything(store, 1))).toEqual([...range(1, 10), ...range(21, 30)]);
  });

  test("to counters or to a record keeps the store from opening, with the name of the row", async () => {
    await store.commit(changes({ records: [{ key: "queue/7", value: "x".repeat(50) }] }));
    await close();
    await damage("records", 0);
    expect(await refusal(() => open())).toMatchObject({
      code: "damaged",
      message: "the record queue/7 is damaged",
    });
    await damage("records", 0);
    await damage("counters", 0);
    expect(await refusal(() => open())).toMatchObject({
      code: "damaged",
      message: "the counters of queue 1 are damaged",
    });
  });
});

describe("what is no longer needed", () => {
  test("is deleted row by row as it is settled", async () => {
    await open();
    await store.commit(published(1, 1, 100));
    await store.commit(published(1, 101, 200));
    await store.commit(settled(1, ...range(1, 100)));
    await store.commit(settled(1, 150));
    await close();
    expect(await rowCounts()).toEqual({ ...noRows, messages: 1, refs: 1, index: 1, state: 1 });
    await open();
    await store.commit(settled(1, ...range(101, 149), ...range(151, 200)));
    await close();
    expect(await rowCounts()).toEqual(noRows);
  });

  test("is deleted in bounded steps when a large queue is dropped", async () => {
    await open({ maintenance: { stepMs: 0 } });
    const total = 10_000;
    for (let first = 1; first <= total; first += 1000) await store.commit(published(1, first, first + 999));
    await store.commit(changes({ dropped: [{ queue: 1, fromSeq: 0, toSeq: Number.POSITIVE_INFINITY }] }));
    let steps = 0;
    while ((await store.maintain()) !== "nothing") steps++;
    expect(steps).toBeGreaterThan(100);
    await close();
    expect(await rowCounts()).toEqual(noRows);
  });

  test("is deleted also when the deletion is interrupted", async () => {
    await open({ maintenance: { stepMs: 0 } });
    for (let first = 1; first <= 20_000; first += 100) await store.commit(published(1, first, first + 99));
    await store.commit(changes({ dropped: [{ queue: 1, fromSeq: 0, toSeq: 19_950 }] }));
    for (let steps = 0; steps < 20; steps++) await store.maintain();
    await close(false);
    await open();
    expect(seqs(everything(store, 1))).toEqual(range(19_951, 20_000));
    await maintainToTheEnd(store);
    await store.commit(settled(1, ...range(19_951, 20_000)));
    await close();
    expect(await rowCounts()).toEqual(noRows);
  });

  test("is said to be too much to wait for a quiet moment, for as long as a dropped range is not deleted", async () => {
    await open({ maintenance: { stepMs: 0 } });
    await store.commit(published(1, 1, 5000));
    await store.commit(changes({ dropped: [{ queue: 1, fromSeq: 0, toSeq: 5000 }] }));
    const needs = new Set<string>();
    for (let need = ""; need !== "nothing"; needs.add(need)) need = await store.maintain();
    expect([...needs]).toEqual(["behind", "more", "nothing"]);
  });

  test("is found out without reading the messages of a row that has lost some", async () => {
    await open();
    await store.commit(published(1, 1, 10));
    await store.commit(settled(1, 1));
    await close();
    await damage("messages", 0);
    await open();
    await store.commit(settled(1, ...range(2, 10)));
    await close();
    expect(await rowCounts()).toEqual(noRows);
  });

  test("goes for transient entries after a restart, touched or not", async () => {
    await open();
    await store.commit(published(1, 1, 50, { flags: entryFlags.transient }));
    await store.commit(
      changes({
        ...published(2, 51, 52),
        queues: [
          queueChanges(2, {
            appended: [entry(51, 51, { flags: entryFlags.transient }), entry(52)],
            counters: { nextSeq: 53, messages: 1, bytes: 0 },
          }),
        ],
      }),
    );
    await close();
    await open();
    await store.commit(settled(2, 52));
    await maintainToTheEnd(store);
    await close();
    expect(await rowCounts()).toEqual(noRows);
  });

  test("leaves nothing behind, whatever was done", async () => {
    await fc.assert(
      fc.asyncProperty(storeModel.commands, async (commands) => {
        const parent = directory;
        directory = await mkdtemp(join(parent, "run-"));
        try {
          await storeModel.run(
            commands,
            () => new LmdbStore({ directory, cacheBytes: 3000, longReadMs: 0, maintenance: eager }),
          );
          const recovered = await open({ maintenance: eager });
          for (const queue of recovered.queues.keys()) {
            const rest = everything(store, queue).map(({ seq, messageId }) => ({ seq, messageId }));
            await store.commit(changes({ queues: [queueChanges(queue, { settled: rest })] }));
          }
          await maintainToTheEnd(store);
          await close();
          expect(await rowCounts()).toEqual(noRows);
        } finally {
          directory = parent;
        }
      }),
      { numRuns: 40 },
    );
  }, 60_000);
});

describe("merging", () => {
  test("goes through thousands of small queues in a few steps", async () => {
    await open();
    for (let queue = 1; queue <= 2000; queue++) void store.commit(published(queue, queue, queue));
    await store.commit(published(1, 2001, 2001));
    await close();
    await open({ maintenance: { stepMs: Number.POSITIVE_INFINITY } });
    let steps = 0;
    while ((await store.maintain()) !== "nothing") steps++;
    expect(steps).toBeLessThan(50);
  });

  test("makes few rows of many small ones", async () => {
    await open({ maintenance: eager });
    for (let id = 1; id <= 3000; id++) void store.commit(published(1, id, id));
    await store.commit(settled(1, ...range(1, 3000).filter((id) => id % 10 === 0)));
    await maintainToTheEnd(store);
    await close();
    const counts = await rowCounts();
    expect(counts.index).toBeLessThan(10);
    expect(counts.messages).toBeLessThan(20);
    expect(counts.state).toBe(0);
    expect(counts.refs).toBe(0);
    await open();
    expect(seqs(everything(store, 1))).toEqual(range(1, 3000).filter((id) => id % 10 !== 0));
  });

  test("finds after a restart what was written before it", async () => {
    await open();
    for (let id = 1; id <= 500; id++) void store.commit(published(1, id, id));
    await close();
    await open();
    await maintainToTheEnd(store);
    await close();
    const counts = await rowCounts();
    expect(counts.index).toBeLessThan(5);
    expect(counts.messages).toBeLessThan(5);
  });

  test("goes on with what is added later", async () => {
    await open({ maintenance: eager });
    for (let round = 0; round < 20; round++) {
      for (let id = 1; id <= 100; id++) void store.commit(published(1, round * 100 + id, round * 100 + id));
      await store.commit(changes({}));
      await maintainToTheEnd(store);
    }
    await close();
    const counts = await rowCounts();
    expect(counts.index).toBeLessThan(40);
    expect(counts.messages).toBeLessThan(40);
  });

  test("leaves large rows alone", async () => {
    await open({ maintenance: eager });
    for (let first = 1; first <= 10_000; first += 1000) await store.commit(published(1, first, first + 999));
    await maintainToTheEnd(store);
    await close();
    expect(await rowCounts()).toMatchObject({ index: 10, messages: 10 });
  });
});

describe("rewriting", () => {
  const large = 2000;

  async function publishLarge(first: number, last: number): Promise<void> {
    const messages = range(first, last).map((id) => ({ id, envelope: new Uint8Array(large).fill(id) }));
    const appended = range(first, last).map((id) => entry(id, id, { bytes: large }));
    await store.commit(changes({ messages, queues: [queueChanges(1, { appended })] }));
  }

  function messageBytes(): Promise<number> {
    return onDisk((environment) => {
      let bytes = 0;
      for (const { value } of environment.rows("messages", Buffer.from([0]), 1000)) bytes += value.length;
      return bytes;
    });
  }

  test("gives back the room of a row that is mostly dead", async () => {
    await open({ maintenance: eager });
    await publishLarge(1, 100);
    const left = [17, 18, 60, 99];
    await store.commit(settled(1, ...range(1, 100).filter((id) => !left.includes(id))));
    await maintainToTheEnd(store);
    await close();
    expect(await messageBytes()).toBeLessThan(5 * large);
    await open();
    const loaded = everything(store, 1);
    expect(seqs(loaded)).toEqual(left);
    expect(
      loaded.every(
        ({ seq, envelope }) => envelope.length === large && envelope.every((byte) => byte === seq),
      ),
    ).toBe(true);
    await store.commit(settled(1, ...left));
    await close();
    expect(await rowCounts()).toEqual(noRows);
  });

  test("finds after a restart what died before it", async () => {
    await open();
    await publishLarge(1, 100);
    await store.commit(settled(1, ...range(1, 99)));
    await close();
    await open({ maintenance: eager });
    await maintainToTheEnd(store);
    await close();
    expect(await messageBytes()).toBeLessThan(2 * large);
  });

  test("puts what is left of neighbouring rows together", async () => {
    await open({ maintenance: eager });
    for (let first = 1; first <= 200; first += 10) await publishLarge(first, first + 9);
    const left = range(1, 200).filter((id) => id % 10 === 5);
    await store.commit(settled(1, ...range(1, 200).filter((id) => id % 10 !== 5)));
    await maintainToTheEnd(store);
    await close();
    expect((await rowCounts()).messages).toBe(1);
    await open();
    expect(seqs(everything(store, 1))).toEqual(left);
  });

  test("keeps up with a load that leaves a few messages of each row behind, while other work never ends", async () => {
    const slackBytes = 1024 * 1024;
    await open({ maintenance: { slackBytes, stepMs: Number.POSITIVE_INFINITY } });
    const perCommit = 40;
    const envelope = new Uint8Array(4096);
    let peakLiveBytes = 0;
    for (let round = 0; round < 200; round++) {
      const first = 1 + round * perCommit;
      const ids = range(first, first + perCommit - 1);
      // Most are consumed at once, some are purged, and a few stay; of those every other one goes later.
      const prompt = ids.filter((id) => id % 8 > 1);
      const purged = ids.filter((id) => id % 8 === 1);
      const staying = ids.filter((id) => id % 8 === 0);
      const appended = (some: number[]) => some.map((id) => entry(id, id, { bytes: envelope.length }));
      const leaving = range(first - 20 * perCommit, first - 19 * perCommit - 1).filter((id) => id % 16 === 0);
      const messages = ids.map((id) => ({ id, envelope }));
      const queues = [
        queueChanges(1, { appended: appended(prompt) }),
        queueChanges(2, { appended: appended(purged) }),
        queueChanges(3, { appended: appended(staying) }),
      ];
      await store.commit(changes({ messages, queues }));
      const dropped = [{ queue: 2, fromSeq: 0, toSeq: first + perCommit }];
      await store.commit({ ...settled(1, ...prompt), dropped });
      await store.commit(settled(3, ...leaving.filter((id) => id > 0)));
      peakLiveBytes = Math.max(peakLiveBytes, everything(store, 3).length * envelope.length);
      await store.maintain();
    }
    const { size } = await stat(join(directory, "store.mdb"));
    expect(size).toBeGreaterThan(peakLiveBytes);
    expect(size).toBeLessThan(3 * peakLiveBytes + 4 * slackBytes);
  });

  test("does not touch a row that is being consumed", async () => {
    await open({ maintenance: { quietTicks: 1000 } });
    await publishLarge(1, 100);
    for (let id = 1; id <= 95; id++) await store.commit(settled(1, id));
    await maintainToTheEnd(store);
    await close();
    expect(await messageBytes()).toBeGreaterThan(100 * large);
  });
});

describe("a read", () => {
  test("that takes long ends its window, and the next one goes on behind it", async () => {
    await open({ longReadMs: 0 });
    for (let first = 1; first <= 300; first += 100) await store.commit(published(1, first, first + 99));
    expect(store.load(1, 1, 300, 300, 1e9).length).toBeLessThan(100);
    expect(seqs(everything(store, 1))).toEqual(range(1, 300));
  });

  test("that takes long without finding anything goes on", async () => {
    await open();
    const transient = { flags: entryFlags.transient };
    for (let first = 1; first <= 300; first += 100)
      await store.commit(published(1, first, first + 99, transient));
    await store.commit(published(1, 301, 301));
    await close();
    await open({ longReadMs: 0 });
    expect(seqs(store.load(1, 1, 301, 10, 1e9))).toEqual([301]);
  });
});

describe("memory", () => {
  test("what is known of rows is bounded, and reading them again makes no difference", async () => {
    const cacheBytes = 50_000;
    await open({ cacheBytes });
    for (let first = 1; first <= 50_000; first += 100) await store.commit(published(1, first, first + 99));
    expect(store.cacheBytes).toBeLessThanOrEqual(cacheBytes);
    for (let seq = 50; seq <= 50_000; seq += 100) await store.commit(settled(1, seq, seq + 1));
    expect(store.cacheBytes).toBeLessThanOrEqual(cacheBytes);
    expect(seqs(everything(store, 1))).toEqual(
      range(1, 50_000).filter((seq) => seq % 100 !== 50 && seq % 100 !== 51),
    );
  });

  test("of long notes only so many are read in one call", async () => {
    await open();
    const note = Buffer.alloc(60_000);
    await store.commit(published(1, 1, 100, { note }));
    expect(seqs(store.load(1, 0, 100, 1000, 1e9))).toEqual(range(1, 18));
    const { entries, nextSeq } = store.scan(1, 0, 100, 1000);
    expect(seqs(entries)).toEqual(range(1, 18));
    expect(nextSeq).toBe(19);
  });

  test("of an index that is long only so much is read in one call of scanning", async () => {
    await open();
    const spread = (first: number) =>
      range(first, first + 4095).map((seq) => entry(3 * seq, 3 * seq, { bytes: seq % 7, expiresAt: seq }));
    for (let first = 1; first < 40 * 4096; first += 4096) {
      const appended = spread(first);
      const messages = appended.map(({ messageId }) => ({ id: messageId, envelope: new Uint8Array() }));
      await store.commit(changes({ messages, queues: [queueChanges(1, { appended })] }));
    }
    const { entries, nextSeq } = store.scan(1, 0, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
    expect(entries.length).toBeGreaterThan(4096);
    expect(entries.length).toBeLessThan(8 * 4096);
    expect(nextSeq).toBe(entries.at(-1)!.seq + 1);
    expect(seqs(scanned(store, 1, 100_000))).toEqual(range(1, 40 * 4096).map((seq) => 3 * seq));
  });

  test("the longest read is known", async () => {
    await open();
    await store.commit(published(1, 1, 100));
    everything(store, 1);
    expect(store.longestReadMs).toBeGreaterThan(0);
  });
});
