import { describe, expect, test } from "vitest";
import type { ErrorCode } from "../../protocol/errors.ts";
import type { PublishFrame } from "../../protocol/frames.ts";
import { connectToFake } from "../support/fake-client.ts";
import type { FakeConnection } from "../support/fake-server.ts";
import { settled } from "../support/manual-runtime.ts";

const decoder = new TextDecoder();
const bodies = (frames: readonly PublishFrame[]) => frames.map(({ message }) => decoder.decode(message.body));
const retry = { attempts: 4, initialDelayMs: 100, multiplier: 3, maxDelayMs: 500, jitter: 0 };

function refuse(broker: FakeConnection, number: number, code: ErrorCode = "queue-full"): void {
  broker.binary({ type: "confirm", first: number, last: number, error: { code, message: "No." } });
}

describe("a publish with retry", () => {
  test("is tried again after waits that grow up to the longest, and confirmed in the end", async () => {
    const { posthorn, broker, clock } = await connectToFake();
    const published = posthorn.queue("q").publish("a", { retry, messageId: "m" });
    await broker.publishes(1);
    for (const [i, delayMs] of [100, 300, 500].entries()) {
      refuse(broker, i + 1);
      await clock.advance(delayMs - 1);
      expect(broker.unread).toEqual([]);
      await clock.advance(1);
      expect(await broker.publishes(1)).toMatchObject([
        { number: i + 2, message: { properties: { messageId: "m" } } },
      ]);
    }
    broker.confirm(4);
    expect(await published).toEqual({ confirmed: true });
    expect(clock.timers).toBe(0);
  });

  test("rejects with the last refusal when there are no more attempts", async () => {
    const { posthorn, broker, clock } = await connectToFake();
    const published = posthorn.queue("q").publish("a", { retry: { ...retry, attempts: 2 } });
    published.catch(() => {});
    await broker.publishes(1);
    refuse(broker, 1);
    await clock.advance(100);
    await broker.publishes(1);
    refuse(broker, 2);
    await expect(published).rejects.toMatchObject({ code: "queue-full" });
  });

  test("leaves a part of each wait to chance", async () => {
    const { posthorn, broker, clock } = await connectToFake();
    clock.dice = 0.5;
    const published = posthorn.queue("q").publish("a", { retry: { ...retry, jitter: 0.4 } });
    await broker.publishes(1);
    refuse(broker, 1);
    await clock.advance(80);
    await broker.publishes(1);
    broker.confirm(2);
    await published;
  });

  test("is not tried again when the refusal will not pass", async () => {
    const { posthorn, broker, clock } = await connectToFake();
    const published = posthorn.queue("q").publish("a", { retry });
    await broker.publishes(1);
    refuse(broker, 1, "access-refused");
    await expect(published).rejects.toMatchObject({ code: "access-refused" });
    expect(clock.timers).toBe(0);
  });

  test("comes after what was published meanwhile, and before what waits for its turn", async () => {
    const { posthorn, broker, clock } = await connectToFake({ maxUnconfirmed: 2 });
    const queue = posthorn.queue("q");
    const published = ["a", "b"].map((body) => queue.publish(body, { retry }));
    await broker.publishes(2);
    refuse(broker, 1);
    broker.confirm(2);
    await settled();
    published.push(queue.publish("c"));
    published.push(queue.publish("d"));
    expect(bodies(await broker.publishes(1))).toEqual(["c"]);
    await clock.advance(100);
    expect(bodies(await broker.publishes(1))).toEqual(["a"]);
    broker.confirm(3, 4);
    expect(bodies(await broker.publishes(1))).toEqual(["d"]);
    broker.confirm(5);
    await Promise.all(published);
  });

  test("ends at once when its caller gives up", async () => {
    const { posthorn, broker, clock } = await connectToFake();
    const controller = new AbortController();
    const published = posthorn.queue("q").publish("a", { retry, signal: controller.signal });
    await broker.publishes(1);
    refuse(broker, 1);
    await settled();
    controller.abort();
    await expect(published).rejects.toMatchObject({ code: "aborted" });
    expect(clock.timers).toBe(0);
  });

  test("is waited for when the client closes, and rejects with its refusal when the time for that is over", async () => {
    const { posthorn, broker, clock } = await connectToFake();
    const published = posthorn.queue("q").publish("a", { retry });
    published.catch(() => {});
    await broker.publishes(1);
    refuse(broker, 1);
    await settled();
    const closing = posthorn.close({ timeoutMs: 50 });
    closing.catch(() => {});
    await clock.advance(50);
    await expect(published).rejects.toMatchObject({ code: "queue-full" });
  });

  test("is tried again after a reconnect, too", async () => {
    const { posthorn, broker, server, clock } = await connectToFake();
    const published = posthorn.queue("q").publish("a", { retry: { ...retry, initialDelayMs: 400 } });
    await broker.publishes(1);
    refuse(broker, 1);
    await settled();
    broker.drop();
    const accepted = server.accept();
    await clock.advance(100);
    const next = await accepted;
    await next.welcome();
    expect(next.unread).toEqual([]);
    await clock.advance(300);
    expect(bodies(await next.publishes(1))).toEqual(["a"]);
    next.confirm(1);
    await published;
  });

  test.each([
    [{ attempts: 0 }, "retry.attempts"],
    [{ initialDelayMs: -1 }, "retry.initialDelayMs"],
    [{ multiplier: 0.5 }, "retry.multiplier"],
    [{ maxDelayMs: Number.NaN }, "retry.maxDelayMs"],
    [{ jitter: 1.1 }, "retry.jitter"],
  ])("says which option is wrong: %o", async (options, option) => {
    const { posthorn } = await connectToFake();
    await expect(posthorn.queue("q").publish("a", { retry: options })).rejects.toMatchObject({
      code: "invalid-argument",
      details: { option },
    });
  });

  test("needs a confirm", async () => {
    const { posthorn } = await connectToFake();
    const published = posthorn.queue("q").publish("a", { retry: {}, confirm: false });
    await expect(published).rejects.toMatchObject({ code: "invalid-argument", details: { option: "retry" } });
  });
});
