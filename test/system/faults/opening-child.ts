/**
 * Opens stores as a power cut has left them: takes a directory a line, answers with what is in it as a line of JSON.
 *
 *     node --import tsx opening-child.ts
 */
import { join } from "node:path";
import { createInterface } from "node:readline";
import { checkFile } from "../../../server/embedded/store/lmdb/check/check-tasks.ts";
import { LmdbStore } from "../../../server/embedded/store/lmdb-store.ts";
import type { Changes, Recovered } from "../../../server/embedded/store/store.ts";
import { markedBody, markOfIntact } from "./marked-body.ts";

export interface Opened {
  /** Marks of the messages in all queues. */
  readonly marks: readonly string[];
  readonly longestReadMs: number;
}

const window = 256;

/** Everything that is there, each message's body compared with what was published. */
function marksOf(store: LmdbStore, recovered: Recovered): string[] {
  const marks: string[] = [];
  for (const queue of recovered.queues.keys()) {
    for (let from = 0; ; ) {
      const loaded = store.load(queue, from, Number.POSITIVE_INFINITY, window, Number.POSITIVE_INFINITY);
      if (loaded.length === 0) break;
      for (const { envelope } of loaded) marks.push(markOfIntact(envelope));
      from = loaded.at(-1)!.seq + 1;
    }
  }
  return marks;
}

/** Messages for a queue of their own, with notes, others for those of the commit before, and an end to those of two before. */
function freshCommit(queue: number, firstId: number, count: number): Changes {
  const envelope = Buffer.from(markedBody("json", 0, 3000));
  const ids = Array.from({ length: count }, (_, i) => firstId + i);
  return {
    messages: ids.map((id) => ({ id, envelope })),
    queues: [
      {
        queue,
        counters: { nextSeq: firstId + count, messages: count, bytes: count * envelope.length },
        appended: ids.map((id) => ({
          seq: id,
          messageId: id,
          flags: 0,
          bytes: envelope.length,
          priority: 0,
          expiresAt: id,
          note: Buffer.from(`note ${id}`),
        })),
        settled: ids.map((id) => ({ seq: id - 2 * count, messageId: id - 2 * count })),
        attempted: [],
        noted: ids.map((id) => ({ seq: id - count, note: id % 2 === 0 ? envelope : undefined })),
      },
    ],
    dropped: [],
    records: [],
  };
}

/** Opens, reads, tidies up, reads, writes, drops what was written, checks, and opens and reads again: nothing may change. */
async function examine(directory: string): Promise<Opened> {
  const store = new LmdbStore({ directory, maintenance: { quietTicks: 1, smallRows: 1 } });
  const recovered = await store.open();
  const marks = marksOf(store, recovered);
  while ((await store.maintain()) !== "nothing");
  const tidied = marksOf(store, recovered);
  if (tidied.join() !== marks.join()) throw new Error("Tidying up changed what is there.");
  const queue = 2 ** 40;
  const count = 20;
  for (let i = 0; i < 10; i++)
    await store.commit(freshCommit(queue, recovered.nextMessageId + i * count, count));
  const dropped = [{ queue, fromSeq: 0, toSeq: Number.POSITIVE_INFINITY }];
  await store.commit({ messages: [], queues: [], dropped, records: [] });
  while ((await store.maintain()) !== "nothing");
  await store.close({ clean: true });
  const { report } = await checkFile(join(directory, "store.mdb"));
  if (!report.sound) throw new Error(report.problems.map(({ text }) => text).join("; "));

  const again = new LmdbStore({ directory });
  if (marksOf(again, await again.open()).join() !== marks.join())
    throw new Error("Writing changed what is there.");
  await again.close({ clean: true });
  return { marks, longestReadMs: Math.max(store.longestReadMs, again.longestReadMs) };
}

for await (const directory of createInterface({ input: process.stdin })) {
  const answer = await examine(directory).catch((error: Error) => ({
    problem: error.stack ?? error.message,
  }));
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
