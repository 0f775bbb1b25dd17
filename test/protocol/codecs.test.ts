import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeMessageFrames, encodeMessage, writeMessageFrame } from "../../protocol/binary-codec.ts";
import { BinaryFrameReader } from "../../protocol/binary-frames.ts";
import { ByteWriter } from "../../protocol/byte-writer.ts";
import { type MessageFrame, messageFrames } from "../../protocol/frames.ts";
import { type JsonFrame, messageFrameFromJson, messageFrameToJson } from "../../protocol/json-codec.ts";
import { messageFrame, normalFrame } from "./arbitraries.ts";
import { frameValidators } from "./frame-validators.ts";

function encode(...frames: MessageFrame[]): Uint8Array {
  const writer = new ByteWriter(16);
  for (const frame of frames) writeMessageFrame(writer, frame);
  return writer.written();
}

/** There and back through the text that travels. */
function throughJson(frame: MessageFrame): JsonFrame {
  return JSON.parse(JSON.stringify(messageFrameToJson(frame))) as JsonFrame;
}

describe("binary", () => {
  test("every frame comes back as it was sent", () => {
    fc.assert(
      fc.property(messageFrame, (frame) => {
        expect(decodeMessageFrames(encode(frame))).toStrictEqual([normalFrame(frame)]);
      }),
      { numRuns: 3000 },
    );
  });

  test("frames that share a WebSocket message come back in their order", () => {
    fc.assert(
      fc.property(fc.array(messageFrame, { maxLength: 8 }), (frames) => {
        expect(decodeMessageFrames(encode(...frames))).toStrictEqual(frames.map(normalFrame));
      }),
    );
  });

  test("a message that begins in the middle of a buffer is read like any other", () => {
    fc.assert(
      fc.property(messageFrame, fc.nat(9), (frame, before) => {
        const bytes = encode(frame);
        const padded = new Uint8Array(before + bytes.length + 3).fill(0xff);
        padded.set(bytes, before);
        const view = padded.subarray(before, before + bytes.length);
        expect(decodeMessageFrames(view)).toStrictEqual([normalFrame(frame)]);
        expect(decodeMessageFrames(Buffer.from(bytes)).length).toBe(1);
      }),
    );
  });

  test("each frame begins with the code of the table and says how long the rest is", () => {
    fc.assert(
      fc.property(messageFrame, (frame) => {
        const bytes = encode(frame);
        expect(bytes[0]).toBe(messageFrames[frame.type].code);
        let length = 0;
        let at = 1;
        for (let factor = 1; ; factor *= 128) {
          const byte = bytes[at++]!;
          length += (byte & 0x7f) * factor;
          if (byte < 0x80) break;
        }
        expect(at + length).toBe(bytes.length);
      }),
    );
  });

  test("publish, deliver and return carry the very same envelope", () => {
    fc.assert(
      fc.property(
        messageFrame.filter((frame) => "message" in frame),
        (frame) => {
          const reader = new BinaryFrameReader();
          reader.start(encode(frame));
          reader.next();
          expect(reader.envelope).toStrictEqual(encodeMessage(frame.message));
        },
      ),
    );
  });

  test("what a later version adds to a delivery is passed over", () => {
    // Flags 0x80: an extension of three bytes stands between the numbers and the envelope.
    const bytes = Uint8Array.from([2, 13, 1, 0x80, 7, 3, 0xaa, 0xbb, 0xcc, 0, 0, 0, 0, 0x68, 0x69]);
    expect(decodeMessageFrames(bytes)).toMatchObject([
      { type: "deliver", consumer: 1, delivery: 7, message: { body: Uint8Array.from([0x68, 0x69]) } },
    ]);
  });

  test("an error number of a newer broker reads as internal-error", () => {
    const bytes = Uint8Array.from([3, 5, 1, 0, 0x7f, 1, 0x78]);
    expect(decodeMessageFrames(bytes)).toMatchObject([{ error: { code: "internal-error", message: "x" } }]);
  });

  test("a reader can stop between two frames and go on later with the rest", () => {
    fc.assert(
      fc.property(fc.array(messageFrame, { minLength: 1, maxLength: 5 }), fc.nat(5), (frames, stop) => {
        const reader = new BinaryFrameReader();
        reader.start(encode(...frames));
        const taken = Math.min(stop, frames.length);
        for (let i = 0; i < taken; i++) expect(reader.next()).toBe(frames[i]!.type);
        expect(decodeMessageFrames(reader.rest)).toStrictEqual(frames.slice(taken).map(normalFrame));
      }),
    );
  });

  test("a reader lets go of a message that it has read", () => {
    const reader = new BinaryFrameReader();
    reader.start(encode({ type: "settle", consumer: 1, first: 1, last: 1, outcome: "ack" }));
    expect(reader.next()).toBe("settle");
    expect(reader.next()).toBeUndefined();
    expect(reader.envelope.length).toBe(0);
    expect(reader.next()).toBeUndefined();
  });
});

describe("JSON", () => {
  test("every frame comes back as it was sent, and fits its schema on the way", () => {
    fc.assert(
      fc.property(messageFrame, (frame) => {
        const json = throughJson(frame);
        const validate = frameValidators.get(frame.type)!;
        expect(validate(json), JSON.stringify(validate.errors)).toBe(true);
        expect(messageFrameFromJson(json)).toStrictEqual(normalFrame(frame));
      }),
      { numRuns: 3000 },
    );
  });

  test("binary and JSON say the same", () => {
    fc.assert(
      fc.property(messageFrame, (frame) => {
        const fromJson = messageFrameFromJson(throughJson(frame));
        expect(encode(fromJson)).toStrictEqual(encode(frame));
      }),
    );
  });

  test("defaults are left out", () => {
    const message = {
      exchange: "",
      routingKey: "q",
      properties: { persistent: true },
      body: new Uint8Array(0),
    };
    expect(
      messageFrameToJson({ type: "publish", number: 1, mandatory: false, confirm: true, message }),
    ).toEqual({
      type: "publish",
      number: 1,
      exchange: "",
      routingKey: "q",
      properties: { persistent: true },
      base64: "",
    });
    const confirm: MessageFrame = { type: "confirm", first: 1, last: 2, error: undefined };
    expect(messageFrameToJson(confirm)).toEqual({ type: "confirm", first: 1, last: 2 });
  });
});
