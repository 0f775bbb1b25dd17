import { type ByteReader, frameError } from "./byte-reader.ts";
import type { ByteWriter } from "./byte-writer.ts";
import { PosthornError } from "./errors.ts";
import type { Headers, HeaderValue } from "./header-value.ts";
import { lengthProblem } from "./names.ts";

/** How a value is marked in binary. Never reused. */
const tags = {
  null: 0,
  false: 1,
  true: 2,
  integer: 3,
  double: 4,
  string: 5,
  bytes: 6,
  timestamp: 7,
  array: 8,
  table: 9,
} as const;

/** How deep arrays and tables may be nested. */
export const maxHeaderDepth = 32;

const minInteger = -(2n ** 63n);
const maxInteger = 2n ** 63n - 1n;

/** Names that would reach an object's prototype somewhere on the way. */
const forbiddenNames = new Set(["__proto__", "constructor", "prototype"]);

/** What is wrong with a header's name, as the end of a sentence. */
export function headerNameProblem(name: string): string | undefined {
  if (forbiddenNames.has(name)) return "is not allowed as a name";
  return lengthProblem(name);
}

function invalid(message: string): PosthornError {
  return new PosthornError("invalid-argument", message);
}

/** @throws PosthornError `invalid-argument` for what headers cannot hold: functions, undefined, names too long, … */
export function writeTable(writer: ByteWriter, table: Headers, depth = 0): void {
  if (depth > maxHeaderDepth) throw invalid(`Headers are nested deeper than ${maxHeaderDepth} levels.`);
  const names = Object.keys(table);
  writer.varint(names.length);
  for (const name of names) {
    const problem = headerNameProblem(name);
    if (problem !== undefined) throw invalid(`Header ${JSON.stringify(name.slice(0, 80))} ${problem}.`);
    writer.shortString(name);
    writeValue(writer, table[name] as HeaderValue, depth, name);
  }
}

function writeValue(writer: ByteWriter, value: HeaderValue, depth: number, name: string): void {
  switch (typeof value) {
    case "string":
      writer.u8(tags.string);
      writer.longString(value);
      return;
    case "boolean":
      writer.u8(value ? tags.true : tags.false);
      return;
    case "number":
      if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
        writer.u8(tags.integer);
        writer.signed(BigInt(value));
      } else {
        writer.u8(tags.double);
        writer.f64(value);
      }
      return;
    case "bigint":
      if (value < minInteger || value > maxInteger)
        throw invalid(`Header ${name} is an integer of more than 64 bits.`);
      writer.u8(tags.integer);
      writer.signed(value);
      return;
    case "object":
      if (value === null) writer.u8(tags.null);
      else writeObject(writer, value, depth, name);
      return;
    default:
      throw invalid(`Header ${name} is of type ${typeof value}, which headers cannot hold.`);
  }
}

function writeObject(writer: ByteWriter, value: HeaderValue & object, depth: number, name: string): void {
  if (value instanceof Uint8Array) {
    writer.u8(tags.bytes);
    writer.varint(value.length);
    writer.raw(value);
  } else if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw invalid(`Header ${name} is an invalid Date.`);
    writer.u8(tags.timestamp);
    writer.signed(BigInt(value.getTime()));
  } else if (Array.isArray(value)) {
    if (depth >= maxHeaderDepth) throw invalid(`Headers are nested deeper than ${maxHeaderDepth} levels.`);
    writer.u8(tags.array);
    writer.varint(value.length);
    for (const item of value as readonly HeaderValue[]) writeValue(writer, item, depth + 1, name);
  } else {
    writer.u8(tags.table);
    writeTable(writer, value as Headers, depth + 1);
  }
}

/** @throws PosthornError `frame-error` if the bytes are not a table. */
export function readTable(reader: ByteReader, depth = 0): Headers {
  if (depth > maxHeaderDepth) throw frameError(`Headers are nested deeper than ${maxHeaderDepth} levels.`);
  const count = reader.varint();
  const table: Record<string, HeaderValue> = {};
  for (let i = 0; i < count; i++) {
    const name = reader.shortString();
    if (forbiddenNames.has(name)) throw frameError(`A header's name ${headerNameProblem(name)}: ${name}.`);
    if (Object.hasOwn(table, name)) throw frameError(`Header ${JSON.stringify(name)} is there twice.`);
    table[name] = readValue(reader, depth);
  }
  return table;
}

function readValue(reader: ByteReader, depth: number): HeaderValue {
  const tag = reader.u8();
  switch (tag) {
    case tags.null:
      return null;
    case tags.false:
      return false;
    case tags.true:
      return true;
    case tags.integer: {
      const value = reader.signed();
      return BigInt.asIntN(54, value) === value && Number.isSafeInteger(Number(value))
        ? Number(value)
        : value;
    }
    case tags.double:
      return reader.f64();
    case tags.string:
      return reader.longString();
    case tags.bytes:
      return reader.raw(reader.varint()).slice();
    case tags.timestamp: {
      const time = new Date(Number(reader.signed()));
      if (Number.isNaN(time.getTime())) throw frameError("A timestamp is out of range.");
      return time;
    }
    case tags.array: {
      if (depth >= maxHeaderDepth)
        throw frameError(`Headers are nested deeper than ${maxHeaderDepth} levels.`);
      const count = reader.varint();
      const items: HeaderValue[] = [];
      for (let i = 0; i < count; i++) items.push(readValue(reader, depth + 1));
      return items;
    }
    case tags.table:
      return readTable(reader, depth + 1);
    default:
      throw frameError(`A header has a value of unknown kind ${tag}.`);
  }
}
