import { expect, test } from "vitest";
import { queueSettings } from "../../protocol/queue-settings.ts";
import type { Lane } from "../../server/embedded/lane.ts";
import { Message } from "../../server/embedded/message.ts";
import { Queue, type QueueHost } from "../../server/embedded/queue.ts";
import { envelope, queueHost, queueNamed, textOf } from "../support/embedded.ts";

function queueOf(
  texts: readonly string[],
  properties = {},
): { queue: Queue; host: QueueHost; messages: Message[]; takeChanges: Lane["takeChanges"] } {
  let changedLane: Lane | undefined;
  const host = queueHost({
    changed: (lane) => {
      changedLane = lane;
    },
  });
  const queue = new Queue(1, queueNamed("q", properties), undefined, host);
  const messages = texts.map((text) => new Message(envelope(text), text.length, true, 0));
  for (const message of messages) queue.enqueue(message, -1);
  return { queue, host, messages, takeChanges: () => changedLane!.takeChanges() };
}

test("a message taken by mistake goes back without a trace", () => {
  const { queue } = queueOf(["1", "2"]);
  queue.undoTake(queue.take(undefined)!);
  expect(queue.readyCount).toBe(2);
  expect(queue.unsettledCount).toBe(0);
  const entry = queue.take(undefined)!;
  expect([textOf(entry), entry.redelivered, entry.attempts]).toEqual(["1", false, 0]);
});

test("a deleted queue keeps nothing in memory, nor takes anything back, nor has anything written", () => {
  const { queue, host, messages, takeChanges } = queueOf(["1", "2", "3", "4"]);
  const [first, second, third] = [queue.take(undefined)!, queue.take(undefined)!, queue.take(undefined)!];
  queue.delete();
  queue.putBack(first, "requeue");
  queue.undoTake(second);
  queue.finish(third);
  expect(queue.readyCount).toBe(0);
  expect(queue.unsettledCount).toBe(0);
  expect(host.memory.usedBytes).toBe(0);
  expect(messages.map(({ unwritten }) => unwritten)).toEqual([0, 0, 0, 0]);
  expect(takeChanges()).toMatchObject({ appended: [], settled: [], attempted: [], dropped: [] });
});

test("a deleted queue of which something was written is dropped whole, once", () => {
  const { queue, takeChanges } = queueOf(["1", "2"]);
  takeChanges();
  queue.finish(queue.take(undefined)!);
  queue.delete();
  expect(takeChanges()).toMatchObject({
    appended: [],
    settled: [],
    dropped: [{ queue: 1, fromSeq: 0, toSeq: Number.POSITIVE_INFINITY }],
  });
  expect(takeChanges().dropped).toEqual([]);
});

test("what a queue counts is what it has written and not settled", () => {
  const { queue, takeChanges } = queueOf(["a", "bb", "ccc"]);
  queue.finish(queue.take(undefined)!);
  expect(takeChanges().counters).toEqual({ nextSeq: 4, messages: 2, bytes: 5 });
  queue.finish(queue.take(undefined)!);
  expect(takeChanges().counters).toEqual({ nextSeq: 4, messages: 1, bytes: 3 });
  queue.purge();
  expect(takeChanges().counters).toEqual({ nextSeq: 4, messages: 0, bytes: 0 });
});

test("a message settled twice counts once", () => {
  const { queue, takeChanges } = queueOf(["a", "bb"]);
  takeChanges();
  const entry = queue.take(undefined)!;
  queue.finish(entry);
  queue.finish(entry);
  queue.putBack(entry, "requeue");
  expect(queue.readyCount).toBe(1);
  const { settled, counters } = takeChanges();
  expect(settled).toHaveLength(1);
  expect(counters.messages).toBe(1);
});

test("an exclusive queue is not durable, whatever was declared", () => {
  const { host } = queueOf([]);
  const queue = new Queue(2, queueNamed("mine", { exclusive: true, durable: true }), { name: "me" }, host);
  expect(queue.durable).toBe(false);
});

test("settings that change hold at once, and deliveries are looked at again", () => {
  let wakes = 0;
  const { host } = queueOf([]);
  const queue = new Queue(2, queueNamed("q"), undefined, { ...host, wake: () => wakes++ });
  queue.applySettings(queueSettings({ maxLength: 5 }));
  expect([queue.settings.maxLength, wakes]).toEqual([5, 1]);
});
