import type { MessageGroups } from "./arguments.ts";
import type { TextProperty } from "./envelope.ts";
import type { Headers } from "./header-value.ts";

/** Where a message's group key is: part of the argument `messageGroups`. */
export type GroupBy = Required<Pick<MessageGroups, "by">> & Pick<MessageGroups, "name">;

/** What a group key can be read from. */
export interface GroupedMessage {
  readonly routingKey: string;
  property(name: TextProperty): string | undefined;
  headers(): Headers;
}

/**
 * The key of the group that a message belongs to; `undefined` if it belongs to none. Numbers and booleans in a header count as
 * their text; any other value than these and text is no key.
 */
export function groupKey({ by, name = "" }: GroupBy, message: GroupedMessage): string | undefined {
  if (by === "routingKey") return message.routingKey;
  if (by === "property") return message.property(name as TextProperty);
  const headers = message.headers();
  const value = Object.hasOwn(headers, name) ? headers[name] : undefined;
  return value === null || value === undefined || typeof value === "object" ? undefined : String(value);
}
