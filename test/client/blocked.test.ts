import { describe, expect, test } from "vitest";
import type { ErrorCode } from "../../protocol/errors.ts";
import type { PublishFrame } from "../../protocol/frames.ts";
import { connectToFake, reconnect } from "../support/fake-client.ts";
import type { FakeConnection } from "../support/fake-server.ts";
import { settled } from "../support/manual-runtime.ts";

const decoder = new TextDecoder();
const bodies = (frames: readonly PublishFrame[]) => frames.map(({ message }) => decoder.decode(message.body));
const notice = { code: "disk-full", message: "The disk is full." } as const;

async function block(broker: FakeConnection, code: ErrorCode = "disk-full"): Promise<void> {
  broker.control({ type: "blocked", code, message: "The disk is full." });
  await settled();
}

async function unblock(broker: FakeConnection): Promise<void> {
  broker.control({ type: "unblocked" });
  await settled();
}

function refuse(broker: FakeConnection, first: number, last = first, code: ErrorCode = "disk-full"): void {
  broker.binary({ type: "confirm", first, last, error: { code, message: "The disk is full." } });
}

describe("while the broker is blocked", () => {
  test("nothing is published, and afterwards everything is, in order", async () => {
    const { posthorn, broker } = await connectToFake();
    await block(broker);
    const published = ["a", "b", "c"].map((body) => posthorn.queue("q").publish(body));
    published.push(posthorn.queue("q").publish("d", { confirm: false }));
    await settled();
    expect(broker.unread).toEqual([]);
    await unblock(broker);
    const frames = await broker.publishes(4);
    expect(bodies(frames)).toEqual(["a", "b", "c", "d"]);
    expect(frames.map(({ number }) => number)).toEqual([1, 2, 3, 4]);
    broker.confirm(1, 3);
    expect(await Promise.all(published)).toEqual([
      { confirmed: true },
      { confirmed: true },
      { confirmed: true },
      { confirmed: false },
    ]);
  });

  test("`blocked` says why, and the events say when", async () => {
    const { posthorn, broker } = await connectToFake();
    const heard: unknown[] = [];
    posthorn.on("blocked", (why) => heard.push(why));
    posthorn.on("unblocked", () => heard.push("unblocked"));
    expect(posthorn.blocked).toBeUndefined();
    await block(broker);
    expect(posthorn.blocked).toEqual(notice);
    await block(broker, "memory-high");
    expect(posthorn.blocked?.code).toBe("memory-high");
    await unblock(broker);
    expect(posthorn.blocked).toBeUndefined();
    expect(heard).toEqual([notice, { ...notice, code: "memory-high" }, "unblocked"]);
  });

  test("`ready` waits, and requests and settlements go on", async () => {
    const { posthorn, broker } = await connectToFake();
    await block(broker);
    let isReady = false;
    const ready = posthorn.ready().then(() => {
      isReady = true;
    });
    const checked = posthorn.queue("q").check();
    await broker.answer("queue.declare", { queue: "q", messageCount: 0, consumerCount: 0 });
    await checked;
    expect(isReady).toBe(false);
    await unblock(broker);
    await ready;
  });

  test("what was under way and is refused is sent again, before what came later", async () => {
    const { posthorn, broker } = await connectToFake();
    const queue = posthorn.queue("q");
    const published = ["a", "b", "c", "d"].map((body) => queue.publish(body));
    await broker.publishes(4);
    broker.control({ type: "blocked", ...notice });
    refuse(broker, 2);
    refuse(broker, 3);
    broker.confirm(1);
    await settled();
    published.push(queue.publish("e"));
    broker.confirm(4);
    await unblock(broker);
    const frames = await broker.publishes(3);
    expect(bodies(frames)).toEqual(["b", "c", "e"]);
    expect(frames.map(({ number }) => number)).toEqual([5, 6, 7]);
    broker.confirm(5, 7);
    expect(await Promise.all(published)).toEqual(Array(5).fill({ confirmed: true }));
  });

  test("what is refused a second time is sent a third time", async () => {
    const { posthorn, broker } = await connectToFake();
    const published = posthorn.queue("q").publish("a", { mandatory: true });
    await broker.publishes(1);
    for (const number of [1, 2]) {
      broker.control({ type: "blocked", ...notice });
      refuse(broker, number);
      await unblock(broker);
      expect(await broker.publishes(1)).toMatchObject([{ number: number + 1, mandatory: true }]);
    }
    broker.confirm(3);
    expect(await published).toEqual({ confirmed: true });
  });

  test("what was refused is sent again after a reconnect, in order with the rest", async () => {
    const world = await connectToFake();
    const { posthorn, broker } = world;
    const events: string[] = [];
    posthorn.on("unblocked", () => events.push("unblocked"));
    const published = ["a", "b", "c"].map((body) => posthorn.queue("q").publish(body));
    await broker.publishes(3);
    broker.control({ type: "blocked", ...notice });
    refuse(broker, 2, 3);
    await settled();
    published.push(posthorn.queue("q").publish("d"));
    const next = await reconnect(world, broker);
    expect(bodies(await next.publishes(4))).toEqual(["a", "b", "c", "d"]);
    expect(events).toEqual(["unblocked"]);
    next.confirm(1, 4);
    await Promise.all(published);
  });

  test("what its caller gives up is not sent again", async () => {
    const { posthorn, broker } = await connectToFake();
    const controllers = [new AbortController(), new AbortController()];
    const [before, after] = controllers.map(({ signal }) =>
      posthorn.queue("q").publish("given up", { signal }),
    );
    const kept = posthorn.queue("q").publish("kept");
    await broker.publishes(3);
    broker.control({ type: "blocked", ...notice });
    await settled();
    controllers[0]!.abort();
    await expect(before).rejects.toMatchObject({ code: "aborted" });
    refuse(broker, 1, 3);
    await settled();
    controllers[1]!.abort();
    await expect(after).rejects.toMatchObject({ code: "aborted" });
    await unblock(broker);
    expect(bodies(await broker.publishes(1))).toEqual(["kept"]);
    broker.confirm(4);
    await kept;
    await posthorn.ready();
    expect(broker.unread).toEqual([]);
  });

  test("no more waits than the buffer may hold", async () => {
    const { posthorn, broker } = await connectToFake({
      maxUnconfirmed: 2,
      publishBuffer: { maxMessages: 3 },
    });
    await block(broker);
    const waiting = [1, 2, 3, 4, 5].map((n) => posthorn.queue("q").publish(`${n}`));
    await expect(posthorn.queue("q").publish("6")).rejects.toMatchObject({ code: "buffer-full" });
    await unblock(broker);
    expect(bodies(await broker.publishes(2))).toEqual(["1", "2"]);
    broker.confirm(1, 2);
    await broker.publishes(2);
    broker.confirm(3, 4);
    await broker.publishes(1);
    broker.confirm(5);
    await Promise.all(waiting);
  });

  test("closing rejects what could not be sent", async () => {
    const { posthorn, broker, clock } = await connectToFake();
    await block(broker);
    const published = posthorn.queue("q").publish("a");
    const rejected = expect(published).rejects.toMatchObject({ code: "closed" });
    const closing = expect(posthorn.close({ timeoutMs: 1000 })).rejects.toMatchObject({
      code: "timeout",
      details: { unconfirmed: 1 },
    });
    await clock.advance(1000);
    await closing;
    await rejected;
  });

  test('with whenBlocked "reject" publishes reject, those under way and new ones', async () => {
    const { posthorn, broker } = await connectToFake({ whenBlocked: "reject" });
    const published = posthorn.queue("q").publish("a");
    await broker.publishes(1);
    broker.control({ type: "blocked", ...notice });
    refuse(broker, 1);
    await expect(published).rejects.toMatchObject({ ...notice, retry: true });
    await expect(posthorn.queue("q").publish("b")).rejects.toMatchObject(notice);
    await unblock(broker);
    const later = posthorn.queue("q").publish("c");
    await broker.publishes(1);
    broker.confirm(2);
    await later;
  });

  test("a refusal without confirm is an error event, as it cannot be sent again", async () => {
    const { posthorn, broker } = await connectToFake();
    const errors: unknown[] = [];
    posthorn.on("error", (error) => errors.push(error));
    await posthorn.queue("q").publish("a", { confirm: false });
    await broker.publishes(1);
    broker.control({ type: "blocked", ...notice });
    refuse(broker, 1);
    await settled();
    expect(errors).toMatchObject([notice]);
  });
});

test("a broker that refuses for want of room without having said `blocked` is taken at its word", async () => {
  const { posthorn, broker } = await connectToFake();
  const published = posthorn.queue("q").publish("a");
  await broker.publishes(1);
  refuse(broker, 1);
  await expect(published).rejects.toMatchObject(notice);
});
