import type { QueueCounters, QueueId } from "../../store.ts";
import { entryFlags } from "../../store.ts";
import { isIntact, runSeed } from "../checksum.ts";
import { type Environment, type TableName, Writes } from "../environment.ts";
import { maxRunEntries } from "../index-row.ts";
import { endOfTime, messageKey, noteKey, queueKey, readRunQueue } from "../keys.ts";
import { encodeReferences } from "../references-row.ts";
import {
  bitmapBytes,
  encodeCounters,
  encodeMarker,
  encodeRecord,
  encodeState,
  type RunState,
} from "../small-rows.ts";
import { readU64 } from "../u64.ts";
import { type CountedRow, type DeadEntries, takeCensus } from "./message-census.ts";
import { rescueRecords } from "./record-rescue.ts";
import { hasNote, isSettled, runName, type StoredRun, walkRuns } from "./run-walk.ts";
import type { Findings } from "./store-check.ts";
import { walkTable } from "./table-walk.ts";

/** How much is written in one commit. */
const commitBytes = 8 * 1024 * 1024;

/**
 * Writes what is sound of a store into a new file. A new one, because a file whose pages are damaged may have a damaged list
 * of free pages too, which nobody can check, and the next commit would write over what was saved. Sound rows are copied as
 * they are.
 */
export class StoreRepair {
  readonly #source: Environment;
  readonly #target: Environment;
  readonly #findings: Findings;
  readonly #windowMessages: number | undefined;
  readonly #losses: string[] = [];
  readonly #tallies = new Map<QueueId, { messages: number; bytes: number; nextSeq: number }>();
  readonly #dropped = new Map<QueueId, { fromSeq: number; toSeq: number }[]>();
  #names: ReadonlyMap<QueueId, string> = new Map();
  #writes = new Writes();
  #writtenBytes = 0;
  #commit = 0;
  #nextMessageId = 1;

  constructor(source: Environment, target: Environment, findings: Findings, windowMessages?: number) {
    this.#source = source;
    this.#target = target;
    this.#findings = findings;
    this.#windowMessages = windowMessages;
  }

