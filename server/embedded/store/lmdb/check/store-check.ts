import { statSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { QueueCounters, QueueId } from "../../store.ts";
import { entryFlags } from "../../store.ts";
import { isIntact } from "../checksum.ts";
import { type Environment, type Head, type TableName, tableNames } from "../environment.ts";
import { endOfTime, messageKey, readMessageKey, readRunFirstSeq, readRunQueue } from "../keys.ts";
import { decodeCounters, decodeRecord } from "../small-rows.ts";
import { readU64 } from "../u64.ts";
import { type CheckProgress, type CheckReport, Problems, type QueueTotals } from "./check-report.ts";
import { type Census, type CountedRow, takeCensus } from "./message-census.ts";
import { checkNotes } from "./note-check.ts";
import { type CheckedRecords, checkRecords, isQueueId } from "./record-check.ts";
import { type DamagedRun, isSettled, type StoredRun, walkRuns } from "./run-walk.ts";
import { walkTable } from "./table-walk.ts";

export type OnProgress = (progress: CheckProgress) => void;

const progressEveryRows = 256;

interface Tally {
  messages: number;
  bytes: number;
  nextSeq: number;
}

interface Dropped {
  readonly fromSeq: number;
  readonly toSeq: number;
}

/** All that checking has learned; repairing goes by it. */
export interface Findings {
  readonly report: CheckReport;
  readonly head: Head | undefined;
  readonly records: ReadonlyMap<string, unknown>;
  /** Key → what is left of its text. */
  readonly damagedRecords: ReadonlyMap<string, string>;
  readonly checkedRecords: CheckedRecords;
  readonly counters: ReadonlyMap<QueueId, QueueCounters>;
  /** What the counters should be. */
  readonly tallies: ReadonlyMap<QueueId, QueueCounters>;
  readonly damagedRuns: readonly DamagedRun[];
  /** Runs of which is not known what is settled. */
  readonly uncertainRuns: readonly { queue: QueueId; fromSeq: number; toSeq: number }[];
  /** Queues that have entries but no counters: nobody can reach them. */
  readonly orphanQueues: ReadonlySet<QueueId>;
  readonly census: Census;
}

/** Goes through the whole store. Nothing is written. */
export class StoreCheck {
  readonly #environment: Environment;
  readonly #fileBytes: number;
  readonly #onProgress: OnProgress | undefined;
  readonly #windowMessages: number | undefined;
  readonly #problems = new Problems();
  readonly #tables = new Map<string, { rows: number; bytes: number }>();
  readonly #records = new Map<string, unknown>();
  readonly #damagedRecords = new Map<string, string>();
  readonly #counters = new Map<QueueId, QueueCounters>();
  readonly #damagedCounters = new Set<QueueId>();
  readonly #dropped = new Map<QueueId, Dropped[]>();
  readonly #tallies = new Map<QueueId, Tally>();
  readonly #damagedRuns: DamagedRun[] = [];
  readonly #uncertainRuns: { queue: QueueId; fromSeq: number; toSeq: number }[] = [];
  readonly #orphanQueues = new Set<QueueId>();
  #names: ReadonlyMap<QueueId, string> = new Map();

  constructor(
    environment: Environment,
    path: string,
    options: { onProgress?: OnProgress; windowMessages?: number } = {},
  ) {
    this.#environment = environment;
    this.#fileBytes = statSync(path).size;
    this.#onProgress = options.onProgress;
    this.#windowMessages = options.windowMessages;
    for (const table of tableNames) this.#tables.set(table, { rows: 0, bytes: 0 });
  }

  async run(): Promise<Findings> {
    for (const table of this.#environment.missingTables) {
      // Made when the store is opened for writing: one that was written before there were notes has none.
      if (table === "notes") continue;
      this.#problems.add({ kind: "unreadable", table, text: `the table ${table} is not there` });
    }
    const head = this.#checkHead();
    const checkedRecords = await this.#checkRecords();
    await this.#checkCounters();
    await this.#checkGarbage();
    await this.#checkRuns();
    const census = await takeCensus({
      environment: this.#environment,
      problems: this.#problems,
      runs: () => walkRuns(this.#environment),
      onRow: (row) => this.#checkReferences(row),
      onStep: (_rows, bytes) => this.#note("messages", bytes),
      ...(this.#windowMessages === undefined ? {} : { windowMessages: this.#windowMessages }),
    });
    this.#checkDeadEntries(census);
    await this.#checkOwners();
    await this.#checkNotes();
    this.#compareCounters();
    if (head !== undefined && census.highestId >= head.nextMessageId) {
      const text = `message ${census.highestId} is stored, though ids only go up to ${head.nextMessageId - 1}`;
      this.#problems.add({ kind: "head", table: "meta", text });
    }
    return {
      report: this.#report(head),
      head,
      records: this.#records,
      damagedRecords: this.#damagedRecords,
      checkedRecords,
      counters: this.#counters,
      tallies: this.#tallies,
      damagedRuns: this.#damagedRuns,
      uncertainRuns: this.#uncertainRuns,
      orphanQueues: this.#orphanQueues,
      census,
    };
  }

  #checkHead(): Head | undefined {
    try {
      const head = this.#environment.head();
      if (head === undefined)
        this.#problems.add({
          kind: "head",
          table: "meta",
          text: "the row that numbers the commits is missing",
        });
      return head;
    } catch (error) {
      this.#problems.add({ kind: "head", table: "meta", text: (error as Error).message });
      return undefined;
    }
  }

  async #checkRecords(): Promise<CheckedRecords> {
    for (const { key, value } of walkTable(this.#environment, "records", this.#problems)) {
      await this.#note("records", key.length + value.length);
      const name = Buffer.from(key).toString();
      const record = decodedRecord(value);
      if (record !== undefined) {
        this.#records.set(name, record.value);
        continue;
      }
      this.#damagedRecords.set(name, Buffer.from(value).toString("utf8", 4));
      const text = `the record ${JSON.stringify(name)} is damaged`;
      const queue = name.startsWith("queue/") ? { queue: name.slice("queue/".length) } : {};
      this.#problems.add({ kind: "damaged-row", table: "records", text, ...queue });
    }
    const checked = checkRecords(this.#records, this.#problems);
    this.#names = checked.queueNames;
    return checked;
  }

  async #checkCounters(): Promise<void> {
    for (const { key, value } of walkTable(this.#environment, "counters", this.#problems)) {
      await this.#note("counters", key.length + value.length);
      const queue = readRunQueue(key);
      const counters = decodeCounters(value, queue);
      if (counters !== undefined) {
        this.#counters.set(queue, counters);
        continue;
      }
      // A key that no queue can have is damage too: then nobody misses the counters.
      if (isQueueId(queue)) this.#damagedCounters.add(queue);
      const text = `${this.#nameOf(queue)}: the counters are damaged`;
      this.#problems.add({ kind: "counters", table: "counters", text, ...this.#of(queue) });
    }
  }

  async #checkGarbage(): Promise<void> {
    for (const { key, value } of walkTable(this.#environment, "garbage", this.#problems)) {
      await this.#note("garbage", key.length + value.length);
      const queue = readRunQueue(key);
      if (!isIntact(value, 0)) {
        const text = `${this.#nameOf(queue)}: the note of a dropped range is damaged`;
        this.#problems.add({ kind: "damaged-row", table: "garbage", text, ...this.#of(queue) });
      }
      // The range is all in the key, and that is what counts when the store is opened.
      const ranges = this.#dropped.get(queue);
      const range = { fromSeq: readU64(key, 8), toSeq: readU64(key, 16) };
      if (ranges === undefined) this.#dropped.set(queue, [range]);
      else ranges.push(range);
    }
  }

  async #checkRuns(): Promise<void> {
    const runs = walkRuns(this.#environment, this.#problems, (run) => {
      this.#damagedRuns.push(run);
      const to = run.toSeq === Number.POSITIVE_INFINITY ? "the end" : run.toSeq;
      const text = `${this.#nameOf(run.queue)}, entries ${run.fromSeq} to ${to}: ${run.what}`;
      this.#problems.add({
        kind: "damaged-row",
        table: "index",
        text,
        ...this.#of(run.queue),
        ...range(run),
      });
    });
    for (const run of runs) {
      await this.#note("index", run.key.length + run.value.length);
      const { queue, firstSeq, row } = run;
      if (!this.#isKnown(queue) && !this.#orphanQueues.has(queue)) {
        this.#orphanQueues.add(queue);
        const text = `${this.#nameOf(queue)}: there are entries but no counters, so nobody can reach them`;
        this.#problems.add({ kind: "orphan", table: "index", text, ...this.#of(queue) });
      }
      if (run.isStateLost) {
        const uncertain = { queue, fromSeq: firstSeq, toSeq: row.lastSeq };
        this.#uncertainRuns.push(uncertain);
        const text = `${this.#nameOf(queue)}, entries ${firstSeq} to ${row.lastSeq}: what is settled cannot be read`;
        this.#problems.add({
          kind: "damaged-row",
          table: "state",
          text,
          ...this.#of(queue),
          ...range(uncertain),
        });
      }
      this.#tally(run, row.lastSeq + 1);
    }
  }

  #tally(run: StoredRun, nextSeq: number): void {
    const { queue, row } = run;
    let tally = this.#tallies.get(queue);
    if (tally === undefined) {
      tally = { messages: 0, bytes: 0, nextSeq };
      this.#tallies.set(queue, tally);
    }
    tally.nextSeq = Math.max(tally.nextSeq, nextSeq);
    for (let ordinal = 0; ordinal < row.count; ordinal++) {
      if (isSettled(run.state, ordinal) || (row.flagsAt(ordinal) & entryFlags.transient) !== 0) continue;
      if (this.#isDropped(queue, row.seqAt(ordinal))) continue;
      tally.messages++;
      tally.bytes += row.bytesAt(ordinal);
    }
  }

  #checkReferences(row: CountedRow): void {
    let wrong = 0;
    let live = 0;
    for (let i = 0; i < row.count; i++) {
      if (row.found[i] !== row.noted[i]) wrong++;
      if (row.found[i] !== 0) live++;
    }
    if (wrong === 0 && live > 0) return;
    const where = `table messages: the row of messages ${row.firstId} to ${row.lastId}`;
    if (live === 0) {
      const text = `${where} is kept, though nothing refers to it`;
      this.#problems.add({ kind: "orphan", table: "messages", text });
    } else if (!row.isReferencesRowDamaged) {
      const text = `${where} has wrong reference counts for ${wrong} of ${row.count} messages`;
      this.#problems.add({ kind: "references", table: "refs", text });
    }
  }

  #checkDeadEntries({ dead }: Census): void {
    for (const [name, { lost }] of dead) {
      if (lost.length === 0) continue;
      const queue = Number(name.slice(0, name.indexOf("/")));
      const fromSeq = lost[0]!.seq;
      const toSeq = lost.at(-1)!.seq;
      const where = `${this.#nameOf(queue)}, entries ${fromSeq} to ${toSeq}`;
      const text = `${where}: the messages of ${lost.length} entries are not stored, from message ${lost[0]!.messageId} on`;
      this.#problems.add({
        kind: "missing-messages",
        table: "index",
        text,
        ...this.#of(queue),
        fromSeq,
        toSeq,
      });
    }
  }

  /** State and reference rows go with a row that they say something of. */
  async #checkOwners(): Promise<void> {
    const environment = this.#environment;
    const isThere = (table: TableName, key: Uint8Array) => {
      try {
        return environment.get(table, key) !== undefined;
      } catch {
        return true; // It cannot be read, which has been noted.
      } finally {
        environment.endRead();
      }
    };
    for (const { key, value } of walkTable(environment, "state", this.#problems)) {
      await this.#note("state", key.length + value.length);
      if (isThere("index", key)) continue;
      const queue = readRunQueue(key);
      const text = `${this.#nameOf(queue)}: there is a state row for entry ${readRunFirstSeq(key)} on, but no such run`;
      this.#problems.add({ kind: "orphan", table: "state", text, ...this.#of(queue) });
    }
    for (const { key, value } of walkTable(environment, "refs", this.#problems)) {
      await this.#note("refs", key.length + value.length);
      if (isThere("messages", messageKey(readMessageKey(key)))) continue;
      const text = `table refs: there is a row for message ${readMessageKey(key)}, but no such message`;
      this.#problems.add({ kind: "orphan", table: "refs", text });
    }
  }

  async #checkNotes(): Promise<void> {
    const findings = await checkNotes({
      environment: this.#environment,
      problems: this.#problems,
      onRow: (bytes) => this.#note("notes", bytes),
    });
    for (const { kind, queue, fromSeq, toSeq, count } of findings) {
      const where = `${this.#nameOf(queue)}, entries ${fromSeq} to ${toSeq}`;
      const text =
        kind === "lost"
          ? `${where}: the notes of ${count} entries cannot be read`
          : `${where}: there are ${count} notes that belong to no entry`;
      this.#problems.add({
        kind: kind === "lost" ? "missing-notes" : "orphan",
        table: "notes",
        text,
        ...this.#of(queue),
        fromSeq,
        toSeq,
      });
    }
  }

  #compareCounters(): void {
    for (const [queue, tally] of this.#tallies) {
      const counters = this.#counters.get(queue);
      if (counters === undefined && (this.#damagedCounters.has(queue) || !this.#isKnown(queue))) continue;
      this.#compare(queue, counters, tally);
    }
    for (const [queue, { messages }] of this.#tallies) {
      if (messages === 0 || this.#names.has(queue)) continue;
      // The broker takes a queue without a record for one that was not to outlive it, and deletes it.
      const text = `${this.#nameOf(queue)}: there are ${messages} messages that were to be kept, but no record of the queue`;
      this.#problems.add({ kind: "orphan", table: "records", text, ...this.#of(queue) });
    }
    for (const [queue, counters] of this.#counters) {
      if (!this.#tallies.has(queue)) this.#compare(queue, counters, { messages: 0, bytes: 0, nextSeq: 0 });
    }
  }

  #compare(queue: QueueId, counters: QueueCounters | undefined, found: QueueCounters): void {
    if (counters === undefined) return;
    const { messages, bytes, nextSeq } = counters;
    if (messages === found.messages && bytes === found.bytes && nextSeq >= found.nextSeq) return;
    const text =
      `${this.#nameOf(queue)}: the counters say ${messages} messages, ${bytes} bytes, next entry ${nextSeq}; ` +
      `there are ${found.messages} messages, ${found.bytes} bytes, up to entry ${found.nextSeq - 1}`;
    this.#problems.add({ kind: "counters", table: "counters", text, ...this.#of(queue) });
  }

  #isKnown(queue: QueueId): boolean {
    return (
      this.#counters.has(queue) || this.#damagedCounters.has(queue) || this.#isDropped(queue, 0, endOfTime)
    );
  }

  #isDropped(queue: QueueId, fromSeq: number, toSeq = fromSeq): boolean {
    const ranges = this.#dropped.get(queue);
    return ranges?.some((range) => range.fromSeq <= fromSeq && range.toSeq >= toSeq) ?? false;
  }

  #nameOf(queue: QueueId): string {
    const name = this.#names.get(queue);
    return name === undefined ? `queue ${queue} (without a name)` : `queue ${JSON.stringify(name)}`;
  }

  #of(queue: QueueId): { queueId: QueueId; queue?: string } {
    const name = this.#names.get(queue);
    return name === undefined ? { queueId: queue } : { queueId: queue, queue: name };
  }

  async #note(table: TableName, bytes: number): Promise<void> {
    const totals = this.#tables.get(table)!;
    totals.bytes += bytes;
    if (++totals.rows % progressEveryRows !== 0 || this.#onProgress === undefined) return;
    this.#onProgress({ table, ...totals, fileBytes: this.#fileBytes });
    await nextTurn();
  }

  #report(head: Head | undefined): CheckReport {
    const { byQueue, count, list } = this.#problems;
    const ids = new Set([...this.#names.keys(), ...this.#counters.keys(), ...this.#tallies.keys()]);
    const queues: QueueTotals[] = [...ids].map((id) => {
      const name = this.#names.get(id);
      const { messages = 0, bytes = 0 } = this.#tallies.get(id) ?? {};
      return { id, ...(name === undefined ? {} : { name }), messages, bytes, problems: byQueue.get(id) ?? 0 };
    });
    return {
      sound: count === 0,
      clean: head?.clean ?? false,
      tables: Object.fromEntries(this.#tables),
      queues,
      problems: list,
      problemCount: count,
    };
  }
}

function range({ fromSeq, toSeq }: { fromSeq: number; toSeq: number }): { fromSeq: number; toSeq?: number } {
  return toSeq === Number.POSITIVE_INFINITY ? { fromSeq } : { fromSeq, toSeq };
}

function decodedRecord(value: Uint8Array): { readonly value: unknown } | undefined {
  try {
    return decodeRecord(value);
  } catch {
    return undefined;
  }
}
