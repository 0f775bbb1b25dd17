import type { DeathReason } from "../protocol/delivery-history.ts";
import { headersToJson } from "../protocol/header-json.ts";
import type { Headers } from "../protocol/header-value.ts";

/** Which messages are meant: those that meet every condition given. */
export interface MessageFilter {
  /** What the message is up to: see the `state` that browsing shows. */
  readonly state?: "ready" | "unsettled" | "delayed" | "parked";
  /** A pattern as of a topic exchange, for the routing key that the message was published with. */
  readonly routingKey?: string;
  /** Headers that the message has, with exactly these values. */
  readonly headers?: Headers;
  /** Headers that the message has, with whatever value. */
  readonly headerNames?: readonly string[];
  /**
   * Paths into a JSON body and the values there: `{ "$.customer.country": "FR", "$.items[0].sku": "A-17" }`. Bodies of more than
   * 256 KiB, and those that are not JSON, meet none.
   */
  readonly body?: { readonly [path: string]: unknown };
  /** Paths at which a JSON body has something, if only `null`. */
  readonly bodyPaths?: readonly string[];
  /** The reason of the message's latest death. */
  readonly reason?: DeathReason;
  /** The queue of the message's latest death. */
  readonly diedIn?: string;
}

/** The fields of a request with this filter. */
export function filterContent<State extends MessageFilter["state"]>(
  filter: (Omit<MessageFilter, "state"> & { readonly state?: State }) | undefined,
) {
  if (filter === undefined) return {};
  const { headers, ...rest } = filter;
  return { filter: { ...rest, ...(headers !== undefined && { headers: headersToJson(headers) }) } };
}
