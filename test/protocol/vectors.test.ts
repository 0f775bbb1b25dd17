import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { decodeMessageFrames, writeMessageFrame } from "../../protocol/binary-codec.ts";
import { ByteWriter } from "../../protocol/byte-writer.ts";
import { type MessageFrame, messageFrames, requests } from "../../protocol/frames.ts";
import { type JsonFrame, messageFrameFromJson, messageFrameToJson } from "../../protocol/json-codec.ts";
import { errorVectors, schemaVectors, tableVector } from "../../scripts/vector-tables.ts";
import { frameValidators, replyValidators } from "./frame-validators.ts";

function load<T>(file: string): T {
  return JSON.parse(readFileSync(join(import.meta.dirname, "..", "vectors", file), "utf8")) as T;
}

function hexOf(frame: MessageFrame): string {
  const writer = new ByteWriter();
  writeMessageFrame(writer, frame);
  return Buffer.from(writer.written()).toString("hex");
}

function bytesOf(hex: string): Uint8Array {
  expect(hex).toMatch(/^(?:[0-9a-f]{2})+$/);
  return Uint8Array.from(Buffer.from(hex, "hex"));
}

interface FrameVector {
  readonly name: string;
  readonly json: JsonFrame;
  readonly binaryHex: string;
}

describe("frames.json", () => {
  const vectors = load<FrameVector[]>("frames.json");

  test("has every type of message frame and no name twice", () => {
    expect(new Set(vectors.map(({ json }) => json.type))).toEqual(new Set(Object.keys(messageFrames)));
    expect(new Set(vectors.map(({ name }) => name)).size).toBe(vectors.length);
  });

  test.each(vectors)("$name: the bytes read as the JSON", ({ json, binaryHex }) => {
    const frames = decodeMessageFrames(bytesOf(binaryHex));
    expect(frames.map((frame) => JSON.parse(JSON.stringify(messageFrameToJson(frame))))).toStrictEqual([
      json,
    ]);
  });

  test.each(vectors)("$name: the JSON is written as the bytes", ({ json, binaryHex }) => {
    const validate = frameValidators.get(json.type)!;
    expect(validate(json), JSON.stringify(validate.errors)).toBe(true);
    expect(hexOf(messageFrameFromJson(json))).toBe(binaryHex);
  });

  test("all together in one WebSocket message, they are read one after the other", () => {
    const bytes = bytesOf(vectors.map(({ binaryHex }) => binaryHex).join(""));
    expect(decodeMessageFrames(bytes).map(hexOf)).toEqual(vectors.map(({ binaryHex }) => binaryHex));
  });

  test("each is refused when its last byte is missing", () => {
    for (const { name, binaryHex } of vectors) {
      expect(() => decodeMessageFrames(bytesOf(binaryHex.slice(0, -2))), name).toThrow(
        expect.objectContaining({ code: "frame-error" }),
      );
    }
  });
});

describe("refused.json", () => {
  const vectors = load<{ name: string; binaryHex: string }[]>("refused.json");

  test.each(vectors)("$name: refused with frame-error", ({ binaryHex }) => {
    expect(() => decodeMessageFrames(bytesOf(binaryHex))).toThrow(
      expect.objectContaining({ name: "PosthornError", code: "frame-error" }),
    );
  });
});

describe("tolerated.json", () => {
  const vectors = load<{ name: string; binaryHex: string; json: JsonFrame[] }[]>("tolerated.json");

  test.each(vectors)("$name", ({ json, binaryHex }) => {
    expect(decodeMessageFrames(bytesOf(binaryHex)).map(messageFrameToJson)).toEqual(json);
  });
});

describe("control-frames.json", () => {
  interface ControlVector {
    readonly name: string;
    readonly from: "client" | "broker";
    readonly answers?: string;
    readonly json: { readonly type: string };
    readonly fits: boolean;
  }
  const vectors = load<ControlVector[]>("control-frames.json");

  test("has every request, every answer and every other control frame", () => {
    const names = (wanted: (vector: ControlVector) => boolean) =>
      new Set(vectors.filter((vector) => vector.fits && wanted(vector)).map(({ json }) => json.type));
    expect(names(({ from }) => from === "client")).toEqual(new Set([...Object.keys(requests), "heartbeat"]));
    expect(names(({ from, answers }) => from === "broker" && answers === undefined)).toEqual(
      new Set([
        "heartbeat",
        "error",
        "consumer.cancelled",
        "consumer.active",
        "delivery.expired",
        "consumer.conflated",
        "goaway",
        "blocked",
        "unblocked",
      ]),
    );
    expect(new Set(vectors.flatMap(({ answers }) => answers ?? []))).toEqual(new Set(Object.keys(requests)));
  });

  test.each(vectors)("$name: fits its schema: $fits", ({ answers, json, fits }) => {
    const validate = answers === undefined ? frameValidators.get(json.type)! : replyValidators.get(answers)!;
    expect(validate(json), JSON.stringify(validate.errors)).toBe(fits);
  });
});

describe("what is pinned", () => {
  test("errors.json: codes, numbers, close codes and AMQP's reply codes", () => {
    expect(errorVectors).toEqual(load("errors.json"));
  });

  test("table.json: codes of frames and outcomes, flags, tags of header values", () => {
    expect(tableVector).toEqual(load("table.json"));
  });

  test("schemas.json: the fields of every frame", () => {
    expect(schemaVectors).toEqual(load("schemas.json"));
  });
});
