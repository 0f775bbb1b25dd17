import { PosthornError } from "../protocol/errors.ts";

/**
 * What can be published: a string goes as text, bytes as they are, anything else as JSON. With a content type given, a
 * string is still sent as it is: ready-made JSON text with `application/json`, for example.
 */
export type Body = unknown;

const encoder = new TextEncoder();

/** The content type of a body that is published without one. */
export function contentTypeOf(body: Body): string {
  if (typeof body === "string") return "text/plain; charset=utf-8";
  return isBytes(body) ? "application/octet-stream" : "application/json";
}

/** @throws PosthornError `invalid-argument` for what is neither bytes, nor text, nor has a form in JSON. */
export function encodeBody(body: Body): Uint8Array {
  if (typeof body === "string") return encoder.encode(body);
  if (body instanceof Uint8Array) return body;
  if (ArrayBuffer.isView(body)) return new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
  if (body instanceof ArrayBuffer) return new Uint8Array(body);
  if (typeof Blob !== "undefined" && body instanceof Blob) {
    throw new PosthornError("invalid-argument", "A Blob cannot be published: await its arrayBuffer() first.");
  }
  return encoder.encode(stringify(body));
}

function isBytes(body: Body): boolean {
  return ArrayBuffer.isView(body) || body instanceof ArrayBuffer;
}

function stringify(body: Body): string {
  let text: string | undefined;
  let cause: unknown;
  try {
    text = JSON.stringify(body);
  } catch (error) {
    cause = error;
  }
  if (text !== undefined) return text;
  const error = new PosthornError("invalid-argument", `A body of type ${typeof body} has no form in JSON.`);
  error.cause = cause;
  throw error;
}
