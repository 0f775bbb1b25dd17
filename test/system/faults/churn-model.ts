import {
  type Changes,
  type DroppedRange,
  maxNoteBytes,
  type NewEntry,
  type NewMessage,
  type NotedEntry,
  type QueueChanges,
  type RecordChange,
  type SettledEntry,
} from "../../../server/embedded/store/store.ts";

/** What a consumer of a queue is like. */
export type Pace = "prompt" | "lagging" | "purged";

interface StoredMessage {
  readonly id: number;
  readonly bytes: number;
  references: number;
}

interface LiveEntry {
  readonly seq: number;
  readonly message: StoredMessage;
  note: Buffer | undefined;
}

/** A queue as a store must show it. */
export class ChurnQueue {
  readonly id: number;
  readonly pace: Pace;
  nextSeq = 1;
  /** Entries up to here are flushed, and may be loaded. */
  flushedSeq = 0;
  live: LiveEntry[] = [];
  bytes = 0;
  /** A lagging consumer that has caught up waits until there is a lot again. */
  isDraining = false;

  constructor(id: number, pace: Pace) {
    this.id = id;
    this.pace = pace;
  }
}

export interface ChurnModelOptions {
  readonly queues: number;
  readonly random: () => number;
  /** Above this many live bytes, lagging consumers catch up. */
  readonly maxLiveBytes: number;
}

const maxBatch = 512;
/** Of one queue and commit. */
const maxSettled = 2500;

/** Makes commits in which 50 queues are filled, emptied in their own ways, and purged; knows what must be there after each. */
export class ChurnModel {
  readonly queues: readonly ChurnQueue[];
  readonly #options: ChurnModelOptions;
  #nextId = 1;
  #isDeclared = false;
  liveBytes = 0;
  peakLiveBytes = 0;
  published = 0;
  publishedBytes = 0;
  settled = 0;
  purged = 0;

  constructor(options: ChurnModelOptions) {
    this.#options = options;
    this.queues = Array.from({ length: options.queues }, (_, i) => new ChurnQueue(i + 1, paceOf(i)));
  }

  /** The next commit; what it says counts from now on. `flushed` is to be called when it is on disk. */
  next(): { readonly changes: Changes; flushed(): void } {
    const settled = this.queues.map((queue) => this.#settle(queue));
    const dropped: DroppedRange[] = [];
    const touched = new Set<ChurnQueue>();
    const purge = this.#purge();
    if (purge !== undefined) {
      dropped.push(purge.range);
      touched.add(purge.queue);
    }
    const appended = new Map<ChurnQueue, NewEntry[]>();
    const messages: NewMessage[] = [];
    const count = 1 + Math.floor(this.#options.random() * maxBatch);
    for (let i = 0; i < count; i++) messages.push(this.#publish(appended));
    const queues: QueueChanges[] = [];
    for (const [i, queue] of this.queues.entries()) {
      const entries = appended.get(queue) ?? [];
      if (entries.length + settled[i]!.length === 0 && !touched.has(queue)) continue;
      queues.push({
        queue: queue.id,
        counters: { nextSeq: queue.nextSeq, messages: queue.live.length, bytes: queue.bytes },
        appended: entries,
        settled: settled[i]!,
        attempted: entries.length === 0 ? this.#attempts(queue) : [],
        noted: this.#note(queue),
      });
    }
    const lastSeqs = new Map([...appended].map(([queue, entries]) => [queue, entries.at(-1)!.seq]));
    return {
      changes: { messages, queues, dropped, records: this.#records() },
      flushed: () => {
        for (const [queue, seq] of lastSeqs) queue.flushedSeq = Math.max(queue.flushedSeq, seq);
      },
    };
  }

  /** The queues are declared with the first commit. */
  #records(): RecordChange[] {
    if (this.#isDeclared) return [];
    this.#isDeclared = true;
    const queues = this.queues.map(({ id }) => ({
      key: `queue/churned-${id}`,
      value: { id, autoDelete: false, arguments: {} },
    }));
    return [...queues, { key: "engine/reserved-queue-ids", value: this.queues.length + 1 }];
  }

  #publish(appended: Map<ChurnQueue, NewEntry[]>): NewMessage {
    const { random } = this.#options;
    const id = this.#nextId++;
    const envelope = envelopeOf(id, sizeOf(random));
    const targets = new Set<ChurnQueue>();
    const copies = random() < 0.1 ? 3 : 1;
    while (targets.size < copies) targets.add(this.queues[Math.floor(random() * this.queues.length)]!);
    const message: StoredMessage = { id, bytes: envelope.length, references: copies };
    for (const queue of targets) {
      const seq = queue.nextSeq++;
      const note = random() < 0.1 ? noteOf(random) : undefined;
      queue.live.push({ seq, message, note });
      queue.bytes += message.bytes;
      const entry: NewEntry = {
        seq,
        messageId: id,
        flags: 0,
        bytes: message.bytes,
        priority: 0,
        expiresAt: expiresAt(id),
        note,
      };
      const entries = appended.get(queue);
      if (entries === undefined) appended.set(queue, [entry]);
      else entries.push(entry);
    }
    this.published++;
    this.publishedBytes += message.bytes;
    this.liveBytes += message.bytes;
    this.peakLiveBytes = Math.max(this.peakLiveBytes, this.liveBytes);
    return { id, envelope };
  }

  #settle(queue: ChurnQueue): SettledEntry[] {
    const { random, maxLiveBytes } = this.#options;
    const waiting = queue.live.length;
    if (queue.pace === "purged") return [];
    if (queue.pace === "prompt")
      return this.#remove(queue, waiting - Math.floor(random() * 20), random() < 0.05);
    const share = maxLiveBytes / this.queues.length;
    if (queue.bytes > share * (1 + 2 * random()) || this.liveBytes > maxLiveBytes) queue.isDraining = true;
    if (waiting < 100) queue.isDraining = false;
    return queue.isDraining ? this.#remove(queue, Math.min(maxSettled, waiting), random() < 0.3) : [];
  }

  /** Takes entries from the front, or leaves some out as consumers that finish in any order do. */
  #remove(queue: ChurnQueue, count: number, withGaps: boolean): SettledEntry[] {
    if (count <= 0) return [];
    const taken: SettledEntry[] = [];
    const left: LiveEntry[] = [];
    for (const entry of queue.live.slice(0, count)) {
      if (withGaps && entry.seq % 7 === 0) left.push(entry);
      else {
        taken.push({ seq: entry.seq, messageId: entry.message.id });
        this.#release(queue, entry);
      }
    }
    queue.live = [...left, ...queue.live.slice(count)];
    this.settled += taken.length;
    return taken;
  }

  /** Now and then a whole queue, or what is old in it, goes at once. */
  #purge(): { readonly queue: ChurnQueue; readonly range: DroppedRange } | undefined {
    const { random, maxLiveBytes } = this.#options;
    if (random() > (this.liveBytes > maxLiveBytes ? 0.5 : 0.01)) return undefined;
    const purged = this.queues.filter(({ pace }) => pace === "purged");
    const queue = purged[Math.floor(random() * purged.length)]!;
    const last = queue.live[Math.floor(queue.live.length * (random() < 0.5 ? 0.999 : random()))];
    if (last === undefined) return undefined;
    const gone = queue.live.filter(({ seq }) => seq <= last.seq);
    for (const entry of gone) this.#release(queue, entry);
    queue.live = queue.live.slice(gone.length);
    this.purged += gone.length;
    return { queue, range: { queue: queue.id, fromSeq: 0, toSeq: last.seq } };
  }

