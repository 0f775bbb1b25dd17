import type { DeliveryHistory } from "../protocol/delivery-history.ts";
import type { MessageFrame } from "../protocol/frames.ts";
import type { Message, MessageProperties } from "../protocol/message.ts";

/** What is behind `frames.json`, `refused.json` and `tolerated.json` in `test/vectors/`. Add to it; change nothing. */

const utf8 = new TextEncoder();

function message(
  exchange: string,
  routingKey: string,
  body: string | number[],
  properties: Partial<MessageProperties> = {},
): Message {
  const bytes = typeof body === "string" ? utf8.encode(body) : Uint8Array.from(body);
  return { exchange, routingKey, properties: { persistent: true, ...properties }, body: bytes };
}

function publish(number: number, message: Message, options: { mandatory?: boolean; confirm?: boolean } = {}) {
  return { type: "publish", number, mandatory: false, confirm: true, ...options, message } as const;
}

function deliver(
  consumer: number,
  delivery: number | undefined,
  message: Message,
  options: { redelivered?: boolean; attempts?: number; history?: DeliveryHistory } = {},
) {
  const { redelivered = false, attempts, history } = options;
  return {
    type: "deliver",
    consumer,
    delivery,
    redelivered,
    attempts,
    ...(history !== undefined && { history }),
    message,
  } as const;
}

const order = message("orders", "order.germany.placed", '{"id":10248}', { contentType: "application/json" });
const largest = Number.MAX_SAFE_INTEGER;

