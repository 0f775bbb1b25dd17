import { describe, expect, test } from "vitest";
import { clientFrameSchemas, replySchemas, serverFrameSchemas } from "../../protocol/frame-schemas.ts";
import {
  jsonMessage,
  messageFrames,
  notices,
  outcomeCodes,
  requests,
  reservedFrameTypes,
} from "../../protocol/frames.ts";
import type { JsonSchema } from "../../protocol/schema.ts";
import { frameValidators, replyValidators } from "./frame-validators.ts";

/** Every schema inside a schema, by its path. */
function parts(path: string, schema: JsonSchema): [string, JsonSchema][] {
  const inner = Object.entries((schema.properties ?? {}) as { [name: string]: JsonSchema });
  return [[path, schema], ...inner.flatMap(([name, part]) => parts(`${path}.${name}`, part))];
}

const everySchema = [...clientFrameSchemas, ...serverFrameSchemas, ...replySchemas];

function problems(type: string, frame: object): string[] {
  const validate = frameValidators.get(type)!;
  validate({ type, ...frame });
  return (validate.errors ?? []).map(({ instancePath, params, message }) => {
    const { additionalProperty } = params as { additionalProperty?: string };
    return additionalProperty ? `unknown ${additionalProperty}` : `${instancePath} ${message}`;
  });
}

describe("the table of frames", () => {
  test("gives every frame that a client may send a schema that ajv compiles in strict mode", () => {
    const types = [...Object.keys(requests), "heartbeat", "publish", "settle"];
    expect([...clientFrameSchemas.keys()].sort()).toEqual(types.sort());
    for (const type of types) expect(frameValidators.get(type)).toBeTypeOf("function");
  });

  test("gives every frame and every answer of a broker one, too", () => {
    const types = [
      "heartbeat",
      "error",
      "consumer.cancelled",
      "consumer.active",
      "delivery.expired",
      "consumer.conflated",
      "goaway",
      "blocked",
      "unblocked",
      "deliver",
      "confirm",
      "return",
    ];
    expect([...serverFrameSchemas.keys()].sort()).toEqual(types.sort());
    expect([...replySchemas.keys()].sort()).toEqual(Object.keys(requests).sort());
    expect(replyValidators.size).toBe(replySchemas.size);
  });

  test("describes every frame and every field", () => {
    const rows = [...Object.entries(requests), ...Object.entries(notices), ...Object.entries(messageFrames)];
    for (const [type, row] of rows) expect(row.description, type).toMatch(/\.$/);
    const without = everySchema
      .flatMap(([type, schema]) => parts(type, schema))
      .filter(([path, schema]) => !path.endsWith(".type") && schema.description === undefined)
      .map(([path]) => path);
    expect(without).toEqual([]);
  });

  test("uses no name twice", () => {
    const types = [requests, notices, messageFrames].flatMap((rows) => Object.keys(rows));
    expect(new Set(types).size).toBe(types.length);
    for (const type of types) expect(reservedFrameTypes.has(type), type).toBe(false);
    for (const { carries, fields } of Object.values(messageFrames)) {
      if (carries === "nothing") continue;
      for (const field of Object.keys(jsonMessage)) expect(fields).not.toHaveProperty(field);
    }
    for (const { reply } of Object.values(requests)) {
      expect(reply).not.toHaveProperty("id");
      expect(reply).not.toHaveProperty("type");
    }
  });

  test("uses no code twice", () => {
    const codes = Object.values(messageFrames).map((row) => row.code);
    expect(new Set(codes).size).toBe(codes.length);
    const outcomes = Object.values(outcomeCodes);
    expect(new Set(outcomes).size).toBe(outcomes.length);
    expect(messageFrames.settle.fields.outcome.json.enum).toEqual(Object.keys(outcomeCodes));
  });

  test("refuses fields that it does not have, at every level", () => {
    const open = everySchema
      .flatMap(([type, schema]) => parts(type, schema))
      .filter(([, schema]) => schema.properties !== undefined && schema.additionalProperties !== false)
      .map(([path]) => path);
    expect(open).toEqual([]);
  });
});

describe("a frame", () => {
  test.each<[string, object]>([
    ["hello", { id: 1, protocol: 1 }],
    [
      "hello",
      { id: 1, protocol: 1, credentials: { user: "ada", password: "" }, encoding: "binary", heartbeatMs: 0 },
    ],
    ["queue.declare", { id: 2 ** 53 - 1, queue: "", arguments: {} }],
    ["queue.bind", { id: 3, exchange: "e", arguments: { "x-match": "all", n: { $integer: "1" } } }],
    ["heartbeat", {}],
    ["publish", { number: 1, exchange: "", routingKey: "q", json: null }],
    ["publish", { number: 1, exchange: "", routingKey: "q", text: "", properties: { headers: {} } }],
    ["settle", { consumer: 0, first: 1, last: 1, outcome: "ack" }],
  ])("%s %j fits", (type, frame) => {
    expect(problems(type, frame)).toEqual([]);
  });

  test.each<[string, object, string[]]>([
    ["hello", { protocol: 1 }, [" must have required property 'id'"]],
    ["hello", { id: 0, protocol: "1" }, ["/id must be >= 1", "/protocol must be integer"]],
    [
      "hello",
      { id: 1, protocol: 1, credentials: { user: "a" } },
      ["/credentials must have required property 'password'"],
    ],
    ["bye", { id: 1.5 }, ["/id must be integer"]],
    ["bye", { id: 2 ** 53 }, ["/id must be <= 9007199254740991"]],
    ["queue.declare", { id: 1, durabel: true, ttl: 1 }, ["unknown durabel", "unknown ttl"]],
    ["queue.declare", { id: 1, queue: "x".repeat(256) }, ["/queue must NOT have more than 255 characters"]],
    ["queue.declare", { id: 1, arguments: [] }, ["/arguments must be object"]],
    ["heartbeat", { id: 1 }, ["unknown id"]],
    [
      "publish",
      { number: 1, exchange: "", routingKey: "q", properties: { ttl: 1, priority: 256 } },
      ["unknown ttl", "/properties/priority must be <= 255"],
    ],
    ["publish", { number: 0, exchange: "", routingKey: "q" }, ["/number must be >= 1"]],
    [
      "settle",
      { consumer: 1, first: 1, last: 1, outcome: "nack" },
      ["/outcome must be equal to one of the allowed values"],
    ],
  ])("%s %j is refused, and every field that is wrong is named", (type, frame, expected) => {
    expect(problems(type, frame).sort()).toEqual(expected.sort());
  });
});
