import type { Writable } from "node:stream";
import fc from "fast-check";
import { expect, test } from "vitest";
import * as ws from "ws";
import { wireFrame } from "../../server/session/wire-frame.ts";

/** What `ws` reads frames with; its types do not show it. */
const { Receiver } = ws as unknown as { Receiver: new (options: { isServer: boolean }) => Writable };

/** The messages that a WebSocket client reads of these bytes. */
async function received(bytes: Uint8Array): Promise<{ data: Buffer; isBinary: boolean }[]> {
  const receiver = new Receiver({ isServer: false });
  const messages: { data: Buffer; isBinary: boolean }[] = [];
  receiver.on("message", (data: Buffer, isBinary: boolean) => messages.push({ data, isBinary }));
  await new Promise<void>((resolve, reject) => {
    receiver.on("error", reject);
    receiver.on("finish", resolve);
    receiver.end(bytes);
  });
  return messages;
}

test.each([0, 1, 125, 126, 127, 65_535, 65_536, 300_000])(
  "a WebSocket client reads a payload of %d bytes as one binary message",
  async (length) => {
    const payload = new Uint8Array(length).map((_, index) => index);
    expect(await received(wireFrame(payload))).toEqual([{ data: Buffer.from(payload), isBinary: true }]);
  },
);

test("messages one after another are told apart", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1 }), async (payloads) => {
      const messages = await received(Buffer.concat(payloads.map(wireFrame)));
      expect(messages.map(({ data }) => data)).toEqual(payloads.map((payload) => Buffer.from(payload)));
    }),
  );
});
