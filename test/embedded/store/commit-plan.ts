import type {
  Changes,
  DroppedRange,
  NewEntry,
  NewMessage,
  NotedEntry,
  Recovered,
  SettledEntry,
} from "../../../server/embedded/store/store.ts";

/**
 * A sequence of commits in which each follows from its number alone, so that what a store must hold after any of them can
 * be told without asking whoever committed. Every message goes to both queues; seq and id are the same.
 */

export const planQueues = [1, 2] as const;

function size(commit: number): number {
  return 1 + ((commit * 7) % 40);
}

const firstIds = [0, 1];

function firstId(commit: number): number {
  for (let known = firstIds.length; known <= commit; known++)
    firstIds[known] = firstIds[known - 1]! + size(known - 1);
  return firstIds[commit]!;
}

function ids(commit: number): number[] {
  return commit < 1 ? [] : Array.from({ length: size(commit) }, (_, i) => firstId(commit) + i);
}

/** Every hundredth message is large. */
export function planEnvelope(id: number): Buffer {
  const envelope = Buffer.alloc(id % 100 === 0 ? 100_000 : 20 + (id % 200), id % 251);
  envelope.write(`message ${id}`);
  return envelope;
}

function commitOf(id: number): number {
  let commit = 1;
  while (firstId(commit + 1) <= id) commit++;
  return commit;
}

/** Those of every third commit expire together, of the others one in five. */
function expiresAt(commit: number, id: number): number {
  const time = 1_800_000_000_000;
  if (commit % 3 === 0) return time + commit;
  return id % 5 === 0 ? time + id : 0;
}

/** Every fourth message has a note from the beginning; every sixth gets another two commits later, and half of them lose it one after. */
function noteAfter(commit: number, id: number): Buffer | undefined {
  const age = commit - commitOf(id);
  if (age >= 3 && id % 12 === 0) return undefined;
  if (age >= 2 && id % 6 === 0) return Buffer.from(`changed ${id}`);
  return id % 4 === 0 ? Buffer.alloc(1 + (id % 500), id % 251) : undefined;
}

/** What queues hold of their entries beside the messages, after so many commits. */
export function planFacts(commits: number, id: number): { expiresAt: number; note: Buffer | undefined } {
  return { expiresAt: expiresAt(commitOf(id), id), note: noteAfter(commits, id) };
}

/** Only of what is still there. */
function notedBy(commit: number, queue: number): NotedEntry[] {
  const changed = [
    ...ids(commit - 2).filter((id) => id % 6 === 0),
    ...ids(commit - 3).filter((id) => id % 12 === 0),
  ];
  const present = queue === 1 ? changed : changed.filter((id) => id % 50 === 0);
  return present.map((id) => ({ seq: id, note: noteAfter(commit, id) }));
}

/** The first queue loses most soon and the rest late; the second loses most soon and the rest by being dropped. */
function settledBy(commit: number, queue: number): number[] {
  if (queue === 2) return ids(commit - 2).filter((id) => id % 50 !== 0);
  return [...ids(commit - 4).filter((id) => id % 3 !== 0), ...ids(commit - 60).filter((id) => id % 3 === 0)];
}

function droppedBy(commit: number): DroppedRange[] {
  return commit % 100 === 0 ? [{ queue: 2, fromSeq: 0, toSeq: firstId(commit - 50) }] : [];
}

export function commitOfPlan(commit: number): Changes {
  const messages: NewMessage[] = ids(commit).map((id) => ({ id, envelope: planEnvelope(id) }));
  const appended: NewEntry[] = messages.map(({ id, envelope }) => {
    return {
      seq: id,
      messageId: id,
      flags: 0,
      bytes: envelope.length,
      priority: 0,
      expiresAt: expiresAt(commit, id),
      note: noteAfter(commit, id),
    };
  });
  const queues = planQueues.map((queue) => {
    const settled: SettledEntry[] = settledBy(commit, queue).map((id) => ({ seq: id, messageId: id }));
    return {
      queue,
      counters: { nextSeq: firstId(commit + 1), messages: 0, bytes: 0 },
      appended,
      settled,
      attempted: [],
      noted: notedBy(commit, queue),
    };
  });
  return { messages, queues, dropped: droppedBy(commit), records: [{ key: "plan", value: { commit } }] };
}

/** How many commits of the plan there are in what was recovered. */
export function commitsApplied(recovered: Recovered): number {
  return (recovered.records.get("plan") as { commit: number } | undefined)?.commit ?? 0;
}

/** The seqs a queue holds after so many commits. */
export function planHolds(commits: number, queue: number): number[] {
  const present = new Set<number>();
  for (let commit = 1; commit <= commits; commit++) {
    for (const { fromSeq, toSeq } of droppedBy(commit).filter((range) => range.queue === queue)) {
      for (const seq of present) if (seq >= fromSeq && seq <= toSeq) present.delete(seq);
    }
    for (const id of settledBy(commit, queue)) present.delete(id);
    for (const id of ids(commit)) present.add(id);
  }
  return [...present];
}

export function planNextId(commits: number): number {
  return firstId(commits + 1);
}
