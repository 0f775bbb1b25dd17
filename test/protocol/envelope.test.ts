import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeMessage } from "../../protocol/binary-codec.ts";
import { EnvelopeHead, envelopeFlags, readEnvelope, textProperties } from "../../protocol/envelope.ts";
import { PosthornError } from "../../protocol/errors.ts";
import type { Headers } from "../../protocol/header-value.ts";
import type { Message, MessageProperties } from "../../protocol/message.ts";
import { headers as anyHeaders, message as anyMessage, normalHeaders } from "./arbitraries.ts";

const frameError = expect.objectContaining({ name: "PosthornError", code: "frame-error" });
const invalidArgument = expect.objectContaining({ name: "PosthornError", code: "invalid-argument" });

function messageWith(properties: Partial<MessageProperties>, rest: Partial<Message> = {}): Message {
  return {
    exchange: "orders",
    routingKey: "order.placed",
    properties: { persistent: true, ...properties },
    body: Uint8Array.from([1, 2, 3]),
    ...rest,
  };
}

/** What the two ways to read the same bytes came to: a message, or the code of the error. */
function readBoth(bytes: Uint8Array): { head: EnvelopeHead | string; whole: Message | string } {
  const attempt = <T>(read: () => T): T | string => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof PosthornError)) throw error;
      return error.code;
    }
  };
  const head = new EnvelopeHead();
  return {
    head: attempt(() => {
      head.read(bytes);
      return head;
    }),
    whole: attempt(() => readEnvelope(bytes)),
  };
}

function expectAgreement(bytes: Uint8Array): void {
  const { head, whole } = readBoth(bytes);
  if (typeof head === "string" || typeof whole === "string") {
    expect([head, whole]).toEqual(["frame-error", "frame-error"]);
    return;
  }
  expect({
    exchange: head.exchange,
    routingKey: head.routingKey,
    persistent: head.persistent,
    priority: head.priority,
    expiration: head.expiration,
    userId: head.userId,
    headers: head.headers(),
    body: bytes.subarray(head.bodyAt),
    bodyBytes: head.bodyBytes,
    texts: textProperties.map((name) => head.property(name)),
  }).toStrictEqual({
    exchange: whole.exchange,
    routingKey: whole.routingKey,
    persistent: whole.properties.persistent,
    priority: whole.properties.priority ?? 0,
    expiration: whole.properties.expiration ?? -1,
    userId: whole.properties.userId,
    headers: whole.properties.headers ?? {},
    body: whole.body,
    bodyBytes: whole.body.length,
    texts: textProperties.map((name) => whole.properties[name]),
  });
}

describe("an envelope's head", () => {
  test("says the same as the whole envelope", () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        const bytes = encodeMessage(message);
        expectAgreement(bytes);
        const head = new EnvelopeHead();
        head.read(bytes);
        expect(head.exchange).toBe(message.exchange);
        expect(head.routingKey).toBe(message.routingKey);
        expect(head.headers()).toStrictEqual(normalHeaders(message.properties.headers ?? {}));
      }),
      { numRuns: 2000 },
    );
  });

  test("refuses exactly what the whole envelope refuses", () => {
    const mutation = fc.record({ at: fc.nat(), value: fc.integer({ min: 0, max: 255 }), cut: fc.nat(3) });
    fc.assert(
      fc.property(anyMessage, mutation, (message, { at, value, cut }) => {
        const bytes = encodeMessage(message).slice();
        bytes[at % bytes.length] = value;
        expectAgreement(bytes.subarray(0, bytes.length - cut));
      }),
      { numRuns: 2000 },
    );
  });

  test("remembers nothing of the envelope before", () => {
    const head = new EnvelopeHead();
    head.read(encodeMessage(messageWith({ priority: 9, expiration: 5, userId: "ada", headers: { a: 1 } })));
    expect(head.headers()).toEqual({ a: 1 });
    head.read(encodeMessage(messageWith({})));
    const { priority, expiration, userId } = head;
    expect({ priority, expiration, userId, headers: head.headers() }).toEqual({
      priority: 0,
      expiration: -1,
      userId: undefined,
      headers: {},
    });
  });

  test.each(textProperties.map((name) => [name, envelopeFlags[name]] as const))(
    "checks that the %s is UTF-8, which not everybody reads",
    (_, flag) => {
      const head = new EnvelopeHead();
      const bytes = (...text: number[]) =>
        Uint8Array.from([flag >>> 8, flag & 0xff, 0, 0, text.length, ...text, 0x78]);
      head.read(bytes(0x61, 0xc3, 0xa4));
      expect(head.bodyBytes).toBe(1);
      expect(() => head.read(bytes(0x61, 0xff))).toThrow(frameError);
      expect(() => head.read(bytes(0x61, 0xc3))).toThrow(frameError);
    },
  );

  test("leaves headers alone that are larger than its reader allows", () => {
    const bytes = encodeMessage(messageWith({ headers: { a: "x".repeat(100) } }));
    const head = new EnvelopeHead();
    head.read(bytes);
    const headBytes = head.bodyAt;
    // A count that claims more entries than there are bytes shows whether the table is read.
    bytes[head.headersAt] = 0x7f;
    expect(() => head.read(bytes, headBytes)).toThrow(frameError);
    head.read(bytes, headBytes - 1);
    expect(head.bodyAt).toBe(headBytes);
  });
});

