import { expect, test } from "vitest";
import { ReceivedMessage } from "../../client/message.ts";
import { MessageBuffer } from "../../client/message-buffer.ts";
import { encodeMessage } from "../../protocol/index.ts";

function received(routingKey: string, text: string, exchange = "prices"): ReceivedMessage {
  const envelope = encodeMessage({
    exchange,
    routingKey,
    properties: { persistent: false, contentType: "text/plain" },
    body: new TextEncoder().encode(text),
  });
  return new ReceivedMessage(
    envelope,
    { ended: false, settle: () => {}, touch: async () => {} },
    1,
    0,
    false,
    0,
    undefined,
  );
}

function drained(buffer: MessageBuffer): string[] {
  const texts: string[] = [];
  for (let message = buffer.shift(); message !== undefined; message = buffer.shift())
    texts.push(`${message.routingKey} ${message.text()}`);
  return texts;
}

test("a buffer that does not conflate says when it is full", () => {
  const buffer = new MessageBuffer(2, false);
  expect(["1", "2", "3"].map((text) => buffer.push(received("a", text)))).toEqual([true, true, false]);
  expect(drained(buffer)).toEqual(["a 1", "a 2"]);
  expect(buffer.dropped).toBe(0);
});

test("one that conflates keeps everything up to its size, and behind that the newest of each address", () => {
  const buffer = new MessageBuffer(2, true);
  for (const [key, text] of ["a 1", "a 2", "a 3", "b 1", "c 1", "b 2", "b 3"].map((line) => line.split(" ")))
    expect(buffer.push(received(key!, text!))).toBe(true);
  // Two of the first and two of the newest are kept: a 3 had to go for c 1, b 1 and b 2 for b 3.
  expect(buffer.dropped).toBe(3);
  expect(buffer.length).toBe(4);
  expect(buffer.shift()?.text()).toBe("1");
  // What comes now is newer than what is kept, and stays behind it.
  buffer.push(received("d", "1"));
  expect(drained(buffer)).toEqual(["a 2", "b 3", "d 1"]);
  expect(buffer.dropped).toBe(4);
  buffer.push(received("a", "4"));
  buffer.push(received("a", "5"));
  expect(drained(buffer)).toEqual(["a 4", "a 5"]);
});

test("equal keys of two exchanges are two addresses", () => {
  const buffer = new MessageBuffer(1, true);
  buffer.push(received("a", "1"));
  buffer.push(received("a", "2", "x"));
  expect(drained(buffer)).toEqual(["a 1", "a 2"]);
});

test("emptied, it gives out all that it kept", () => {
  const buffer = new MessageBuffer(1, true);
  for (const text of ["1", "2", "3"]) buffer.push(received("a", text));
  expect(buffer.clear().map((message) => message.text())).toEqual(["1", "3"]);
  expect(buffer.length).toBe(0);
});
