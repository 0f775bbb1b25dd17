import type { Connection } from "./connection.ts";
import { filterContent, type MessageFilter } from "./message-filter.ts";
import type { QueueName } from "./queue-name.ts";

export interface ReleaseMessagesOptions {
  /** Which messages. `state` is `parked`, the default, or `delayed`. Default: all that are parked. */
  readonly filter?: Omit<MessageFilter, "state"> & { readonly state?: "parked" | "delayed" };
  /** Most messages that are released, at least 1. Default: no limit. */
  readonly limit?: number;
  /** Ends it after the step under way, with the error `aborted`. */
  readonly signal?: AbortSignal;
}

/** Most messages in one step: few enough that others have their turn. */
const stepMessages = 256;

export async function releaseMessages(
  connection: Connection,
  queue: QueueName,
  { filter, limit = Number.POSITIVE_INFINITY, signal }: ReleaseMessagesOptions,
): Promise<number> {
  const content = { queue: queue.current, ...filterContent(filter) };
  let released = 0;
  let cursor: string | undefined;
  do {
    const step = {
      ...content,
      limit: Math.min(limit - released, stepMessages),
      ...(cursor !== undefined && { cursor }),
    };
    // Sent twice, it could release what has been parked again since.
    const reply = await connection.request("queue.release", step, { signal });
    released += reply.released;
    cursor = reply.cursor;
  } while (cursor !== undefined && released < limit);
  return released;
}
