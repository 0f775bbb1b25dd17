import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";

/** On every reply. A reply that needs more, such as a page with its style, overrides what it needs. */
const securityHeaders: OutgoingHttpHeaders = {
  "content-security-policy":
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

/** Sends a whole reply; to `HEAD` its headers alone. */
export function reply(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  headers: OutgoingHttpHeaders,
  body: string | Uint8Array,
): void {
  const length = typeof body === "string" ? Buffer.byteLength(body) : body.length;
  response.writeHead(status, {
    ...securityHeaders,
    ...(status === 304 ? {} : { "content-length": length }),
    ...headers,
  });
  response.end(request.method === "HEAD" || status === 304 ? undefined : body);
}

export function replyJson(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: OutgoingHttpHeaders = {},
): void {
  const type = { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" };
  reply(request, response, status, { ...type, ...headers }, `${JSON.stringify(value)}\n`);
}

/** `{ "error": { "code", "message" } }`, the form of all errors over HTTP. */
export function replyError(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  code: string,
  message: string,
  headers?: OutgoingHttpHeaders,
): void {
  replyJson(request, response, status, { error: { code, message } }, headers);
}