  /** Entries get notes, get others, and lose them. Of what earlier commits have added. */
  #note(queue: ChurnQueue): NotedEntry[] {
    const { random } = this.#options;
    const noted: NotedEntry[] = [];
    while (random() < 0.5) {
      const entry = queue.live[Math.floor(random() * queue.live.length)];
      if (entry === undefined || entry.seq > queue.flushedSeq) continue;
      entry.note = random() < 0.3 ? undefined : noteOf(random);
      noted.push({ seq: entry.seq, note: entry.note });
    }
    return noted;
  }

  #attempts(queue: ChurnQueue): { readonly seq: number; readonly attempts: number }[] {
    const first = queue.live[0];
    return first === undefined ? [] : [{ seq: first.seq, attempts: 2 }];
  }

  #release(queue: ChurnQueue, { message }: LiveEntry): void {
    queue.bytes -= message.bytes;
    if (--message.references === 0) this.liveBytes -= message.bytes;
  }
}

function paceOf(i: number): Pace {
  if (i % 10 === 0) return "purged";
  return i % 5 === 1 ? "lagging" : "prompt";
}

/** 16 B to 200 KiB; most are small, and most bytes are in large ones. */
function sizeOf(random: () => number): number {
  const roll = random();
  if (roll < 0.8) return 16 + Math.floor(random() * 1500);
  return 16 + Math.floor(random() * (roll < 0.98 ? 20_000 : 200 * 1024));
}

/** Mostly short, as the engine's are. */
function noteOf(random: () => number): Buffer {
  return Buffer.alloc(Math.floor(random() * (random() < 0.99 ? 200 : maxNoteBytes)), random() * 256);
}

/** Of a third of the messages. */
export function expiresAt(id: number): number {
  return id % 3 === 0 ? 1_900_000_000_000 + id : 0;
}

function envelopeOf(id: number, bytes: number): Buffer {
  const envelope = Buffer.alloc(bytes, id % 251);
  envelope.writeDoubleBE(id, 0);
  return envelope;
}

/** Whether this is what was published. */
export function isIntact(id: number, envelope: Uint8Array): boolean {
  const bytes = Buffer.from(envelope.buffer, envelope.byteOffset, envelope.length);
  return (
    bytes.length >= 16 &&
    bytes.readDoubleBE(0) === id &&
    bytes.subarray(8).equals(Buffer.alloc(bytes.length - 8, id % 251))
  );
}
