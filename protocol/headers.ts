import { ByteReader, frameError } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { PosthornError } from "./errors.ts";
import type { Headers, HeaderValue } from "./header-value.ts";
import { lengthProblem } from "./names.ts";

/** How a value is marked in binary. Never reused. */
export const headerTags = {
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

/** Maps, buffers and the like have no keys of their own: taken for tables, they would lose their content. */
export function isTable(value: unknown): value is Headers {
  return Object.prototype.toString.call(value) === "[object Object]";
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
      writer.u8(headerTags.string);
      writer.longString(value);
      return;
    case "boolean":
      writer.u8(value ? headerTags.true : headerTags.false);
      return;
    case "number":
      if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
        writer.u8(headerTags.integer);
        writer.integer(value);
      } else {
        writer.u8(headerTags.double);
        writer.f64(value);
      }
      return;
    case "bigint":
      if (value < minInteger || value > maxInteger)
        throw invalid(`Header ${name} is an integer of more than 64 bits.`);
      writer.u8(headerTags.integer);
      writer.integer(value);
      return;
    case "object":
      if (value === null) writer.u8(headerTags.null);
      else writeObject(writer, value, depth, name);
      return;
    default:
      throw invalid(`Header ${name} is of type ${typeof value}, which headers cannot hold.`);
  }
}

function writeObject(writer: ByteWriter, value: HeaderValue & object, depth: number, name: string): void {
  if (value instanceof Uint8Array) {
    writer.u8(headerTags.bytes);
    writer.varint(value.length);
    writer.raw(value);
  } else if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw invalid(`Header ${name} is an invalid Date.`);
    writer.u8(headerTags.timestamp);
    writer.integer(value.getTime());
  } else if (Array.isArray(value)) {
    if (depth >= maxHeaderDepth) throw invalid(`Headers are nested deeper than ${maxHeaderDepth} levels.`);
    writer.u8(headerTags.array);
    writer.varint(value.length);
    for (const item of value as readonly HeaderValue[]) writeValue(writer, item, depth + 1, name);
  } else {
    if (!isTable(value)) throw invalid(`Header ${name} is of a kind that headers cannot hold.`);
    writer.u8(headerTags.table);
    writeTable(writer, value, depth + 1);
  }
}

/** A table's bytes without the entry of this name, which is there. All others stay as they are, byte for byte. */
export function tableWithout(table: Uint8Array, name: string): Uint8Array {
  const reader = new ByteReader(table);
  const shorter = new ByteWriter(table.length);
  shorter.varint(reader.varint() - 1);
  const first = reader.at;
  let start = first;
  while (reader.shortString() !== name) {
    readValue(reader, 0);
    start = reader.at;
  }
  readValue(reader, 0);
  shorter.raw(table.subarray(first, start));
  shorter.raw(table.subarray(reader.at));
  return shorter.written();
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
    case headerTags.null:
      return null;
    case headerTags.false:
      return false;
    case headerTags.true:
      return true;
    case headerTags.integer:
      return reader.integer();
    case headerTags.double:
      return reader.f64();
    case headerTags.string:
      return reader.longString();
    case headerTags.bytes:
      // A copy of its own: the headers may outlive the message. (`slice` of Node's Buffer would be a view.)
      return new Uint8Array(reader.raw(reader.varint()));
    case headerTags.timestamp: {
      const time = new Date(Number(reader.integer()));
      if (Number.isNaN(time.getTime())) throw frameError("A timestamp is out of range.");
      return time;
    }
    case headerTags.array: {
      if (depth >= maxHeaderDepth)
        throw frameError(`Headers are nested deeper than ${maxHeaderDepth} levels.`);
      const count = reader.varint();
      const items: HeaderValue[] = [];
      for (let i = 0; i < count; i++) items.push(readValue(reader, depth + 1));
      return items;
    }
    case headerTags.table:
      return readTable(reader, depth + 1);
    default:
      throw frameError(`A header has a value of unknown kind ${tag}.`);
  }
}
