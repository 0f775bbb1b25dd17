import { BrowsedMessage } from "./browsed-message.ts";
import type { Connection } from "./connection.ts";
import { filterContent, type MessageFilter } from "./message-filter.ts";
import type { QueueName } from "./queue-name.ts";

export interface BrowseOptions {
  /** Which messages to show. Default: all. */
  readonly filter?: MessageFilter;
  /** Longer bodies are cut. 0 to 1,048,576; default 4096. */
  readonly maxBodyBytes?: number;
  /** Ends the loop with the error `aborted`. */
  readonly signal?: AbortSignal;
}

export interface BrowsePageOptions extends BrowseOptions {
  /** Of the page before. Default: from the front. */
  readonly cursor?: string;
  /** Most messages of the page, 1 to 1000. Default 100. */
  readonly limit?: number;
}

export interface BrowsePage {
  readonly messages: readonly BrowsedMessage[];
  /** Messages that the broker looked at for this page. */
  readonly examined: number;
  /** Where the next page begins, whatever happens to the queue meanwhile; `undefined`: this was the last. */
  readonly cursor: string | undefined;
}

export async function browsePage(
  connection: Connection,
  queue: QueueName,
  { filter, maxBodyBytes, cursor, limit, signal }: BrowsePageOptions,
): Promise<BrowsePage> {
  const content = {
    queue: queue.current,
    ...filterContent(filter),
    ...(maxBodyBytes !== undefined && { maxBodyBytes }),
    ...(cursor !== undefined && { cursor }),
    ...(limit !== undefined && { limit }),
  };
  const reply = await connection.request("queue.browse", content, { signal, repeatable: true });
  return {
    messages: reply.messages.map((message) => new BrowsedMessage(message)),
    examined: reply.examined,
    cursor: reply.cursor,
  };
}

export async function* browse(
  connection: Connection,
  queue: QueueName,
  options: BrowseOptions,
): AsyncGenerator<BrowsedMessage, void, undefined> {
  let cursor: string | undefined;
  do {
    const page = await browsePage(connection, queue, { ...options, ...(cursor !== undefined && { cursor }) });
    yield* page.messages;
    cursor = page.cursor;
  } while (cursor !== undefined);
}
