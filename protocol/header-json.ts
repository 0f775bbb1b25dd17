import { base64Decode, base64Encode } from "./base64.ts";
import { PosthornError } from "./errors.ts";
import type { Headers, HeaderValue } from "./header-value.ts";
import { headerNameProblem, isTable, maxHeaderDepth } from "./headers.ts";

/**
 * Headers in JSON frames. What JSON has is written as it is; the rest as an object with one key that begins with `$`:
 * `{"$bytes":"…base64…"}`, `{"$timestamp":ms}`, `{"$integer":"…"}` beyond 2^53 − 1, `{"$double":"NaN"}` for what JSON
 * cannot write. A table that happens to look like that is wrapped: `{"$table":{…}}`.
 *
 * @throws PosthornError `invalid-argument` for what headers cannot hold, as the binary codec does.
 */
export function headersToJson(headers: Headers, depth = 0): { [name: string]: unknown } {
  if (depth > maxHeaderDepth) throw notHeaders(`Headers are nested deeper than ${maxHeaderDepth} levels.`);
  const json: { [name: string]: unknown } = {};
  for (const name of Object.keys(headers)) {
    const problem = headerNameProblem(name);
    if (problem !== undefined) throw notHeaders(`Header ${JSON.stringify(name.slice(0, 80))} ${problem}.`);
    json[name] = valueToJson(headers[name] as HeaderValue, depth, name);
  }
  return json;
}

function valueToJson(value: HeaderValue, depth: number, name: string): unknown {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "bigint") {
    const narrow = Number(value);
    if (Number.isSafeInteger(narrow)) return narrow;
    if (BigInt.asIntN(64, value) !== value)
      throw notHeaders(`Header ${name} is an integer of more than 64 bits.`);
    return { $integer: value.toString() };
  }
  if (typeof value === "number") {
    if (Object.is(value, -0)) return { $double: "-0" };
    return Number.isFinite(value) ? value : { $double: String(value) };
  }
  if (value instanceof Uint8Array) return { $bytes: base64Encode(value) };
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw notHeaders(`Header ${name} is an invalid Date.`);
    return { $timestamp: value.getTime() };
  }
  if (Array.isArray(value)) {
    if (depth >= maxHeaderDepth) throw notHeaders(`Headers are nested deeper than ${maxHeaderDepth} levels.`);
    return (value as readonly HeaderValue[]).map((item) => valueToJson(item, depth + 1, name));
  }
  if (!isTable(value)) throw notHeaders(`Header ${name} is of a kind that headers cannot hold.`);
  const table = headersToJson(value, depth + 1);
  const names = Object.keys(table);
  return names.length === 1 && names[0]!.startsWith("$") ? { $table: table } : table;
}

function notHeaders(message: string): PosthornError {
  return new PosthornError("invalid-argument", message);
}

function invalid(message: string): PosthornError {
  return new PosthornError("invalid-frame", message);
}

/** @throws PosthornError `invalid-frame` for what is not headers in JSON. */
export function headersFromJson(json: unknown, depth = 0): Headers {
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw invalid("Headers must be an object.");
  if (depth > maxHeaderDepth) throw invalid(`Headers are nested deeper than ${maxHeaderDepth} levels.`);
  const headers: Record<string, HeaderValue> = {};
  for (const [name, value] of Object.entries(json)) {
    const problem = headerNameProblem(name);
    if (problem !== undefined) throw invalid(`Header ${JSON.stringify(name.slice(0, 80))} ${problem}.`);
    headers[name] = valueFromJson(value, depth);
  }
  return headers;
}

function valueFromJson(json: unknown, depth: number): HeaderValue {
  if (json === null || typeof json === "string" || typeof json === "boolean" || typeof json === "number")
    return json;
  if (Array.isArray(json)) {
    if (depth >= maxHeaderDepth) throw invalid(`Headers are nested deeper than ${maxHeaderDepth} levels.`);
    return json.map((item) => valueFromJson(item, depth + 1));
  }
  const names = Object.keys(json as object);
  const name = names[0];
  if (names.length === 1 && name?.startsWith("$")) {
    return specialFromJson(name, (json as { [name: string]: unknown })[name], depth);
  }
  return headersFromJson(json, depth + 1);
}

function specialFromJson(name: string, value: unknown, depth: number): HeaderValue {
  if (name === "$bytes" && typeof value === "string") return base64Decode(value);
  if (name === "$timestamp" && Number.isInteger(value) && Math.abs(value as number) <= 8.64e15) {
    return new Date(value as number);
  }
  if (name === "$integer" && typeof value === "string" && /^-?\d{1,19}$/.test(value)) {
    const integer = BigInt(value);
    if (BigInt.asIntN(64, integer) === integer) {
      return Number.isSafeInteger(Number(integer)) ? Number(integer) : integer;
    }
  }
  if (
    name === "$double" &&
    (value === "NaN" || value === "Infinity" || value === "-Infinity" || value === "-0")
  ) {
    return Number(value);
  }
  if (name === "$table") return headersFromJson(value, depth + 1);
  throw invalid(`A header has a value ${name} that cannot be read.`);
}
