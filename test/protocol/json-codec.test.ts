import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { base64Decode, base64Encode } from "../../protocol/base64.ts";
import {
  isJsonType,
  isTextType,
  type JsonFrame,
  maxJsonDepth,
  messageFrameFromJson,
  messageFrameToJson,
} from "../../protocol/json-codec.ts";
import type { MessageProperties } from "../../protocol/message.ts";

const invalidFrame = expect.objectContaining({ name: "PosthornError", code: "invalid-frame" });
const utf8 = new TextEncoder();

/** The body's form in a JSON frame. */
function shown(properties: Partial<MessageProperties>, body: Uint8Array | string): unknown {
  const { json, text, base64 } = messageFrameToJson({
    type: "publish",
    number: 1,
    mandatory: false,
    confirm: true,
    message: {
      exchange: "",
      routingKey: "q",
      properties: { persistent: true, ...properties },
      body: typeof body === "string" ? utf8.encode(body) : body,
    },
  });
  return Object.fromEntries(
    Object.entries({ json, text, base64 }).filter(([, value]) => value !== undefined),
  );
}

function publish(fields: object): JsonFrame {
  return { type: "publish", number: 1, exchange: "", routingKey: "q", ...fields };
}

function received(fields: object): { body: string; properties: MessageProperties } {
  const frame = messageFrameFromJson(publish(fields));
  if (frame.type !== "publish") throw new Error("Not a publish.");
  const { body, properties } = frame.message;
  return { body: new TextDecoder("utf-8", { ignoreBOM: true }).decode(body), properties };
}

describe("a body is shown", () => {
  const json = "application/json";

  test.each<[string, Partial<MessageProperties>, string | Uint8Array, unknown]>([
    ["as json if it is", { contentType: json }, '{"a":[1,"é"]}', { json: { a: [1, "é"] } }],
    ["as json with a type that ends in +json", { contentType: "application/geo+json" }, "[]", { json: [] }],
    ["as json if it is null", { contentType: json }, "null", { json: null }],
    ["as base64 if its spacing would change", { contentType: json }, '{"a": 1}', { base64: "eyJhIjogMX0=" }],
    [
      "as base64 if its numbers would change",
      { contentType: json },
      "12345678901234567890",
      { base64: "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=" },
    ],
    [
      "as base64 if a name would go",
      { contentType: json },
      '{"a":1,"a":1}',
      { base64: "eyJhIjoxLCJhIjoxfQ==" },
    ],
    ["as base64 if it only claims to be JSON", { contentType: json }, "{", { base64: "ew==" }],
    [
      "as base64 if it is compressed",
      { contentType: json, contentEncoding: "gzip" },
      "{}",
      { base64: "e30=" },
    ],
    ["as text if it is", { contentType: "text/html; charset=utf-8" }, "<p>é", { text: "<p>é" }],
    ["as text with its byte order mark", { contentType: "text/plain" }, "\ufeffx", { text: "\ufeffx" }],
    [
      "as base64 if it is text that is not UTF-8",
      { contentType: "text/plain" },
      Uint8Array.from([0xe9]),
      { base64: "6Q==" },
    ],
    ["as base64 without a content type", {}, "{}", { base64: "e30=" }],
    ["as base64 with any other content type", { contentType: "image/png" }, "{}", { base64: "e30=" }],
  ])("%s", (_, properties, body, expected) => {
    expect(shown(properties, body)).toEqual(expected);
  });

  test("as base64 if it is nested so deep that writing it could fail", () => {
    const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
    expect(shown({ contentType: json }, nested(maxJsonDepth))).toHaveProperty("json");
    expect(shown({ contentType: json }, nested(maxJsonDepth + 1))).toHaveProperty("base64");
    expect(shown({ contentType: json }, nested(100_000))).toHaveProperty("base64");
  });
});

describe("a body is taken", () => {
  test("from json, and its type is application/json unless given", () => {
    expect(received({ json: { a: 1 } })).toEqual({
      body: '{"a":1}',
      properties: { persistent: true, contentType: "application/json" },
    });
    expect(received({ json: 0, properties: { contentType: "application/geo+json" } })).toMatchObject({
      body: "0",
      properties: { contentType: "application/geo+json" },
    });
  });

  test("from text, and its type is text/plain unless given", () => {
    expect(received({ text: "é" })).toMatchObject({ body: "é", properties: { contentType: "text/plain" } });
    expect(received({ text: "", properties: { contentType: "text/csv" } })).toMatchObject({
      body: "",
      properties: { contentType: "text/csv" },
    });
  });

  test("from base64, and its type stays open", () => {
    expect(received({ base64: "w6k=" })).toEqual({ body: "é", properties: { persistent: true } });
  });

  test.each<[string, object]>([
    ["without a body", {}],
    ["with two bodies", { json: 1, text: "1" }],
    ["with a body that is not base64", { base64: "*" }],
    ["with a body nested too deep", { json: JSON.parse("[".repeat(20_000) + "]".repeat(20_000)) }],
    ["with headers that cannot be read", { text: "", properties: { headers: { a: { $bytes: 1 } } } }],
  ])("not from a frame %s", (_, fields) => {
    expect(() => messageFrameFromJson(publish(fields))).toThrow(invalidFrame);
  });
});

describe("in JSON", () => {
  test.each(["settle", "confirm"])("a range of %s that ends before it begins is refused", (type) => {
    expect(() => messageFrameFromJson({ type, consumer: 1, first: 2, last: 1, outcome: "ack" })).toThrow(
      invalidFrame,
    );
  });

  test("a frame of a type that carries no message is unknown", () => {
    expect(() => messageFrameFromJson({ type: "queue.declare", id: 1 })).toThrow(
      expect.objectContaining({ code: "unknown-frame-type" }),
    );
  });

  test.each<[string | undefined, boolean, boolean]>([
    ["application/json", true, false],
    ["Application/JSON; charset=utf-8", true, false],
    ["application/vnd.api+json", true, false],
    ["application/json-seq", false, false],
    ["application/jsonp", false, false],
    ["text/json", false, true],
    ["TEXT/plain", false, true],
    ["x-text/plain", false, false],
    ["", false, false],
    [undefined, false, false],
  ])("content type %s is JSON: %s, text: %s", (type, json, text) => {
    expect(isJsonType(type)).toBe(json);
    expect(isTextType(type)).toBe(text);
  });

  test("base64 is the standard kind, however long the bytes", () => {
    const lengths = fc.integer({ min: 0, max: 20_000 });
    fc.assert(
      fc.property(lengths, fc.nat(255), (length, first) => {
        const bytes = Uint8Array.from({ length }, (_, i) => (first + i * 7) & 0xff);
        const text = base64Encode(bytes);
        expect(text).toBe(Buffer.from(bytes).toString("base64"));
        expect(Buffer.compare(base64Decode(text), bytes)).toBe(0);
      }),
      {
        numRuns: 50,
        examples: [
          [6143, 0],
          [6144, 0],
          [6145, 0],
          [12_288, 1],
        ],
      },
    );
  });
});
