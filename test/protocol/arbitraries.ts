import fc from "fast-check";
import { longestMs } from "../../protocol/arguments.ts";
import type { Death, DeathReason, DeliveryHistory } from "../../protocol/delivery-history.ts";
import type { ErrorCode } from "../../protocol/errors.ts";
import { errorCatalogue } from "../../protocol/errors.ts";
import { type MessageFrame, type Outcome, outcomeCodes } from "../../protocol/frames.ts";
import type { Headers, HeaderValue } from "../../protocol/header-value.ts";
import type { Message, MessageProperties } from "../../protocol/message.ts";

/** Random frames of every type, with everything that a message can hold. */

/** Every code point, no lone surrogates: those cannot be written as UTF-8. */
const text = fc.string({ unit: "binary", maxLength: 60 });
const longText = fc.oneof(
  { weight: 5, arbitrary: text },
  { weight: 1, arbitrary: fc.string({ unit: "binary", minLength: 60, maxLength: 300 }) },
);
/** At most 255 bytes of UTF-8, and sometimes exactly that. */
const name = fc.oneof(
  { weight: 5, arbitrary: text },
  { weight: 3, arbitrary: fc.string({ maxLength: 20 }) },
  { weight: 1, arbitrary: fc.constantFrom("", "x".repeat(255), "é".repeat(127), "😀".repeat(63)) },
);

const counting = fc.oneof(
  fc.integer({ min: 1, max: 300 }),
  fc.integer({ min: 1, max: 2 ** 31 - 1 }),
  fc.maxSafeNat().map((value) => Math.max(1, value)),
  fc.constantFrom(1, 2 ** 53 - 1),
);
const counting0 = fc.oneof(counting, fc.constant(0));

const range = fc.tuple(counting, counting).map(([a, b]) => ({ first: Math.min(a, b), last: Math.max(a, b) }));

const bytes = fc.uint8Array({ maxLength: 40 });

const reservedNames = ["__proto__", "constructor", "prototype"];
const headerName = fc
  .oneof(
    name,
    fc.string({ maxLength: 8 }).map((end) => `$${end}`.slice(0, 9)),
    fc.constantFrom("$bytes", "$timestamp", "$integer", "$double", "$table", "toString", "hasOwnProperty"),
  )
  .filter((candidate) => !reservedNames.includes(candidate));

const number = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double(),
  fc.constantFrom(0, -0, Number.NaN, Infinity, -Infinity, 2 ** 53, -(2 ** 53), 0.1),
);

const bigint = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.constantFrom(-(2n ** 63n), 2n ** 63n - 1n, 2n ** 53n, 2n ** 53n - 1n, -(2n ** 53n), 0n, -1n),
);

export const { headers } = fc.letrec<{ value: HeaderValue; headers: Headers }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    fc.constant(null),
    fc.boolean(),
    number,
    bigint,
    longText,
    bytes,
    fc.date({ noInvalidDate: true }),
    fc.array(tie("value"), { maxLength: 4 }),
    tie("headers"),
  ) as fc.Arbitrary<HeaderValue>,
  headers: fc.dictionary(headerName, tie("value") as fc.Arbitrary<HeaderValue>, {
    maxKeys: 4,
    noNullPrototype: true,
  }) as fc.Arbitrary<Headers>,
}));

const contentType = fc.oneof(
  fc.constantFrom(
    "application/json",
    "application/cloudevents+json; charset=utf-8",
    "text/plain",
    "text/csv",
  ),
  name,
);

const optionalProperties = {
  contentType,
  contentEncoding: fc.oneof(fc.constant("gzip"), name),
  priority: fc.integer({ min: 0, max: 255 }),
  correlationId: name,
  replyTo: name,
  expiration: counting0,
  messageId: name,
  timestamp: fc.oneof(fc.integer({ min: 0, max: 8.64e15 }), fc.constant(8.64e15)),
  type: name,
  userId: name,
  appId: name,
  headers,
};

const properties: fc.Arbitrary<MessageProperties> = fc.record(
  { persistent: fc.boolean(), ...optionalProperties },
  { requiredKeys: ["persistent"], noNullPrototype: true },
);