export const vectorFrames: readonly (readonly [name: string, frame: MessageFrame])[] = [
  ["publish: JSON to a topic exchange", publish(1, order)],
  ["publish: through the default exchange, no body", publish(2, message("", "billing", []))],
  ["publish: not persistent", publish(3, message("e", "k", [0, 1, 254, 255], { persistent: false }))],
  ["publish: mandatory", publish(127, message("e", "k", "x"), { mandatory: true })],
  ["publish: without a confirm", publish(128, message("e", "k", "x"), { confirm: false })],
  [
    "publish: mandatory, without a confirm",
    publish(16_384, message("e", "k", "x"), { mandatory: true, confirm: false }),
  ],
  ["publish: the largest number", publish(largest, message("e", "k", "x"))],
  ["publish: nothing but empty names", publish(1, message("", "", "", { persistent: false }))],
  ["publish: text", publish(1, message("e", "k", "Grüße 😀", { contentType: "text/plain; charset=utf-8" }))],
  ["publish: a length of two bytes", publish(1, message("e", "k", "0123456789".repeat(20)))],
  ["publish: names of 255 bytes", publish(1, message("x".repeat(255), "é".repeat(127), "x"))],
  [
    "publish: JSON whose bytes would not survive",
    publish(1, message("e", "k", '{ "a": 1.0 }', { contentType: "application/json" })),
  ],
  [
    "publish: every property",
    publish(
      7,
      message("e", "k", "<order/>", {
        contentType: "application/xml",
        contentEncoding: "identity",
        priority: 9,
        correlationId: "c-1",
        replyTo: "answers",
        expiration: 60_000,
        messageId: "m-1",
        timestamp: 1_700_000_000_123,
        type: "order.placed",
        userId: "ada",
        appId: "shop",
        headers: { tenant: "de" },
      }),
    ),
  ],
  [
    "publish: properties at their limits",
    publish(
      1,
      message("e", "k", "", {
        contentType: "",
        priority: 255,
        expiration: largest,
        timestamp: 8.64e15,
        headers: {},
      }),
    ),
  ],
  [
    "publish: headers of every kind",
    publish(
      1,
      message("e", "k", "", {
        headers: {
          null: null,
          false: false,
          true: true,
          zero: 0,
          one: 1,
          minusOne: -1,
          largest,
          smallest: -largest,
          long: 2n ** 63n - 1n,
          longNegative: -(2n ** 63n),
          double: 1.5,
          minusZero: -0,
          notANumber: Number.NaN,
          infinity: Infinity,
          minusInfinity: -Infinity,
          large: 2 ** 53,
          empty: "",
          text: "Grüße",
          bytes: Uint8Array.from([0, 127, 128, 255]),
          noBytes: new Uint8Array(0),
          timestamp: new Date(1_700_000_000_123),
          before1970: new Date(-1),
          emptyArray: [],
          array: [1, "a", [null]],
          emptyTable: {},
          table: { inner: { innermost: true } },
        },
      }),
    ),
  ],
  [
    "publish: header tables that look like special forms",
    publish(
      1,
      message("e", "k", "", {
        headers: { $bytes: "AQ==", a: { $bytes: "AQ==" }, b: { $table: {} }, c: { $x: 1, y: 2 } },
      }),
    ),
  ],
  ["deliver: first delivery", deliver(1, 1, order)],
  ["deliver: redelivered, attempts known", deliver(1, 300, order, { redelivered: true, attempts: 2 })],
  ["deliver: redelivered, attempts not known", deliver(200, 2, order, { redelivered: true })],
  ["deliver: to a consumer without acks", deliver(3, undefined, order)],
  [
    "deliver: to a consumer without acks, again",
    deliver(3, undefined, order, { redelivered: true, attempts: 1 }),
  ],
  ["deliver: the answer to queue.get", deliver(0, 5, order)],
  [
    "deliver: the largest numbers",
    deliver(largest, largest, order, { redelivered: true, attempts: largest }),
  ],
  [
    "deliver: a dead letter",
    deliver(1, 8, order, {
      history: {
        deaths: [
          {
            queue: "wait",
            reason: "expired",
            count: 2,
            exchange: "orders",
            routingKeys: ["order.germany.placed"],
            time: 1_893_456_060_000,
            originalExpiration: 60_000,
          },
          {
            queue: "work",
            reason: "rejected",
            count: 2,
            exchange: "orders",
            routingKeys: ["order.germany.placed", "copy"],
            time: 1_893_456_000_000,
            nackReason: { code: "bad-address", message: "Straße fehlt" },
          },
        ],
        firstDeath: { queue: "work", reason: "rejected", exchange: "orders" },
        nackReason: { code: "bad-address", message: "Straße fehlt" },
      },
    }),
  ],
  [
    "deliver: given back with a reason",
    deliver(1, 9, order, {
      redelivered: true,
      attempts: 1,
      history: { nackReason: { code: "", message: "try later" } },
    }),
  ],
  ["confirm: one", { type: "confirm", first: 1, last: 1, error: undefined }],
  ["confirm: a range", { type: "confirm", first: 2, last: 1000, error: undefined }],
  ["confirm: the largest range", { type: "confirm", first: 1, last: largest, error: undefined }],
  [
    "confirm: refused",
    {
      type: "confirm",
      first: 8,
      last: 8,
      error: { code: "not-found", message: 'There is no exchange "nope".' },
    },
  ],
  [
    "confirm: a range refused",
    { type: "confirm", first: 9, last: 400, error: { code: "internal-error", message: "" } },
  ],
  [
    "return: no queue is bound",
    {
      type: "return",
      number: 4,
      error: { code: "no-route", message: "No queue is bound for it." },
      message: order,
    },
  ],
  ["settle: ack of one", { type: "settle", consumer: 1, first: 1, last: 1, outcome: "ack" }],
  ["settle: ack of a range", { type: "settle", consumer: 1, first: 1, last: 500, outcome: "ack" }],
  ["settle: requeue", { type: "settle", consumer: 300, first: 7, last: 7, outcome: "requeue" }],
  [
    "settle: reject of what queue.get brought",
    { type: "settle", consumer: 0, first: 1, last: 2, outcome: "reject" },
  ],
  [
    "settle: requeue in a minute, with a reason",
    {
      type: "settle",
      consumer: 1,
      first: 1,
      last: 1,
      outcome: "requeue",
      delay: 60_000,
      reason: { code: "busy", message: "The other side is busy." },
    },
  ],
  [
    "settle: requeue in a second",
    { type: "settle", consumer: 1, first: 2, last: 9, outcome: "requeue", delay: 1000 },
  ],
  [
    "settle: reject with a reason",
    {
      type: "settle",
      consumer: 1,
      first: 10,
      last: 10,
      outcome: "reject",
      reason: { code: "", message: "é".repeat(100) },
    },
  ],
  ["settle: release", { type: "settle", consumer: 1, first: 11, last: 20, outcome: "release" }],
  [
    "settle: the largest numbers",
    { type: "settle", consumer: largest, first: largest, last: largest, outcome: "ack" },
  ],
];

