import type { QueueId } from "../store.ts";

interface NoteUnderWay {
  readonly commit: number;
  readonly row: Uint8Array;
}

/** Notes that commits under way are writing: what is on disk is not the last word on them. */
export class NotesUnderWay {
  readonly #queues = new Map<QueueId, Map<number, NoteUnderWay>>();

  put(queue: QueueId, seq: number, row: Uint8Array, commit: number): void {
    const notes = this.#queues.get(queue);
    if (notes === undefined) this.#queues.set(queue, new Map([[seq, { commit, row }]]));
    else notes.set(seq, { commit, row });
  }

  /** The row as it will be. */
  get(queue: QueueId, seq: number): Uint8Array | undefined {
    return this.#queues.get(queue)?.get(seq)?.row;
  }

  /** That commit is on disk. */
  flushed(commit: number): void {
    for (const [queue, notes] of this.#queues) {
      for (const [seq, row] of notes) if (row.commit <= commit) notes.delete(seq);
      if (notes.size === 0) this.#queues.delete(queue);
    }
  }
}
