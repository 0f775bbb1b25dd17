import type { ReleaseOptions, ReleaseResult } from "../engine/engine.ts";
import { MessageMatcher } from "./message-matcher.ts";
import type { Queue } from "./queue.ts";
import { QueueWalk } from "./queue-walk.ts";

/** Makes a bounded number of messages ready that are set aside. @throws StoreError; PosthornError as `browse`. */
export function release(queue: Queue, { filter, limit, cursor }: ReleaseOptions): ReleaseResult {
  const walk = new QueueWalk(queue, cursor);
  const matcher = new MessageMatcher(filter);
  let released = 0;
  for (const shown of walk.entries()) {
    const entry = matcher.matches(shown) ? queue.asideAt(shown) : undefined;
    if (entry === undefined) continue;
    queue.releaseAside(entry);
    if (++released === limit) break;
  }
  return { released, examined: walk.examined, cursor: walk.cursor };
}
