import { expect, test } from "vitest";
import { encodeMessage } from "../../protocol/index.ts";
import { Outbox } from "../../server/session/outbox.ts";
import { FakeSocket } from "../support/fake-socket.ts";
import { settled } from "../support/sessions.ts";

function message(bodyBytes: number): Uint8Array {
  return encodeMessage({
    exchange: "",
    routingKey: "q",
    properties: { persistent: true },
    body: new Uint8Array(bodyBytes),
  });
}

function newOutbox(limits = { highWaterBytes: 10_000, maxBytes: 50_000 }) {
  const socket = new FakeSocket();
  const events: string[] = [];
  const outbox = new Outbox(socket, limits, {
    onRoom: () => events.push("room"),
    onOverfull: () => events.push("overfull"),
    onDrained: () => events.push("drained"),
  });
  return { socket, outbox, events };
}

test("message frames of one turn go out as one WebSocket message", async () => {
  const { socket, outbox } = newOutbox();
  outbox.configure("binary", 100_000);
  outbox.deliver(1, 1, false, 0, message(10));
  outbox.confirmed(1, 1);
  outbox.confirmed(2, 5);
  outbox.deliver(1, 2, false, 0, message(10));
  expect(socket.messages).toHaveLength(0);
  await settled();
  expect(socket.messages).toHaveLength(1);
  expect(socket.of("confirm")).toEqual([{ type: "confirm", first: 1, last: 5 }]);
  expect(socket.of("deliver")).toHaveLength(2);
});

test("a control frame keeps its place among message frames", async () => {
  const { socket, outbox } = newOutbox();
  outbox.configure("binary", 100_000);
  outbox.deliver(1, 1, false, 0, message(10));
  outbox.confirmed(1, 1);
  outbox.control({ type: "ok", id: 7 });
  outbox.deliver(1, 2, false, 0, message(10));
  await settled();
  expect(socket.frames.map(({ type }) => type)).toEqual(["deliver", "confirm", "ok", "deliver"]);
});

test("a return comes before the confirm of its number, and behind the confirms before it", async () => {
  const { socket, outbox } = newOutbox();
  outbox.configure("binary", 100_000);
  outbox.confirmed(1, 1);
  outbox.returned(2, "no-route", "No queue.", message(10));
  outbox.confirmed(2, 2);
  outbox.refused(3, "not-found", "No exchange.");
  outbox.confirmed(4, 4);
  await settled();
  expect(
    socket.frames.map(({ type, number, first, last, code }) => [type, number ?? `${first}-${last}`, code]),
  ).toEqual([
    ["confirm", "1-1", undefined],
    ["return", 2, "no-route"],
    ["confirm", "2-2", undefined],
    ["confirm", "3-3", "not-found"],
    ["confirm", "4-4", undefined],
  ]);
});

test("a WebSocket message is no larger than the client wants, except for a single message that is", async () => {
  const { socket, outbox } = newOutbox({ highWaterBytes: 1e6, maxBytes: 1e6 });
  outbox.configure("binary", 1024);
  for (let number = 1; number <= 50; number++) {
    outbox.deliver(1, number, number % 2 === 0, number % 3, message((number * 97) % 900));
    outbox.confirmed(2 * number, 2 * number);
    if (number % 7 === 0) outbox.refused(2 * number + 1, "not-found", "ä".repeat(200));
  }
  outbox.deliver(1, 51, false, 0, message(5000));
  outbox.deliver(1, 52, false, 0, message(10));
  await settled();
  const large = socket.messages.filter(({ bytes }) => bytes > 1024);
  expect(large.map(({ frames }) => frames.map(({ delivery }) => delivery))).toEqual([[51]]);
  expect(socket.of("deliver").map(({ delivery }) => delivery)).toEqual(
    Array.from({ length: 52 }, (_, i) => i + 1),
  );
});

test("there is no room above the high-water mark, and room again when half of it is sent", async () => {
  const { socket, outbox, events } = newOutbox();
  outbox.configure("binary", 100_000);
  socket.stopReading();
  expect(outbox.hasRoom()).toBe(true);
  outbox.deliver(1, 1, false, 0, message(10_000));
  expect(outbox.hasRoom()).toBe(false);
  await settled();
  expect(events).toEqual([]);
  socket.startReading();
  expect(events).toEqual(["room"]);
  expect(outbox.hasRoom()).toBe(true);
});

test("an outbox above its limit says so once, and once that enough was sent", async () => {
  const { socket, outbox, events } = newOutbox();
  socket.stopReading();
  const error = { type: "error", code: "not-found", message: "x".repeat(900) } as const;
  for (let sent = 0; sent < 100; sent++) outbox.control(error);
  expect(events).toEqual(["overfull"]);
  socket.startReading();
  await settled();
  expect(events).toEqual(["overfull", "drained"]);
});
