import { inspect, isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { decodeMessageFrames, writeMessageFrame } from "../../protocol/binary-codec.ts";
import { BinaryFrameReader } from "../../protocol/binary-frames.ts";
import { ByteWriter } from "../../protocol/byte-writer.ts";
import { EnvelopeHead } from "../../protocol/envelope.ts";
import { type ErrorCode, PosthornError } from "../../protocol/errors.ts";
import type { MessageFrame } from "../../protocol/frames.ts";
import { type JsonFrame, messageFrameFromJson, messageFrameToJson } from "../../protocol/json-codec.ts";
import { messageFrame } from "./arbitraries.ts";
import { frameValidators } from "./frame-validators.ts";

/** Every failure names the seed; `POSTHORN_FUZZ_SEED=…` runs the same inputs again. */
const seed = Number(process.env.POSTHORN_FUZZ_SEED ?? Date.now() % 2 ** 31);
const binaryRuns = 200_000;
const jsonRuns = 30_000;

/** A small generator of random numbers (mulberry32): fast, and the same from the same seed. */
class Randomness {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** A whole number from 0 to `count` − 1. */
  below(count: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let bits = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) % count;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  bytes(count: number): number[] {
    return Array.from({ length: count }, () => this.below(256));
  }
}

function encode(frame: MessageFrame): Uint8Array {
  const writer = new ByteWriter(256);
  writeMessageFrame(writer, frame);
  return writer.written().slice();
}

// Most inputs end in an error, and taking down the stack is most of what an error costs.
beforeAll(() => {
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = 2;
  return () => {
    Error.stackTraceLimit = before;
  };
});

const frames = fc.sample(messageFrame, { seed, numRuns: 600 });
const encoded = frames.map(encode);

/** Values at which lengths, counts, flags and tags change their meaning. */
const telling = [0x00, 0x01, 0x02, 0x7f, 0x80, 0x81, 0xff, 0xc0, 0xed, 0x08, 0x09];

/** Keeps the length in front of a payload right, so that what is wrong inside is reached. */
function framed(code: number, payload: readonly number[]): number[] {
  const length = new ByteWriter(8);
  length.varint(payload.length);
  return [code, ...length.written(), ...payload];
}

function payloadOf(frame: Uint8Array): number[] {
  let at = 1;
  while (frame[at]! >= 0x80) at++;
  return [...frame.subarray(at + 1)];
}

function mutate(random: Randomness, bytes: number[]): void {
  const at = random.below(bytes.length + 1);
  switch (random.below(6)) {
    case 0:
      if (at < bytes.length) bytes[at]! ^= 1 << random.below(8);
      break;
    case 1:
      if (at < bytes.length) bytes[at] = random.pick(telling);
      break;
    case 2:
      bytes.splice(at, 0, ...random.bytes(1 + random.below(4)));
      break;
    case 3:
      bytes.splice(at, 1 + random.below(4));
      break;
    case 4:
      // A huge number where a small one was.
      bytes.splice(at, 1, ...new Array(random.below(9)).fill(0xff), random.below(128));
      break;
    default:
      bytes.splice(at, 0, ...bytes.slice(random.below(bytes.length + 1)).slice(0, 16));
  }
}

function randomBuffer(random: Randomness): Uint8Array {
  const frame = random.pick(encoded);
  const kind = random.below(10);
  if (kind === 0) return Uint8Array.from(random.bytes(random.below(64)));
  if (kind === 1) return Uint8Array.from(framed(1 + random.below(5), random.bytes(random.below(48))));
  if (kind === 2) return frame.subarray(0, random.below(frame.length + 1));
  if (kind === 3) {
    const other = random.pick(encoded);
    const head = frame.subarray(0, random.below(frame.length + 1));
    return Uint8Array.from([...head, ...other.subarray(random.below(other.length + 1))]);
  }
  const inside = kind < 8;
  const bytes = inside ? payloadOf(frame) : [...frame];
  const mutations = 1 + random.below(3);
  for (let i = 0; i < mutations; i++) mutate(random, bytes);
  return Uint8Array.from(inside ? framed(frame[0]!, bytes) : bytes);
}

/** The result, or `undefined` after an error of the code expected. Any other error goes through. */
function orRefusal<T>(code: ErrorCode, attempt: () => T): T | undefined {
  try {
    return attempt();
  } catch (error) {
    if (error instanceof PosthornError && error.code === code) return undefined;
    throw error;
  }
}

function walk(bytes: Uint8Array): number {
  const reader = new BinaryFrameReader();
  const head = new EnvelopeHead();
  let count = 0;
  reader.start(bytes);
  for (let type = reader.next(); type !== undefined; type = reader.next()) {
    if (type === "publish" || type === "deliver" || type === "return") head.read(reader.envelope);
    count++;
  }
  return count;
}

test(`${binaryRuns} random or damaged buffers are frames or a frame-error, nothing else`, {
  timeout: 60_000,
}, () => {
  const random = new Randomness(seed);
  let read = 0;
  let refused = 0;
  for (let run = 0; run < binaryRuns; run++) {
    const bytes = randomBuffer(random);
    try {
      const decoded = orRefusal("frame-error", () => decodeMessageFrames(bytes));
      const walked = orRefusal("frame-error", () => walk(bytes));
      orRefusal("frame-error", () => new EnvelopeHead().read(bytes));
      if (decoded?.length !== walked) throw new Error("The two ways to read the frames differ.");
      if (decoded === undefined) {
        refused++;
        continue;
      }
      read++;
      for (const frame of decoded) {
        const again = decodeMessageFrames(encode(frame));
        if (!isDeepStrictEqual(again, [frame]))
          throw new Error("What was read reads differently once written.");
      }
    } catch (error) {
      throw new Error(`Seed ${seed}, run ${run}: ${Buffer.from(bytes).toString("hex")}`, { cause: error });
    }
  }
  // Otherwise the mutations are too coarse or too fine to say anything.
  expect(read).toBeGreaterThan(binaryRuns / 20);
  expect(refused).toBeGreaterThan(binaryRuns / 20);
});

/** As text: a value that was put in place must not be changed for the runs after. */
const oddValues: readonly string[] = [
  "null",
  "true",
  "0",
  "-0",
  "-1",
  "1.5",
  "9007199254740992",
  "1e308",
  "1e999",
  '""',
  '"x"',
  JSON.stringify("é".repeat(200)),
  '"\\ud800"',
  '"YQ=="',
  '"*"',
  "[]",
  "[[[]]]",
  "{}",
  '{"$bytes":"*"}',
  '{"$integer":"99999999999999999999"}',
  '{"$table":{"$table":{}}}',
  '{"headers":{"a":{"$timestamp":1e99}}}',
  '{"__proto__":{"polluted":true},"constructor":1}',
  // Deep enough for JSON.stringify to run out of stack.
  `${"[".repeat(10_000)}${"]".repeat(10_000)}`,
];

const fieldNames = [
  ...new Set([
    ...frames.flatMap((frame) => Object.keys(messageFrameToJson(frame))),
    "headers",
    "$bytes",
    "more",
  ]),
];

/** Changes a field somewhere in a JSON value. */
function disturb(random: Randomness, json: { [name: string]: unknown }): void {
  const names = Object.keys(json);
  const name = random.below(4) === 0 || names.length === 0 ? random.pick(fieldNames) : random.pick(names);
  const value = json[name];
  if (typeof value === "object" && value !== null && !Array.isArray(value) && random.below(3) > 0) {
    disturb(random, value as { [name: string]: unknown });
  } else if (random.below(4) === 0) delete json[name];
  else if (random.below(3) === 0) json[name] = randomFrame(random)[name] ?? null;
  else json[name] = JSON.parse(random.pick(oddValues));
}

/** A copy that can be changed. */
function randomFrame(random: Randomness): { [name: string]: unknown } {
  return structuredClone(messageFrameToJson(random.pick(frames)));
}

function randomJson(random: Randomness): JsonFrame {
  const json = randomFrame(random);
  const times = random.below(4);
  for (let i = 0; i < times; i++) disturb(random, json);
  return json as JsonFrame;
}

test(`${jsonRuns} damaged JSON frames are frames or a typed error, nothing else`, { timeout: 60_000 }, () => {
  const random = new Randomness(seed);
  let read = 0;
  let refused = 0;
  for (let run = 0; run < jsonRuns; run++) {
    const json = randomJson(random);
    try {
      const validate = typeof json.type === "string" ? frameValidators.get(json.type) : undefined;
      const frame = validate?.(json)
        ? orRefusal("invalid-frame", () => messageFrameFromJson(json))
        : undefined;
      // A name may fit the schema and still be too long in UTF-8.
      const bytes = frame && orRefusal("invalid-argument", () => encode(frame));
      if (bytes === undefined) {
        refused++;
        continue;
      }
      read++;
      if (decodeMessageFrames(bytes).length !== 1) throw new Error("The frame cannot be read in binary.");
      JSON.stringify(messageFrameToJson(frame as MessageFrame));
    } catch (error) {
      throw new Error(`Seed ${seed}, run ${run}: ${inspect(json, { depth: 6 })}`, { cause: error });
    }
  }
  expect(read).toBeGreaterThan(jsonRuns / 20);
  expect(refused).toBeGreaterThan(jsonRuns / 20);
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});
