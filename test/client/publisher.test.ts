import { describe, expect, test } from "vitest";
import { PosthornError, ReturnedError } from "../../client/index.ts";
import { connectToFake, reconnect } from "../support/fake-client.ts";
import { message } from "../support/fake-server.ts";
import { settled } from "../support/manual-runtime.ts";

const decoder = new TextDecoder();
const bodies = (frames: readonly { message: { body: Uint8Array } }[]) =>
  frames.map((frame) => decoder.decode(frame.message.body));

/** Whether a promise is through, and how. */
async function fate(promise: Promise<unknown>): Promise<unknown> {
  await settled();
  const open = Symbol("open");
  const result = await Promise.race([
    promise.then(
      (value) => value,
      (error: unknown) => error,
    ),
    Promise.resolve(open),
  ]);
  return result === open ? "open" : result;
}

describe("publishing", () => {
  test("a publish resolves when its confirm comes, not before", async () => {
    const { posthorn, broker } = await connectToFake();
    const published = posthorn.exchange("orders").publish("order.placed", { id: 1 }, { messageId: "m1" });
    const frame = await broker.expect("publish");
    expect(frame).toMatchObject({
      number: 1,
      mandatory: false,
      confirm: true,
      message: {
        exchange: "orders",
        routingKey: "order.placed",
        properties: { persistent: true, contentType: "application/json", messageId: "m1" },
      },
    });
    expect(bodies([frame])).toEqual(['{"id":1}']);
    expect(await fate(published)).toBe("open");
    broker.confirm(1);
    expect(await published).toEqual({ confirmed: true });
  });

  test("all publishes of one tick leave in one WebSocket message", async () => {
    const { posthorn, broker } = await connectToFake();
    const exchange = posthorn.exchange("orders");
    for (let i = 0; i < 100; i++) exchange.publish("k", `${i}`, { confirm: false });
    await broker.publishes(100);
    expect(broker.messages.map((frames) => frames.length)).toEqual([1, 100]);
  });

  test("a batch is not larger than what the broker accepts", async () => {
    const { posthorn, server, broker: first, clock } = await connectToFake();
    first.drop();
    await clock.advance(0);
    const publishes = [1, 2, 3].map(() => posthorn.defaultExchange.publish("q", new Uint8Array(1000)));
    await clock.advance(100);
    const broker = await server.welcome(0, { maxFrameBytes: 2500 });
    await broker.publishes(3);
    expect(broker.messages.map((frames) => frames.length)).toEqual([1, 2, 1]);
    broker.confirm(1, 3);
    await Promise.all(publishes);
  });

  test("a message beyond the broker's limits is refused without being sent", async () => {
    const { posthorn, server, broker: first, clock } = await connectToFake();
    first.drop();
    await clock.advance(100);
    await server.welcome(0, { maxMessageBytes: 10 });
    await settled();
    await expect(posthorn.defaultExchange.publish("q", "eleven char")).rejects.toMatchObject({
      code: "message-too-large",
    });
  });

  test("confirms name ranges, in any order", async () => {
    const { posthorn, broker } = await connectToFake();
    const publishes = [1, 2, 3, 4, 5].map((i) => posthorn.defaultExchange.publish("q", `${i}`));
    await broker.publishes(5);
    broker.confirm(4, 5);
    await Promise.all([publishes[3], publishes[4]]);
    expect(await Promise.all(publishes.slice(0, 3).map(fate))).toEqual(["open", "open", "open"]);
    broker.confirm(1, 3);
    await Promise.all(publishes);
  });

  test("a refused publish rejects with the broker's code, its neighbours do not", async () => {
    const { posthorn, broker } = await connectToFake();
    const [one, two, three] = [1, 2, 3].map((i) => posthorn.exchange("gone").publish("k", `${i}`));
    await broker.publishes(3);
    broker.binary(
      { type: "confirm", first: 2, last: 2, error: { code: "not-found", message: "no exchange" } },
      { type: "confirm", first: 1, last: 1, error: undefined },
      { type: "confirm", first: 3, last: 3, error: undefined },
    );
    await Promise.all([one, three]);
    const error = await two?.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(PosthornError);
    expect(error).toMatchObject({ code: "not-found", message: "no exchange" });
  });

  test("a returned message rejects its publish with the message in the error, after the return and not before the confirm", async () => {
    const { posthorn, broker } = await connectToFake();
    const returns: ReturnedError[] = [];
    posthorn.on("return", (error) => returns.push(error));
    const published = posthorn.exchange("orders").publish("nowhere", "hello", { mandatory: true });
    published.catch(() => {});
    const frame = await broker.expect("publish");
    expect(frame.mandatory).toBe(true);
    const error = { code: "no-route", message: "No queue is bound." } as const;
    broker.binary({ type: "return", number: 1, error, message: message("hello") });
    expect(await fate(published)).toBe("open");
    broker.confirm(1);
    const reason = await published.catch((thrown: unknown) => thrown);
    expect(reason).toBeInstanceOf(ReturnedError);
    expect(reason).toMatchObject({ code: "no-route" });
    expect((reason as ReturnedError).returned.text()).toBe("hello");
    expect(returns).toEqual([reason]);
  });

  test("no more than maxUnconfirmed messages are under way; the others follow in order as confirms come", async () => {
    const { posthorn, broker } = await connectToFake({ maxUnconfirmed: 2 });
    const publishes = [1, 2, 3, 4, 5].map((i) => posthorn.defaultExchange.publish("q", `${i}`));
    expect(bodies(await broker.publishes(2))).toEqual(["1", "2"]);
    await settled();
    expect(broker.unread).toEqual([]);
    broker.confirm(1, 2);
    expect(bodies(await broker.publishes(2))).toEqual(["3", "4"]);
    broker.confirm(4);
    expect(bodies(await broker.publishes(1))).toEqual(["5"]);
    broker.confirm(3, 5);
    await Promise.all(publishes);
  });

  test("ready() resolves when the window has room again", async () => {
    const { posthorn, broker } = await connectToFake({ maxUnconfirmed: 1 });
    await posthorn.ready();
    const published = posthorn.defaultExchange.publish("q", "1");
    const ready = posthorn.ready();
    await broker.publishes(1);
    expect(await fate(ready)).toBe("open");
    broker.confirm(1);
    await Promise.all([published, ready]);
  });

  test("the window also counts bytes, and lets a single larger message pass", async () => {
    const { posthorn, broker } = await connectToFake({ maxUnconfirmedBytes: 1000 });
    const publishes = [2000, 400, 400, 400].map((size) =>
      posthorn.defaultExchange.publish("q", new Uint8Array(size)),
    );
    await broker.publishes(1);
    await settled();
    expect(broker.unread).toHaveLength(0);
    broker.confirm(1);
    await broker.publishes(2);
    await settled();
    expect(broker.unread).toHaveLength(0);
    broker.confirm(2, 3);
    await broker.publishes(1);
    broker.confirm(4);
    await Promise.all(publishes);
  });

  test("without confirm a publish resolves at once, takes no place in the window, and a refusal is an error event", async () => {
    const { posthorn, broker } = await connectToFake({ maxUnconfirmed: 1 });
    const errors: unknown[] = [];
    posthorn.on("error", (error) => errors.push(error));
    const exchange = posthorn.exchange("orders");
    expect(await exchange.publish("k", "1", { confirm: false })).toEqual({ confirmed: false });
    await exchange.publish("k", "2", { confirm: false });
    const third = exchange.publish("k", "3");
    expect((await broker.publishes(3)).map((frame) => [frame.number, frame.confirm])).toEqual([
      [1, false],
      [2, false],
      [3, true],
    ]);
    const error = { code: "not-found", message: "no exchange" } as const;
    broker.binary({ type: "confirm", first: 2, last: 2, error });
    broker.confirm(3);
    await third;
    expect(errors).toMatchObject([{ code: "not-found" }]);
  });

  test("without confirm a publish waits while the socket is full", async () => {
    const { posthorn, broker, clock } = await connectToFake();
    broker.socket!.bufferedAmount = 10 * 1024 * 1024;
    const published = posthorn.defaultExchange.publish("q", "1", { confirm: false });
    await clock.advance(100);
    expect(await fate(published)).toBe("open");
    broker.socket!.bufferedAmount = 0;
    await clock.advance(10);
    await published;
  });

  test("a message without confirm does not overtake one that waits for the window", async () => {
    const { posthorn, broker } = await connectToFake({ maxUnconfirmed: 1 });
    const exchange = posthorn.exchange("orders");
    const publishes = [
      exchange.publish("k", "1"),
      exchange.publish("k", "2"),
      exchange.publish("k", "3", { confirm: false }),
    ];
    await broker.publishes(1);
    broker.confirm(1);
    expect(bodies(await broker.publishes(2))).toEqual(["2", "3"]);
    broker.confirm(2);
    await Promise.all(publishes);
  });

  test("what a property cannot hold is refused before anything is sent", async () => {
    const { posthorn, broker } = await connectToFake();
    const exchange = posthorn.exchange("orders");
    const invalid = { code: "invalid-argument" };
    await expect(exchange.publish("k".repeat(256), "x")).rejects.toMatchObject(invalid);
    await expect(exchange.publish("k", "x", { priority: 300 })).rejects.toMatchObject(invalid);
    await expect(exchange.publish("k", undefined)).rejects.toMatchObject(invalid);
    await expect(exchange.publish("k", () => {})).rejects.toMatchObject(invalid);
    await expect(exchange.publish("k", 12n)).rejects.toMatchObject(invalid);
    await expect(exchange.publish("k", new Blob(["x"]))).rejects.toMatchObject(invalid);
    await settled();
    expect(broker.unread).toEqual([]);
  });

  test("a body may be changed once publish has returned", async () => {
    const { posthorn, broker } = await connectToFake({ maxUnconfirmed: 1 });
    const body = new TextEncoder().encode("one");
    posthorn.defaultExchange.publish("q", body).catch(() => {});
    body.set(new TextEncoder().encode("two"));
    posthorn.defaultExchange.publish("q", body).catch(() => {});
    body.fill(0);
    expect(bodies(await broker.publishes(1))).toEqual(["one"]);
    broker.confirm(1);
    expect(bodies(await broker.publishes(1))).toEqual(["two"]);
  });

  test("an aborted publish rejects, and is not sent if it had not been", async () => {
    const { posthorn, broker } = await connectToFake({ maxUnconfirmed: 1 });
    const first = posthorn.defaultExchange.publish("q", "1");
    const abort = new AbortController();
    const second = posthorn.defaultExchange.publish("q", "2", { signal: abort.signal });
    const third = posthorn.defaultExchange.publish("q", "3");
    abort.abort();
    await expect(second).rejects.toMatchObject({ code: "aborted" });
    await broker.publishes(1);
    broker.confirm(1);
    expect(bodies(await broker.publishes(1))).toEqual(["3"]);
    broker.confirm(2);
    await Promise.all([first, third]);
    const late = posthorn.defaultExchange.publish("q", "4", { signal: abort.signal });
    await expect(late).rejects.toMatchObject({ code: "aborted" });
  });
});

