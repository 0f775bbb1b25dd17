import { readFileSync } from "node:fs";
import { markOf, marksIn } from "./marked-body.ts";
import { type FileSync, type FileWrite, readStoreTrace, type Send, type StoreEvent } from "./store-events.ts";
import { ServerStream } from "./websocket-frames.ts";

/** A file that grows and is written anywhere; what was never written is zero, as on disk. */
class FileImage {
  #memory: Buffer;
  length: number;

  constructor(before: Buffer) {
    this.#memory = Buffer.alloc(before.length + (1 << 20));
    before.copy(this.#memory);
    this.length = before.length;
  }

  get bytes(): Buffer {
    return this.#memory.subarray(0, this.length);
  }

  write(bytes: Buffer, offset: number): void {
    const end = offset + bytes.length;
    if (end > this.#memory.length) {
      const larger = Buffer.alloc(Math.max(end, 2 * this.#memory.length));
      this.#memory.copy(larger);
      this.#memory = larger;
    }
    bytes.copy(this.#memory, offset);
    if (end > this.length) this.length = end;
  }
}

type Moment = { readonly event: StoreEvent; readonly isBegin: boolean };

/** How writes fare that were not synced when the power went. */
export const fates = ["dropped", "kept", "torn", "mixed"] as const;
export type Fate = (typeof fates)[number];

/** What a disk may hold after the power was cut. */
export interface CutResult {
  readonly file: Buffer;
  /** Marks of messages whose confirm was on its way, or further. */
  readonly confirmed: ReadonlySet<string>;
  /** Writes that were not synced. */
  readonly unsynced: number;
}

const sectorBytes = 512;

/** Everything a broker did to its file, with what it told clients in between. */
export class Recording {
  readonly #before: Buffer;
  readonly #moments: readonly Moment[];
  /** By the begin of its send: marks that this says are confirmed. */
  readonly #confirms: ReadonlyMap<StoreEvent, readonly string[]>;

  private constructor(
    before: Buffer,
    moments: readonly Moment[],
    confirms: ReadonlyMap<StoreEvent, readonly string[]>,
  ) {
    this.#before = before;
    this.#moments = moments;
    this.#confirms = confirms;
  }

  /** `before`: what was in the file, and on disk, when the trace began. */
  static async read(traceFile: string, storeFile: string, before = Buffer.alloc(0)): Promise<Recording> {
    const moments: Moment[] = [];
    const confirms = new Map<StoreEvent, string[]>();
    const streams = new Map<string, ServerStream>();
    const delivered = new Set<string>();
    const note = (send: Send) => {
      const stream = streams.get(send.socket) ?? new ServerStream();
      streams.set(send.socket, stream);
      const { confirmed, others } = stream.push(send.bytes);
      for (const message of others) for (const mark of marksIn(message)) delivered.add(mark);
      const marks: string[] = [];
      for (const { encoding, first, last } of confirmed)
        for (let number = first; number <= last; number++) marks.push(markOf(encoding, number));
      // What has been delivered may have been acked, and need not be there.
      confirms.set(
        send,
        marks.filter((mark) => !delivered.has(mark)),
      );
    };
    await readStoreTrace(traceFile, storeFile, {
      begin: (event) => moments.push({ event, isBegin: true }),
      end(event) {
        if (event.kind === "send" && event.error === undefined) note(event);
        moments.push({ event, isBegin: false });
      },
    });
    return new Recording(before, moments, confirms);
  }

  /** Places to cut: before any of these moments. */
  get length(): number {
    return this.#moments.length;
  }

  /** The file if nothing was lost. */
  replay(): Buffer {
    const image = new FileImage(this.#before);
    for (const { event, isBegin } of this.#moments)
      if (!isBegin && event.kind === "write" && event.error === undefined)
        image.write(event.bytes, event.offset);
    return image.bytes;
  }

  /** Compares the replay with the file itself: were a write missing here, the cuts would prove nothing. */
  differsFrom(storeFile: string): string | undefined {
    const actual = readFileSync(storeFile);
    const replayed = this.replay();
    if (actual.equals(replayed)) return undefined;
    if (actual.length !== replayed.length)
      return `${replayed.length} bytes replayed, ${actual.length} in the file`;
    return `the replay differs at byte ${actual.findIndex((byte, i) => byte !== replayed[i])}`;
  }

  /** Cuts the power before moment `at`. */
  cut(at: number, fate: Fate, random: () => number): CutResult {
    const disk = new FileImage(this.#before);
    const confirmed = new Set<string>();
    let unsynced: FileWrite[] = [];
    const covered = new Map<FileSync, FileWrite[]>();
    const returned = new Set<FileWrite>();
    for (const { event, isBegin } of this.#moments.slice(0, at)) {
      if (event.kind === "send") {
        if (isBegin) for (const mark of this.#confirms.get(event) ?? []) confirmed.add(mark);
      } else if (event.kind === "write") {
        if (isBegin) unsynced.push(event);
        else if (event.error !== undefined) unsynced = unsynced.filter((write) => write !== event);
        else if (event.isSynchronous) {
          disk.write(event.bytes, event.offset);
          unsynced = unsynced.filter((write) => write !== event);
        } else returned.add(event);
      } else if (isBegin) {
        covered.set(
          event,
          unsynced.filter((write) => returned.has(write)),
        );
      } else if (event.error === undefined) {
        const synced = new Set(covered.get(event));
        for (const write of synced) disk.write(write.bytes, write.offset);
        unsynced = unsynced.filter((write) => !synced.has(write));
      }
    }
    for (const write of unsynced) survive(write, fate, disk, random);
    return { file: disk.bytes, confirmed, unsynced: unsynced.length };
  }
}

function survive({ bytes, offset }: FileWrite, fate: Fate, disk: FileImage, random: () => number): void {
  const own = fate === "mixed" ? fates[Math.floor(random() * 3)]! : fate;
  if (own === "dropped") return;
  if (own === "kept") {
    disk.write(bytes, offset);
    return;
  }
  for (let from = 0; from < bytes.length; ) {
    const to = Math.min(bytes.length, from + sectorBytes - ((offset + from) % sectorBytes));
    if (random() < 0.5) disk.write(bytes.subarray(from, to), offset + from);
    from = to;
  }
}
