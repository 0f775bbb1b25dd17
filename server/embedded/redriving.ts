import { EnvelopeHead } from "../../protocol/envelope.ts";
import type { MessageState, RedriveCount, RedriveOptions, RedriveResult } from "../engine/engine.ts";
import { asPublished } from "./dead-letters.ts";
import { readHistory } from "./death-history.ts";
import type { Entry } from "./entry.ts";
import type { Message } from "./message.ts";
import { MessageMatcher } from "./message-matcher.ts";
import type { Queue } from "./queue.ts";
import { QueueWalk } from "./queue-walk.ts";

/** What redriving needs of its surroundings. */
export interface RedriveHost {
  /** `undefined` if there is none, or none that whoever redrives may use. */
  findQueue(name: string): Queue | undefined;
  /** A message was added to a queue. */
  added(message: Message, queue: Queue): void;
}

/**
 * Redrives a bounded number of messages. What is taken away here and added there happens in one turn of the event loop, so it is
 * in one commit: after a crash each message is in one of the two queues. The message is not written again, its history goes
 * with it, and its attempts begin anew.
 */
export function redrive(source: Queue, options: RedriveOptions, host: RedriveHost): RedriveResult {
  const { to, filter, mode, dryRun, limit, cursor } = options;
  const walk = new QueueWalk(source, cursor);
  const matcher = new MessageMatcher(filter);
  const head = new EnvelopeHead();
  const counts = new Counts();
  let redriven = 0;
  for (const shown of walk.entries()) {
    const entry = matcher.matches(shown) ? movable(source, shown, filter.state) : undefined;
    if (entry === undefined) continue;
    const death = readHistory(entry.history).deaths?.[0];
    const name = to ?? death?.queue;
    const target = name === undefined ? undefined : host.findQueue(name);
    const isMissing = target === undefined || target === source;
    counts.add(name, death?.reason, isMissing ? "missing" : "redriven");
    if (isMissing) continue;
    if (!dryRun) {
      head.read(entry.envelope);
      const message = asPublished(entry, head.persistent);
      if (mode === "move") source.deleteFound(entry);
      // What came back with a reason has a history, too; only what died has lost its expiration.
      if (death === undefined) target.enqueue(message, head.expiration, entry.history);
      else target.addDeadLetter(message, entry.history!);
      host.added(message, target);
    }
    if (++redriven === limit) break;
  }
  return { redriven, examined: walk.examined, counts: counts.list, cursor: walk.cursor };
}

/** The entry that was shown, if it may leave: one that is ready or, if they are asked for, set aside. @throws StoreError */
function movable(source: Queue, shown: Entry, asked: MessageState | undefined): Entry | undefined {
  // What came in from a target that is full may have pushed it out.
  if (shown.state === "ready") return source.hasReady(shown) ? shown : undefined;
  return shown.state === asked ? source.asideAt(shown) : undefined;
}

class Counts {
  readonly list: { -readonly [K in keyof RedriveCount]: RedriveCount[K] }[] = [];

  add(
    target: RedriveCount["target"],
    reason: RedriveCount["reason"],
    outcome: RedriveCount["outcome"],
  ): void {
    const isSame = (row: RedriveCount) =>
      row.target === target && row.reason === reason && row.outcome === outcome;
    const row = this.list.find(isSame);
    if (row === undefined) this.list.push({ target, reason, outcome, messages: 1 });
    else row.messages++;
  }
}
