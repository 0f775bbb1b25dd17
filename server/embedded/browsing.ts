import type { BrowsedMessage, BrowseOptions, BrowsePage, MessageState } from "../engine/engine.ts";
import type { Entry } from "./entry.ts";
import { MessageMatcher } from "./message-matcher.ts";
import type { Queue } from "./queue.ts";
import { positionOf } from "./queue-positions.ts";
import { QueueWalk } from "./queue-walk.ts";

/** Shows what a queue has, and changes nothing. @throws StoreError; PosthornError `invalid-argument` for a wrong cursor. */
export function browse(queue: Queue, { cursor, limit, filter }: BrowseOptions): BrowsePage {
  const walk = new QueueWalk(queue, cursor);
  const matcher = new MessageMatcher(filter);
  const messages: BrowsedMessage[] = [];
  for (const entry of walk.entries()) {
    if (!matcher.matches(entry)) continue;
    messages.push(shown(entry));
    if (messages.length === limit) break;
  }
  return { messages, examined: walk.examined, cursor: walk.cursor };
}

function shown(entry: Entry): BrowsedMessage {
  const { envelope, redelivered, attempts, history, expiresAt, delayedUntil } = entry;
  const state = entry.state as MessageState;
  const position = positionOf(entry);
  return { position, state, envelope, redelivered, attempts, history, expiresAt, delayedUntil };
}