/** Binary WebSocket messages that must be refused with `frame-error`, in hex. */
export const refusedMessages: readonly (readonly [name: string, hex: string])[] = [
  ["a code without a length", "05"],
  ["a length without an end", "05 80"],
  ["a length beyond the message", "05 05 01 01 00 01"],
  ["a length in more bytes than it needs", "05 84 00 01 01 00 01"],
  ["code 0", "00 00"],
  ["a code that nobody gave out", "06 00"],
  ["a good frame, then half of one", "05 04 01 01 00 01 05 04 01 01"],
  ["settle: an unknown outcome", "05 04 01 01 00 04"],
  ["settle: outcome 0", "05 04 01 01 00 00"],
  ["settle: a range from 0", "05 04 01 00 00 01"],
  ["settle: half of what is said besides", "05 06 01 01 00 82 00 00"],
  ["settle: more than what is said besides", "05 08 01 01 00 82 00 00 00 00"],
  ["settle: too short", "05 03 01 01 00"],
  ["settle: too long", "05 05 01 01 00 01 00"],
  ["settle: a range beyond 2^53 − 1", "05 0b 01 02 fe ff ff ff ff ff ff 0f 01"],
  ["settle: a number beyond 2^53 − 1", "05 0b 01 80 80 80 80 80 80 80 10 00 01"],
  ["confirm: too long", "03 04 01 00 00 00"],
  ["confirm: refused without a text", "03 03 01 00 01"],
  ["publish: number 0", "01 06 00 00 00 00 00 00"],
  ["publish: unknown flags", "01 06 01 04 00 00 00 00"],
  ["publish: no envelope", "01 02 01 00"],
  ["publish: unknown flags of the envelope", "01 06 01 00 20 00 00 00"],
  ["publish: a name that is not UTF-8", "01 07 01 00 00 00 01 ff 00"],
  ["publish: headers that end early", "01 08 01 00 10 00 00 00 02 01"],
  ["publish: headers with bytes left over", "01 09 01 00 10 00 00 00 02 00 00"],
  ["publish: a header of an unknown kind", "01 0b 01 00 10 00 00 00 04 01 01 61 0a"],
  ["publish: a header named twice", "01 0e 01 00 10 00 00 00 07 02 01 61 00 01 61 00"],
  ["publish: a header named __proto__", "01 13 01 00 10 00 00 00 0c 01 09 5f 5f 70 72 6f 74 6f 5f 5f 00"],
  ["publish: an integer in more bytes than it needs", "01 0d 01 00 10 00 00 00 06 01 01 61 03 80 00"],
  ["deliver: unknown flags", "02 07 01 08 01 00 00 00 00"],
  ["deliver: number 0", "02 07 01 00 00 00 00 00 00"],
  ["deliver: attempts 0", "02 08 01 04 01 00 00 00 00 00"],
];

/** Binary messages that are read as if written otherwise: a later version may send them. */
export const toleratedMessages: readonly (readonly [name: string, hex: string])[] = [
  ["deliver: with an extension of three bytes, to be passed over", "02 0b 01 80 07 03 aa bb cc 00 00 00 00"],
  ["confirm: refused with an unknown error number, read as internal-error", "03 05 01 00 3f 01 78"],
];