/** Bodies that are JSON, nearly JSON, text, nearly text, and anything. */
const body = fc.oneof(
  bytes,
  fc.json().map((json) => new TextEncoder().encode(json)),
  fc.json().map((json) => new TextEncoder().encode(`${json} `)),
  fc
    .constantFrom(
      "-0",
      "1e999",
      "12345678901234567890",
      '{"a":1,"a":2}',
      '"\\u0061"',
      '"\\ud800"',
      "\ufeff{}",
      "",
    )
    .map((json) => new TextEncoder().encode(json)),
  text.map((body) => new TextEncoder().encode(body)),
);

export const message: fc.Arbitrary<Message> = fc.record(
  { exchange: name, routingKey: name, properties, body },
  { noNullPrototype: true },
);

const error = fc.record(
  { code: fc.constantFrom(...(Object.keys(errorCatalogue) as ErrorCode[])), message: longText },
  { noNullPrototype: true },
);

const nackReason = fc.record(
  { code: longText.filter((code) => code !== ""), message: longText },
  { noNullPrototype: true },
);
const deathReason = fc.constantFrom<DeathReason>("rejected", "expired", "max-length", "delivery-limit");

const death: fc.Arbitrary<Death> = fc.record(
  {
    queue: name,
    reason: deathReason,
    count: counting,
    exchange: name,
    routingKeys: fc.array(name, { maxLength: 3 }),
    time: counting0,
    originalExpiration: counting0,
    nackReason,
  },
  {
    requiredKeys: ["queue", "reason", "count", "exchange", "routingKeys", "time"],
    noNullPrototype: true,
  },
);

const history: fc.Arbitrary<DeliveryHistory> = fc
  .record(
    {
      deaths: fc.array(death, { minLength: 1, maxLength: 3 }),
      firstDeath: fc.record({ queue: name, reason: deathReason, exchange: name }, { noNullPrototype: true }),
      nackReason,
    },
    { requiredKeys: [], noNullPrototype: true },
  )
  .filter((parts) => Object.keys(parts).length > 0);

export const messageFrame: fc.Arbitrary<MessageFrame> = fc.oneof(
  fc.record(
    {
      type: fc.constant("publish" as const),
      number: counting,
      mandatory: fc.boolean(),
      confirm: fc.boolean(),
      message,
    },
    { noNullPrototype: true },
  ),
  fc.record(
    {
      type: fc.constant("deliver" as const),
      consumer: counting0,
      delivery: fc.option(counting, { nil: undefined }),
      redelivered: fc.boolean(),
      attempts: fc.option(counting, { nil: undefined }),
      history,
      message,
    },
    {
      requiredKeys: ["type", "consumer", "delivery", "redelivered", "attempts", "message"],
      noNullPrototype: true,
    },
  ),
  fc
    .tuple(range, fc.option(error, { nil: undefined }))
    .map(([{ first, last }, error]) => ({ type: "confirm" as const, first, last, error })),
  fc.record(
    { type: fc.constant("return" as const), number: counting, error, message },
    { noNullPrototype: true },
  ),
  fc
    .tuple(
      counting0,
      range,
      fc.constantFrom(...(Object.keys(outcomeCodes) as Outcome[])),
      fc.record(
        { delay: fc.integer({ min: 1, max: longestMs }), reason: nackReason },
        { requiredKeys: [], noNullPrototype: true },
      ),
    )
    .map(([consumer, { first, last }, outcome, detail]) => ({
      type: "settle" as const,
      consumer,
      first,
      last,
      outcome,
      ...detail,
    })),
);

function normalValue(value: HeaderValue): HeaderValue {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (typeof value !== "object" || value === null || value instanceof Date || value instanceof Uint8Array)
    return value;
  return Array.isArray(value) ? value.map(normalValue) : normalHeaders(value as Headers);
}

export function normalHeaders(table: Headers): Headers {
  return Object.fromEntries(Object.entries(table).map(([name, value]) => [name, normalValue(value)]));
}

/** The frame as it comes back: a bigint that fits a safe number is one. Nothing else changes on the way. */
export function normalFrame(frame: MessageFrame): MessageFrame {
  if (!("message" in frame) || frame.message.properties.headers === undefined) return frame;
  const { message } = frame;
  const headers = normalHeaders(message.properties.headers as Headers);
  return { ...frame, message: { ...message, properties: { ...message.properties, headers } } };
}
