import { headersToJson } from "../protocol/header-json.ts";
import type { Headers, HeaderValue } from "../protocol/header-value.ts";

/** The field `arguments` of a request, without what is `undefined`; no field if nothing is left. */
export function argumentsContent(args: { readonly [name: string]: HeaderValue | undefined }): {
  readonly arguments?: { readonly [name: string]: unknown };
} {
  const given = Object.entries(args).filter(([, value]) => value !== undefined);
  return given.length === 0 ? {} : { arguments: headersToJson(Object.fromEntries(given) as Headers) };
}
