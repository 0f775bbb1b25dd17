import { headersToJson } from "../protocol/header-json.ts";
import type { Headers } from "../protocol/header-value.ts";
import type { RequestContent } from "./session.ts";

export interface BindOptions {
  /** Part of the binding's identity. Headers exchanges match by them. */
  readonly arguments?: Headers;
  readonly signal?: AbortSignal;
}

/** What a binding says besides what it connects, as frames have it. */
export type BindingTerms = Pick<RequestContent<"queue.bind">, "routingKey" | "arguments">;

export function bindingTerms(routingKey: string, { arguments: table }: BindOptions): BindingTerms {
  return { routingKey, ...(table !== undefined && { arguments: headersToJson(table) }) };
}