  /** Returns what could not be saved, in sentences. */
  async run(): Promise<readonly string[]> {
    for (const { kind, text } of this.#findings.report.problems) {
      if (kind === "unreadable" || kind === "order") this.#losses.push(text);
    }
    const { records, queueNames } = rescueRecords(this.#findings, this.#losses);
    this.#names = queueNames;
    for (const [name, value] of records) await this.#put("records", Buffer.from(name), encodeRecord(value));
    await this.#copyGarbage();
    const { dead, highestId } = await takeCensus({
      environment: this.#source,
      problems: undefined,
      runs: () => this.#runs(),
      onRow: (row) => this.#copyMessages(row),
      ...(this.#windowMessages === undefined ? {} : { windowMessages: this.#windowMessages }),
    });
    this.#nextMessageId = Math.max(this.#findings.head?.nextMessageId ?? 1, highestId + 1);
    for (const run of this.#runs()) await this.#copyRun(run, dead.get(runName(run.queue, run.firstSeq)));
    this.#reportRuns();
    await this.#putCounters();
    await this.#flush();
    return this.#losses;
  }

  /** Runs of queues that somebody can reach, or that are being deleted. */
  *#runs(): Generator<StoredRun> {
    const { orphanQueues } = this.#findings;
    for (const run of walkRuns(this.#source)) {
      if (!orphanQueues.has(run.queue) || this.#names.has(run.queue)) yield run;
    }
  }

  async #copyGarbage(): Promise<void> {
    for (const { key } of walkTable(this.#source, "garbage", undefined)) {
      const queue = readRunQueue(key);
      const range = { fromSeq: readU64(key, 8), toSeq: readU64(key, 16) };
      this.#dropped.set(queue, [...(this.#dropped.get(queue) ?? []), range]);
      await this.#put("garbage", key, encodeMarker());
    }
  }

  async #copyMessages(row: CountedRow): Promise<void> {
    let live = 0;
    let isAsNoted = !row.isReferencesRowDamaged;
    for (let i = 0; i < row.count; i++) {
      if (row.found[i] !== 0) live++;
      if (row.found[i] !== row.noted[i]) isAsNoted = false;
    }
    if (live === 0) return;
    const key = messageKey(row.firstId);
    const value = this.#source.get("messages", key);
    if (value === undefined) throw new Error(`the row of message ${row.firstId} cannot be found again`);
    await this.#put("messages", key, new Uint8Array(value));
    if (!row.hasReferencesRow && isAsNoted) return;
    const references = { ...row, remaining: isAsNoted ? row.noted : row.found };
    await this.#put("refs", key, encodeReferences(references, row.firstId));
  }

  async #copyRun(run: StoredRun, dead: DeadEntries | undefined): Promise<void> {
    const { queue, firstSeq, row } = run;
    const state = run.state ?? {
      settled: new Uint8Array(bitmapBytes(row.count)),
      attempts: undefined,
      noted: undefined,
    };
    const { settled, attempts } = state;
    if (dead !== undefined) {
      for (let i = 0; i < settled.length; i++) settled[i]! |= dead.bits[i]!;
      if (attempts !== undefined)
        for (const ordinal of attempts.keys()) if (isSettled(state, ordinal)) attempts.delete(ordinal);
      if (dead.lost.length > 0) this.#losses.push(`${this.#nameOf(queue)}: ${lostEntries(dead)}`);
    }
    const tally = this.#tallies.get(queue) ?? { messages: 0, bytes: 0, nextSeq: 1 };
    this.#tallies.set(queue, tally);
    tally.nextSeq = Math.max(tally.nextSeq, row.lastSeq + 1);
    let live = 0;
    for (let ordinal = 0; ordinal < row.count; ordinal++) {
      if (isSettled(state, ordinal)) continue;
      live++;
      if ((row.flagsAt(ordinal) & entryFlags.transient) !== 0 || this.#isDropped(queue, row.seqAt(ordinal)))
        continue;
      tally.messages++;
      tally.bytes += row.bytesAt(ordinal);
    }
    if (live === 0) return;
    await this.#put("index", run.key, run.value);
    const { noted, isAsBefore } = await this.#copyNotes(run, state);
    if (dead === undefined && isAsBefore) {
      if (run.stateValue !== undefined) await this.#put("state", run.key, run.stateValue);
    } else {
      const value = encodeState({ settled, attempts, noted }, row.count, runSeed(queue, firstSeq));
      await this.#put("state", run.key, value);
    }
  }

  /** Returns which of the run's entries have a note, and whether that is what its state says. */
  async #copyNotes(
    { queue, row, isStateLost }: StoredRun,
    state: RunState,
  ): Promise<{ noted: Uint8Array | undefined; isAsBefore: boolean }> {
    const noted = new Uint8Array(bitmapBytes(row.count));
    const lost: number[] = [];
    let count = 0;
    for (let ordinal = 0; ordinal < row.count; ordinal++) {
      if (isSettled(state, ordinal) || (!isStateLost && !hasNote(state, ordinal))) continue;
      const seq = row.seqAt(ordinal);
      const value = this.#intactNote(queue, seq);
      if (value === undefined) {
        if (!isStateLost) lost.push(seq);
        continue;
      }
      await this.#put("notes", noteKey(queue, seq), value);
      noted[ordinal >>> 3]! |= 1 << (ordinal & 7);
      count++;
    }
    if (lost.length > 0) {
      const what = "why they failed and until when they wait, if they do, is not known any more";
      this.#losses.push(
        `${this.#nameOf(queue)}: ${what}: ${lost.length} messages, entries ${rangesOf(lost)}`,
      );
    }
    return {
      noted: count === 0 ? undefined : noted,
      isAsBefore: lost.length === 0 && (!isStateLost || count === 0),
    };
  }

  #intactNote(queue: QueueId, seq: number): Uint8Array | undefined {
    try {
      const stored = this.#source.get("notes", noteKey(queue, seq));
      const isSound = stored !== undefined && isIntact(stored, runSeed(queue, seq));
      return isSound ? new Uint8Array(stored) : undefined;
    } catch {
      return undefined; // As if it were damaged.
    } finally {
      this.#source.endRead();
    }
  }

