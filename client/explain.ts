import type { TextProperty } from "../protocol/envelope.ts";
import { headersToJson } from "../protocol/header-json.ts";
import type { MessageProperties } from "../protocol/message.ts";
import type { RequestContent } from "./session.ts";

/** What a message has besides its address, as far as exchanges look at it. */
export interface ExplainOptions extends Partial<Pick<MessageProperties, TextProperty | "headers">> {
  /** Most bindings shown and queues named, 1 to 1000. Default 100. */
  readonly limit?: number;
  readonly signal?: AbortSignal;
}

export function explainContent(
  exchange: string,
  routingKey: string,
  { limit, signal: _, headers, ...properties }: ExplainOptions,
): RequestContent<"route.explain"> {
  return {
    exchange,
    routingKey,
    properties: { ...properties, ...(headers !== undefined && { headers: headersToJson(headers) }) },
    ...(limit !== undefined && { limit }),
  };
}
