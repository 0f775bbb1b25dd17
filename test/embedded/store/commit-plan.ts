import type {
  Changes,
  DroppedRange,
  NewEntry,
  NewMessage,
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
      expiresAt: 0,
      note: undefined,
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
      noted: [],
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