  #reportRuns(): void {
    for (const { queue, fromSeq, toSeq, what } of this.#findings.damagedRuns) {
      const to = toSeq === Number.POSITIVE_INFINITY ? "the end" : toSeq;
      this.#losses.push(`${this.#nameOf(queue)}, entries ${fromSeq} to ${to}: lost, as ${what}`);
    }
    for (const { queue, fromSeq, toSeq } of this.#findings.uncertainRuns) {
      const what = "which of them were settled is lost; some may be delivered again";
      this.#losses.push(`${this.#nameOf(queue)}, entries ${fromSeq} to ${toSeq}: ${what}`);
    }
    for (const queue of this.#findings.orphanQueues) {
      if (!this.#names.has(queue))
        this.#losses.push(`${this.#nameOf(queue)}: nobody could reach it, it is removed`);
    }
  }

  async #putCounters(): Promise<void> {
    const { counters, damagedRuns } = this.#findings;
    for (const { queue, fromSeq } of damagedRuns) {
      // Where the run ended is not known; a seq is never given twice.
      const tally = this.#tallies.get(queue);
      if (tally !== undefined) tally.nextSeq = Math.max(tally.nextSeq, fromSeq + maxRunEntries);
    }
    for (const queue of new Set([...counters.keys(), ...this.#tallies.keys()])) {
      if (this.#isDropped(queue, 0, endOfTime)) continue;
      const known = counters.get(queue);
      const found = this.#tallies.get(queue);
      const totals: QueueCounters = {
        nextSeq: known === undefined ? found!.nextSeq : Math.max(known.nextSeq, found?.nextSeq ?? 1),
        messages: found?.messages ?? 0,
        bytes: found?.bytes ?? 0,
      };
      await this.#put("counters", queueKey(queue), encodeCounters(totals, queue));
    }
  }

  #isDropped(queue: QueueId, fromSeq: number, toSeq = fromSeq): boolean {
    const ranges = this.#dropped.get(queue);
    return ranges?.some((range) => range.fromSeq <= fromSeq && range.toSeq >= toSeq) ?? false;
  }

  #nameOf(queue: QueueId): string {
    const name = this.#names.get(queue);
    return name === undefined ? `queue ${queue} (without a name)` : `queue ${JSON.stringify(name)}`;
  }

  async #put(table: TableName, key: Uint8Array, value: Uint8Array): Promise<void> {
    this.#writes.put(table, key, value);
    this.#writtenBytes += key.length + value.length;
    if (this.#writtenBytes >= commitBytes) await this.#flush();
  }

  async #flush(): Promise<void> {
    const writes = this.#writes;
    this.#writes = new Writes();
    this.#writtenBytes = 0;
    // Not clean: what had been handed out is not known for certain any more.
    await this.#target.commit(writes, {
      commit: ++this.#commit,
      nextMessageId: this.#nextMessageId,
      clean: false,
    });
  }
}

/** Which entries of a run are lost. */
function lostEntries({ lost }: DeadEntries): string {
  const ranges = rangesOf(lost.map(({ seq }) => seq));
  return `${lost.length} messages are lost, as they could not be read: entries ${ranges}`;
}

function rangesOf(seqs: readonly number[]): string {
  const ranges: string[] = [];
  for (let from = 0; from < seqs.length; ) {
    let to = from;
    while (to + 1 < seqs.length && seqs[to + 1] === seqs[to]! + 1) to++;
    ranges.push(from === to ? `${seqs[from]}` : `${seqs[from]} to ${seqs[to]}`);
    from = to + 1;
  }
  const shown = ranges.slice(0, 20).join(", ");
  return ranges.length > 20 ? `${shown}, and ${ranges.length - 20} more ranges` : shown;
}