describe("publishing across a reconnect", () => {
  test("what has no confirm is sent again, numbered from 1, in the original order, before what came later", async () => {
    const world = await connectToFake();
    const { posthorn, broker, clock } = world;
    const publishes = ["a", "b", "c", "d"].map((body) => posthorn.defaultExchange.publish("q", body));
    await broker.publishes(4);
    broker.confirm(2);
    await publishes[1];
    broker.drop();
    await clock.advance(0);
    expect(posthorn.state).toBe("reconnecting");
    publishes.push(posthorn.defaultExchange.publish("q", "e"));
    const again = await reconnect(world, broker);
    publishes.push(posthorn.defaultExchange.publish("q", "f"));
    const frames = await again.publishes(5);
    expect(bodies(frames)).toEqual(["a", "c", "d", "e", "f"]);
    expect(frames.map((frame) => frame.number)).toEqual([1, 2, 3, 4, 5]);
    again.confirm(1, 5);
    await Promise.all(publishes);
  });

  test("what was written but not yet flushed when the connection broke is sent too", async () => {
    const world = await connectToFake();
    const { posthorn, broker } = world;
    broker.socket!.ended(1006, "");
    const during = posthorn.defaultExchange.publish("q", "during");
    const again = await reconnect(world, broker);
    expect(bodies(await again.publishes(1))).toEqual(["during"]);
    again.confirm(1);
    await during;

    const before = posthorn.defaultExchange.publish("q", "before");
    again.socket!.ended(1006, "");
    const third = await reconnect(world, again);
    expect(bodies(await third.publishes(1))).toEqual(["before"]);
    third.confirm(1);
    await before;
  });

  test("a return from before the reconnect does not count after it", async () => {
    const world = await connectToFake();
    const { posthorn, broker } = world;
    const published = posthorn.exchange("orders").publish("k", "x", { mandatory: true });
    await broker.publishes(1);
    const error = { code: "no-route", message: "No queue." } as const;
    broker.binary({ type: "return", number: 1, error, message: message("x") });
    await settled();
    const again = await reconnect(world, broker);
    await again.publishes(1);
    again.confirm(1);
    expect(await published).toEqual({ confirmed: true });
  });

  test("an aborted publish is not sent again", async () => {
    const world = await connectToFake();
    const { posthorn, broker } = world;
    const abort = new AbortController();
    const aborted = posthorn.defaultExchange.publish("q", "1", { signal: abort.signal });
    const kept = posthorn.defaultExchange.publish("q", "2");
    await broker.publishes(2);
    abort.abort();
    await expect(aborted).rejects.toMatchObject({ code: "aborted" });
    const again = await reconnect(world, broker);
    expect(bodies(await again.publishes(1))).toEqual(["2"]);
    again.confirm(1);
    await kept;
  });

  test("the buffer for publishes while disconnected is bounded in messages and bytes", async () => {
    const world = await connectToFake({ publishBuffer: { maxMessages: 2, maxBytes: 1000 } });
    const { posthorn, broker, clock } = world;
    broker.drop();
    await clock.advance(0);
    const kept = posthorn.defaultExchange.publish("q", "1");
    await expect(posthorn.defaultExchange.publish("q", new Uint8Array(1000))).rejects.toMatchObject({
      code: "buffer-full",
    });
    const alsoKept = posthorn.defaultExchange.publish("q", "2");
    await expect(posthorn.defaultExchange.publish("q", "3")).rejects.toMatchObject({ code: "buffer-full" });
    const again = await reconnect(world, broker);
    expect(bodies(await again.publishes(2))).toEqual(["1", "2"]);
    again.confirm(1, 2);
    await Promise.all([kept, alsoKept]);
  });

  test("when the connection is given up, publishes of unknown fate reject with connection-closed", async () => {
    const { posthorn, broker } = await connectToFake({ reconnect: false });
    const published = posthorn.defaultExchange.publish("q", "1");
    await broker.publishes(1);
    broker.drop();
    await expect(published).rejects.toMatchObject({ code: "connection-closed" });
    expect(posthorn.state).toBe("closed");
    await expect(posthorn.defaultExchange.publish("q", "2")).rejects.toMatchObject({
      code: "connection-closed",
    });
    await expect(posthorn.ready()).rejects.toMatchObject({ code: "connection-closed" });
  });
});
