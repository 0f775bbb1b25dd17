import { base64Decode, base64Encode } from "./base64.ts";
import type { DeliveryHistory, NackReason } from "./delivery-history.ts";
import { type ErrorCode, PosthornError } from "./errors.ts";
import type { MessageFrame, Outcome } from "./frames.ts";
import { headersFromJson, headersToJson } from "./header-json.ts";
import type { Message, MessageProperties } from "./message.ts";
import type { jsonMessage } from "./message-fields.ts";
import type { InferFields } from "./schema.ts";

/** A message in JSON frames, with `json`, `text` or `base64`. */
export type JsonMessage = InferFields<typeof jsonMessage>;

/** A message frame in JSON, as the table of frames describes it. */
export type JsonFrame = { readonly type: string } & { readonly [field: string]: unknown };

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** How deep a body may be nested to travel as `json`. Deeper ones travel as `text` or `base64`. */
export const maxJsonDepth = 128;

const jsonType = /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i;
const textType = /^text\//i;

/** Whether a body of this content type is JSON: `application/json` or `application/…+json`. */
export function isJsonType(contentType: string | undefined): boolean {
  return contentType !== undefined && jsonType.test(contentType);
}

export function isTextType(contentType: string | undefined): boolean {
  return contentType !== undefined && textType.test(contentType);
}

/** A message frame for a client that speaks JSON. */
export function messageFrameToJson(frame: MessageFrame): JsonFrame {
  switch (frame.type) {
    case "publish": {
      const { type, number, mandatory, confirm } = frame;
      return {
        type,
        number,
        ...(mandatory && { mandatory }),
        ...(!confirm && { confirm }),
        ...messageToJson(frame.message),
      };
    }
    case "deliver": {
      const { type, consumer, delivery, redelivered, attempts, history } = frame;
      return {
        type,
        consumer,
        ...(delivery !== undefined && { delivery }),
        ...(redelivered && { redelivered }),
        ...(attempts !== undefined && { attempts }),
        ...history,
        ...messageToJson(frame.message),
      };
    }
    case "confirm":
      return { type: frame.type, first: frame.first, last: frame.last, ...frame.error };
    case "return":
      return { type: frame.type, number: frame.number, ...frame.error, ...messageToJson(frame.message) };
    case "settle":
      return { ...frame };
  }
}

/**
 * Reads a message frame from JSON that fits its schema.
 * @throws PosthornError `invalid-frame` for what a schema cannot say: ranges, bodies, base64, headers.
 */
export function messageFrameFromJson(json: JsonFrame): MessageFrame {
  switch (json.type as MessageFrame["type"]) {
    case "publish":
      return {
        type: "publish",
        number: json.number as number,
        mandatory: (json.mandatory as boolean | undefined) ?? false,
        confirm: (json.confirm as boolean | undefined) ?? true,
        message: messageFromJson(json),
      };
    case "deliver":
      return {
        type: "deliver",
        consumer: json.consumer as number,
        delivery: json.delivery as number | undefined,
        redelivered: (json.redelivered as boolean | undefined) ?? false,
        attempts: json.attempts as number | undefined,
        ...historyFromJson(json),
        message: messageFromJson(json),
      };
    case "confirm":
      return {
        type: "confirm",
        ...rangeFromJson(json),
        error: json.code === undefined ? undefined : errorFromJson(json),
      };
    case "return":
      return {
        type: "return",
        number: json.number as number,
        error: errorFromJson(json),
        message: messageFromJson(json),
      };
    case "settle":
      return {
        type: "settle",
        consumer: json.consumer as number,
        ...rangeFromJson(json),
        outcome: json.outcome as Outcome,
        ...(json.delay !== undefined && { delay: json.delay as number }),
        ...(json.reason !== undefined && { reason: json.reason as NackReason }),
      };
    default:
      throw new PosthornError(
        "unknown-frame-type",
        `There is no message frame of type ${JSON.stringify(json.type.slice(0, 80))}.`,
      );
  }
}

