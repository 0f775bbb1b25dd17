import fc from "fast-check";
import { expect, test } from "vitest";
import { RepeatedHead } from "../../client/repeated-head.ts";
import { ByteWriter } from "../../protocol/byte-writer.ts";
import { writeEnvelope } from "../../protocol/envelope.ts";
import type { Message } from "../../protocol/message.ts";

/** So few of each that most are as the one before in something, and many in everything. */
const message: fc.Arbitrary<Message> = fc.record({
  exchange: fc.constantFrom("", "orders"),
  routingKey: fc.constantFrom("a", "ä", "k".repeat(256)),
  properties: fc.record(
    {
      persistent: fc.boolean(),
      contentType: fc.constantFrom("text/plain", "application/json"),
      priority: fc.constantFrom(3),
      headers: fc.constantFrom({ a: 1 }),
      messageId: fc.constantFrom("1"),
    },
    { requiredKeys: ["persistent"] },
  ),
  body: fc.uint8Array({ maxLength: 3 }),
});

/** The bytes behind what is in the writer already, or the error. */
function written(write: (writer: ByteWriter, message: Message) => void, one: Message): Uint8Array | string {
  const writer = new ByteWriter(8);
  writer.u8(1);
  try {
    write(writer, one);
  } catch (error) {
    return String(error);
  }
  return writer.written().slice();
}

test("an envelope is the same whatever was written before it", () => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 20 }), fc.infiniteStream(fc.nat(3)), (messages, times) => {
      const head = new RepeatedHead();
      for (const one of messages) {
        const expected = written(writeEnvelope, one);
        for (let time = times.next().value ?? 0; time >= 0; time--)
          expect(written((writer, each) => head.write(writer, each), one)).toEqual(expected);
      }
    }),
    { numRuns: 500 },
  );
});
