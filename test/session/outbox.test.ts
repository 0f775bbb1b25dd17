import { describe, expect, test } from "vitest";
import { encodeMessage } from "../../protocol/index.ts";
import type { Delivery } from "../../server/engine/engine.ts";
import { Outbox } from "../../server/session/outbox.ts";
import { SharedDeliveries } from "../../server/session/shared-deliveries.ts";
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

function delivery(envelope: Uint8Array, redelivered = false): Delivery {
  return { envelope, redelivered, attempts: 0, history: undefined };
}

function newOutbox(limits = { highWaterBytes: 10_000, maxBytes: 50_000 }, shared = new SharedDeliveries()) {
  const socket = new FakeSocket();
  const events: string[] = [];
  const listeners = {
    onRoom: () => events.push("room"),
    onOverfull: () => events.push("overfull"),
    onDrained: () => events.push("drained"),
  };
  const outbox = new Outbox(socket, limits, listeners, shared);
  return { socket, outbox, events };
}

test("message frames of one turn go out as one WebSocket message", async () => {
  const { socket, outbox } = newOutbox();
  outbox.configure("binary", 100_000);
  outbox.deliver(1, 1, delivery(message(10)));
  outbox.confirmed(1, 1);
  outbox.confirmed(2, 5);
  outbox.deliver(1, 2, delivery(message(10)));
  expect(socket.messages).toHaveLength(0);
  await settled();
  expect(socket.messages).toHaveLength(1);
  expect(socket.of("confirm")).toEqual([{ type: "confirm", first: 1, last: 5 }]);
  expect(socket.of("deliver")).toHaveLength(2);
});

test("a control frame keeps its place among message frames", async () => {
  const { socket, outbox } = newOutbox();
  outbox.configure("binary", 100_000);
  outbox.deliver(1, 1, delivery(message(10)));
  outbox.confirmed(1, 1);
  outbox.control({ type: "ok", id: 7 });
  outbox.deliver(1, 2, delivery(message(10)));
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
    outbox.deliver(1, number, delivery(message((number * 97) % 900), number % 2 === 0));
    outbox.confirmed(2 * number, 2 * number);
    if (number % 7 === 0) outbox.refused(2 * number + 1, "not-found", "ä".repeat(200));
  }
  outbox.deliver(1, 51, delivery(message(5000)));
  outbox.deliver(1, 52, delivery(message(10)));
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
  outbox.deliver(1, 1, delivery(message(10_000)));
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

describe("deliveries without numbers", () => {
  const unlimited = { highWaterBytes: 10_000_000, maxBytes: 10_000_000 };

  test("are the very same bytes for everyone who gets the same", async () => {
    const shared = new SharedDeliveries();
    const boxes = [newOutbox(unlimited, shared), newOutbox(unlimited, shared), newOutbox(unlimited, shared)];
    const [one, other] = [message(10), message(20)];
    boxes[0]!.outbox.configure("binary", 100_000);
    boxes[1]!.outbox.configure("binary", 100_000);
    boxes[2]!.outbox.configure("binary", 100_000);
    boxes[0]!.outbox.deliverUnnumbered(1, [delivery(one), delivery(other)]);
    boxes[1]!.outbox.deliverUnnumbered(1, [delivery(one), delivery(other)]);
    boxes[2]!.outbox.deliverUnnumbered(2, [delivery(one), delivery(other)]);
    await settled();
    const sent = boxes.map(({ socket }) => socket.messages);
    expect(sent.map(({ length }) => length)).toEqual([1, 1, 1]);
    expect(sent[0]![0]!.data).toBe(sent[1]![0]!.data);
    expect(sent[0]![0]!.data).not.toBe(sent[2]![0]!.data);
    expect(boxes[2]!.socket.of("deliver").map(({ consumer }) => consumer)).toEqual([2, 2]);
  });

  test("are shared again after a long time in which nobody had anything in common", async () => {
    const shared = new SharedDeliveries();
    const lone = newOutbox(unlimited, shared);
    lone.outbox.configure("binary", 100_000);
    for (let count = 0; count < 1000; count++)
      lone.outbox.deliverUnnumbered(count + 1, [delivery(message(1))]);
    const boxes = Array.from({ length: 100 }, () => newOutbox(unlimited, shared));
    const one = message(10);
    for (const { outbox } of boxes) {
      outbox.configure("binary", 100_000);
      outbox.deliverUnnumbered(1, [delivery(one)]);
    }
    await settled();
    expect(lone.socket.of("deliver")).toHaveLength(1000);
    expect(new Set(boxes.map(({ socket }) => socket.messages[0]!.data)).size).toBeLessThan(70);
    for (const { socket } of boxes) expect(socket.of("deliver")).toHaveLength(1);
  });

  test("of messages that came back say so, to whom they came back only", async () => {
    const shared = new SharedDeliveries();
    const [first, second] = [newOutbox(unlimited, shared), newOutbox(unlimited, shared)];
    const one = message(10);
    for (const { outbox } of [first, second]) outbox.configure("binary", 100_000);
    first.outbox.deliverUnnumbered(1, [delivery(one, true)]);
    second.outbox.deliverUnnumbered(1, [delivery(one)]);
    await settled();
    expect(first.socket.of("deliver")[0]).toMatchObject({ redelivered: true });
    expect(second.socket.of("deliver")[0]).not.toHaveProperty("redelivered");
  });

  test("go with what else is written in the same turn, in order", async () => {
    const { socket, outbox } = newOutbox(unlimited);
    outbox.configure("binary", 100_000);
    outbox.deliverUnnumbered(1, [delivery(message(1))]);
    outbox.deliverUnnumbered(2, [delivery(message(2)), delivery(message(3))]);
    outbox.deliver(3, 1, delivery(message(4)));
    outbox.confirmed(1, 1);
    await settled();
    expect(socket.messages).toHaveLength(1);
    expect(socket.of("deliver").map(({ consumer }) => consumer)).toEqual([1, 2, 2, 3]);
    expect(socket.frames.at(-1)).toMatchObject({ type: "confirm" });
  });

  test("keep to the largest frame that the client takes", async () => {
    const { socket, outbox } = newOutbox(unlimited);
    outbox.configure("binary", 1024);
    outbox.deliverUnnumbered(1, [delivery(message(600)), delivery(message(600)), delivery(message(600))]);
    await settled();
    expect(socket.messages).toHaveLength(3);
    expect(socket.of("deliver")).toHaveLength(3);
  });

  test("are text for a client that speaks JSON", async () => {
    const { socket, outbox } = newOutbox(unlimited);
    outbox.configure("json", 100_000);
    outbox.deliverUnnumbered(1, [delivery(message(1)), delivery(message(2))]);
    await settled();
    expect(socket.messages.map(({ data }) => typeof data)).toEqual(["string", "string"]);
  });
});