function historyFromJson({ deaths, firstDeath, nackReason }: JsonFrame): { history?: DeliveryHistory } {
  const history = {
    ...(deaths !== undefined && { deaths }),
    ...(firstDeath !== undefined && { firstDeath }),
    ...(nackReason !== undefined && { nackReason }),
  };
  return Object.keys(history).length === 0 ? {} : { history: history as DeliveryHistory };
}

function rangeFromJson(json: JsonFrame): { first: number; last: number } {
  const first = json.first as number;
  const last = json.last as number;
  if (last < first) throw new PosthornError("invalid-frame", "A range ends before it begins: last < first.");
  return { first, last };
}

function errorFromJson(json: JsonFrame): { code: ErrorCode; message: string } {
  return { code: json.code as ErrorCode, message: (json.message as string | undefined) ?? "" };
}

function messageToJson(message: Message): JsonMessage {
  return { ...addressToJson(message), ...bodyToJson(message) };
}

function addressToJson({ exchange, routingKey, properties: { headers, ...rest } }: Message): JsonMessage {
  const properties = { ...rest, ...(headers !== undefined && { headers: headersToJson(headers) }) };
  return { exchange, routingKey, properties };
}

/** A message in JSON frames of which no more than a part of the body may be wanted. */
export function messageToJsonUpTo(maxBodyBytes: number, message: Message): JsonMessage & { cut?: true } {
  const { body } = message;
  if (body.length <= maxBodyBytes) return messageToJson(message);
  // Half of a text or of a JSON value may be another one.
  return { ...addressToJson(message), base64: base64Encode(body.subarray(0, maxBodyBytes)), cut: true };
}

/** JSON and text are shown as such if their bytes survive the way there and back; everything else is base64. */
function bodyToJson({ properties: { contentType, contentEncoding }, body }: Message): {
  [field: string]: unknown;
} {
  if (contentEncoding === undefined && (isJsonType(contentType) || isTextType(contentType))) {
    try {
      const text = decoder.decode(body);
      if (isTextType(contentType)) return { text };
      const json = JSON.parse(text) as unknown;
      // Numbers beyond a double, doubled keys or odd spacing would be changed: such a body stays as it is.
      if (!isDeeperThan(json, maxJsonDepth) && JSON.stringify(json) === text) return { json };
    } catch {
      // Not what the content type says: shown as bytes.
    }
  }
  return { base64: base64Encode(body) };
}

/** `JSON.parse` reads any depth, but `JSON.stringify` runs out of stack. */
export function isDeeperThan(json: unknown, depth: number): boolean {
  if (typeof json !== "object" || json === null) return false;
  return depth === 0 || Object.values(json).some((inner) => isDeeperThan(inner, depth - 1));
}

/**
 * Reads a message from JSON that fits its schema.
 * @throws PosthornError `invalid-frame` for what a schema cannot say.
 */
export function messageFromJson(json: { readonly [field: string]: unknown }): Message {
  const given = (json.properties ?? {}) as { [name: string]: unknown };
  const properties: Record<string, unknown> = { ...given, persistent: given.persistent ?? true };
  if (given.headers !== undefined) properties.headers = headersFromJson(given.headers);
  const bodies = (["json", "text", "base64"] as const).filter((form) => json[form] !== undefined);
  const form = bodies[0];
  if (form === undefined || bodies.length > 1) {
    throw new PosthornError("invalid-frame", "A message has exactly one of json, text and base64.");
  }
  const value = json[form];
  if (form === "base64") return message(json, properties, base64Decode(value as string));
  if (form === "json" && isDeeperThan(value, maxJsonDepth)) {
    throw new PosthornError("invalid-frame", `The body is nested deeper than ${maxJsonDepth} levels.`);
  }
  properties.contentType ??= form === "json" ? "application/json" : "text/plain";
  return message(
    json,
    properties,
    encoder.encode(form === "json" ? JSON.stringify(value) : (value as string)),
  );
}

function message(
  json: { readonly [field: string]: unknown },
  properties: Record<string, unknown>,
  body: Uint8Array,
): Message {
  return {
    exchange: json.exchange as string,
    routingKey: json.routingKey as string,
    properties: properties as unknown as MessageProperties,
    body,
  };
}