describe("an envelope", () => {
  test("is refused with flags that this version does not know", () => {
    expect(() => readEnvelope(Uint8Array.from([0x20, 0, 0, 0]))).toThrow(frameError);
    expect(Object.values(envelopeFlags).reduce((all, flag) => all | flag)).toBe(0x1fff);
  });

  test.each([
    ["nothing", []],
    ["half the flags", [0]],
    ["no routing key", [0, 0, 0]],
    ["a name that ends early", [0, 0, 3, 0x61, 0x62]],
    ["a name that is not UTF-8", [0, 0, 1, 0xff, 0]],
    ["an overlong UTF-8 sequence", [0, 0, 2, 0xc0, 0x80, 0]],
    ["a surrogate in UTF-8", [0, 0, 3, 0xed, 0xa0, 0x80, 0]],
    ["a timestamp beyond the year 275760", [1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]],
    ["a header table that ends early", [0x10, 0, 0, 0, 2, 1]],
    ["a header table with bytes left over", [0x10, 0, 0, 0, 2, 0, 0]],
  ])("with %s is refused", (_, bytes) => {
    expect(() => readEnvelope(Uint8Array.from(bytes))).toThrow(frameError);
  });

  test("shares the memory of the bytes it was read from, except its headers", () => {
    const bytes = Buffer.from(encodeMessage(messageWith({ headers: { raw: Uint8Array.from([7, 7, 7]) } })));
    const message = readEnvelope(bytes);
    bytes.fill(0);
    expect([...message.body]).toEqual([0, 0, 0]);
    expect(message.properties.headers).toStrictEqual({ raw: Uint8Array.from([7, 7, 7]) });
  });

  test.each<[string, Message]>([
    ["an exchange of 256 bytes", messageWith({}, { exchange: "x".repeat(256) })],
    ["a routing key of 128 two-byte letters", messageWith({}, { routingKey: "é".repeat(128) })],
    ["a contentType of 256 bytes", messageWith({ contentType: "x".repeat(256) })],
    ["a messageId of 256 bytes", messageWith({ messageId: "x".repeat(256) })],
    ["priority 256", messageWith({ priority: 256 })],
    ["priority -1", messageWith({ priority: -1 })],
    ["priority 1.5", messageWith({ priority: 1.5 })],
    ["expiration NaN", messageWith({ expiration: Number.NaN })],
    ["expiration 2^53", messageWith({ expiration: 2 ** 53 })],
    ["a timestamp in the year 275761", messageWith({ timestamp: 8.64e15 + 1 })],
  ])("cannot be written with %s", (_, message) => {
    expect(() => encodeMessage(message)).toThrow(invalidArgument);
  });

  test("keeps what is exactly as long as a short string may be", () => {
    const message = messageWith(
      { correlationId: "😀".repeat(63) },
      { exchange: "x".repeat(255), routingKey: "é".repeat(127) },
    );
    expect(readEnvelope(encodeMessage(message))).toStrictEqual(message);
  });

  test("writes half a surrogate pair as U+FFFD", () => {
    const message = messageWith({ type: "\udc00" }, { routingKey: "a\ud800b" });
    expect(readEnvelope(encodeMessage(message))).toMatchObject({
      routingKey: "a\ufffdb",
      properties: { type: "\ufffd" },
    });
  });
});

describe("an envelope without one of its headers", () => {
  test("is what an envelope with the others is, byte for byte", () => {
    const place = fc.nat();
    fc.assert(
      fc.property(
        anyMessage,
        anyHeaders,
        fc.string({ maxLength: 8 }),
        place,
        (message, others, value, at) => {
          fc.pre(!Object.hasOwn(others, "BCC"));
          const entries = Object.entries(others);
          const all = entries.toSpliced(at % (entries.length + 1), 0, ["BCC", [value, { nested: value }]]);
          const withHeaders = (headers: Headers) =>
            encodeMessage({ ...message, properties: { ...message.properties, headers } });
          const head = new EnvelopeHead();
          head.read(withHeaders(Object.fromEntries(all)));
          expect(head.withoutHeader("BCC")).toEqual(withHeaders(others));
        },
      ),
    );
  });

  test("keeps the types of all other values, also those that JavaScript does not tell apart", () => {
    // { "a": the double 1.0, "BCC": [], "b": the double -0 }
    const table = [
      3, 1, 0x61, 4, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 3, 0x42, 0x43, 0x43, 8, 0, 1, 0x62, 4, 0x80, 0, 0, 0, 0, 0,
      0, 0,
    ];
    const bytes = Uint8Array.from([0x10, 0, 0, 0, table.length, ...table, 0x78]);
    const head = new EnvelopeHead();
    head.read(bytes);
    const rest = [2, ...table.slice(1, 12), ...table.slice(18)];
    expect([...head.withoutHeader("BCC")]).toEqual([0x10, 0, 0, 0, rest.length, ...rest, 0x78]);
  });
});
