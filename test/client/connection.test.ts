import { describe, expect, test } from "vitest";
import { connectWith } from "../../client/connect.ts";
import type { StateChange } from "../../client/index.ts";
import { PosthornError } from "../../client/index.ts";
import { connectToFake, reconnect } from "../support/fake-client.ts";
import { FakeServer, limits } from "../support/fake-server.ts";
import { ManualRuntime, settled } from "../support/manual-runtime.ts";

function dial(server: FakeServer, clock: ManualRuntime, options = {}) {
  return connectWith(clock, "ws://broker", { webSocket: server.webSocket, ...options });
}

describe("connecting", () => {
  test("hello asks for binary frames and carries credentials, name and heartbeat", async () => {
    const server = new FakeServer();
    const connecting = dial(server, new ManualRuntime(), { user: "ann", password: "pw", name: "shop" });
    const broker = await server.accept();
    expect(await broker.welcome()).toEqual({
      type: "hello",
      id: 1,
      protocol: 1,
      encoding: "binary",
      heartbeatMs: 20_000,
      client: { product: "posthorn-js", name: "shop" },
      credentials: { user: "ann", password: "pw" },
    });
    expect((await connecting).state).toBe("open");
  });

  test("connect rejects with authentication-failed when the credentials are wrong, and does not try again", async () => {
    const server = new FakeServer();
    const clock = new ManualRuntime();
    const connecting = dial(server, clock, { user: "ann", password: "wrong" });
    const broker = await server.accept();
    const { id } = await broker.expect("hello");
    broker.control({ type: "error", id, code: "authentication-failed", message: "Wrong password." });
    broker.close(4503);
    const error = await connecting.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(PosthornError);
    expect(error).toMatchObject({ code: "authentication-failed", message: "Wrong password." });
    await clock.advance(60_000);
    expect(server.attempts).toBe(1);
    expect(clock.timers).toBe(0);
  });

  test("connect tells the meaning of a close code", async () => {
    const server = new FakeServer();
    const connecting = dial(server, new ManualRuntime());
    const broker = await server.accept();
    await broker.expect("hello");
    broker.close(4004);
    await expect(connecting).rejects.toMatchObject({ code: "too-many-connections" });
  });

  test("connect rejects with connect-failed when nobody listens", async () => {
    const server = new FakeServer();
    server.down = true;
    await expect(dial(server, new ManualRuntime())).rejects.toMatchObject({ code: "connect-failed" });
  });

  test("connect rejects with connect-failed when the broker says nothing in time", async () => {
    const server = new FakeServer();
    const clock = new ManualRuntime();
    const connecting = dial(server, clock, { connectTimeoutMs: 500 });
    const outcome = expect(connecting).rejects.toMatchObject({ code: "connect-failed" });
    const broker = await server.accept();
    await clock.advance(500);
    await outcome;
    expect(broker.closedByClient).toBeDefined();
  });

  test("connect rejects when the broker closes in the same breath as it welcomes", async () => {
    const server = new FakeServer();
    const connecting = dial(server, new ManualRuntime());
    const broker = await server.accept();
    const { id } = await broker.expect("hello");
    broker.socket?.onmessage?.({ data: JSON.stringify({ type: "welcome", id, heartbeatMs: 0, limits }) });
    broker.socket?.ended(4000, "");
    await expect(connecting).rejects.toMatchObject({ code: "shutting-down" });
  });

  test("connect can be aborted", async () => {
    const server = new FakeServer();
    const abort = new AbortController();
    const connecting = dial(server, new ManualRuntime(), { signal: abort.signal });
    const broker = await server.accept();
    abort.abort();
    await expect(connecting).rejects.toMatchObject({ code: "aborted" });
    expect(broker.closedByClient).toBeDefined();
  });

  test("an option that makes no sense is refused by name", async () => {
    const server = new FakeServer();
    for (const options of [{ maxUnconfirmed: 0 }, { heartbeatMs: -1 }, { user: "ann" }]) {
      await expect(dial(server, new ManualRuntime(), options)).rejects.toMatchObject({
        code: "invalid-argument",
        message: expect.stringContaining(Object.keys(options)[0]!),
      });
    }
    expect(server.attempts).toBe(0);
  });
});

describe("requests", () => {
  test("a refused request rejects with the broker's code, message and details", async () => {
    const { posthorn, broker } = await connectToFake();
    const declaring = posthorn.queue("q").declare({ durable: false });
    const { id } = await broker.expect("queue.declare");
    const details = { durable: { declared: false, existing: true } };
    broker.control({ type: "error", id, code: "precondition-failed", message: "It differs.", details });
    await expect(declaring).rejects.toMatchObject({
      code: "precondition-failed",
      message: "It differs.",
      details,
    });
  });

  test("an error code of a newer broker reads as internal-error and is kept in the details", async () => {
    const { posthorn, broker } = await connectToFake();
    const checking = posthorn.queue("q").check();
    const { id } = await broker.expect("queue.declare");
    broker.control({ type: "error", id, code: "quota-of-2031" as "timeout", message: "No." });
    await expect(checking).rejects.toMatchObject({
      code: "internal-error",
      details: { code: "quota-of-2031" },
    });
  });

  test("what the client does not know from a newer broker is passed over", async () => {
    const { posthorn, broker } = await connectToFake();
    broker.raw(JSON.stringify({ type: "weather", sunny: true }));
    broker.raw(JSON.stringify({ type: "ok", id: 4711 }));
    const purging = posthorn.queue("q").purge();
    await broker.answer("queue.purge", { messageCount: 3, mood: "good" });
    expect(await purging).toBe(3);
  });

  test("a request without an answer rejects with timeout", async () => {
    const { posthorn, broker, clock } = await connectToFake({ requestTimeoutMs: 1000 });
    const outcome = expect(posthorn.queue("q").purge()).rejects.toMatchObject({ code: "timeout" });
    await broker.expect("queue.purge");
    await clock.advance(1000);
    await outcome;
    expect(posthorn.state).toBe("open");
  });

  test("a request can be aborted", async () => {
    const { posthorn, broker } = await connectToFake();
    const abort = new AbortController();
    const outcome = expect(posthorn.queue("q").declare({ signal: abort.signal })).rejects.toMatchObject({
      code: "aborted",
    });
    await broker.expect("queue.declare");
    abort.abort();
    await outcome;
  });

  test("requests leave after what was published before them, and before what is published after them", async () => {
    const { posthorn, broker } = await connectToFake();
    const before = posthorn.defaultExchange.publish("q", "1");
    const purging = posthorn.queue("q").purge();
    const after = posthorn.defaultExchange.publish("q", "2");
    await broker.expect("publish");
    await broker.answer("queue.purge", { messageCount: 0 });
    await broker.expect("publish");
    broker.confirm(1, 2);
    await Promise.all([before, purging, after]);
  });

  test("get resolves to the message, or to undefined when none is ready", async () => {
    const { posthorn, broker } = await connectToFake();
    const one = posthorn.queue("q").get();
    const two = posthorn.queue("q").get();
    const none = posthorn.queue("q").get();
    const gets = [
      await broker.expect("queue.get"),
      await broker.expect("queue.get"),
      await broker.expect("queue.get"),
    ];
    broker.deliver(0, 1, "one");
    broker.deliver(0, 2, "two");
    for (const [i, { id }] of gets.entries()) {
      broker.control({ type: "ok", id, delivered: i < 2 ? 1 : 0, messageCount: 0 });
    }
    expect((await one)?.text()).toBe("one");
    expect(await none).toBeUndefined();
    (await two)?.ack();
    expect(await broker.expect("settle")).toEqual({
      type: "settle",
      consumer: 0,
      first: 2,
      last: 2,
      outcome: "ack",
    });
  });

  test("a message that a get takes after it was aborted goes back to its queue", async () => {
    const { posthorn, broker } = await connectToFake();
    const abort = new AbortController();
    const outcome = expect(posthorn.queue("q").get({ signal: abort.signal })).rejects.toMatchObject({
      code: "aborted",
    });
    const { id } = await broker.expect("queue.get");
    abort.abort();
    await outcome;
    broker.deliver(0, 1, "one");
    broker.control({ type: "ok", id, delivered: 1, messageCount: 0 });
    expect(await broker.expect("settle")).toMatchObject({ consumer: 0, first: 1, outcome: "release" });
  });
});

describe("reconnecting", () => {
  test("the client comes back by itself, with pauses that double and are drawn by lot, and tells every state", async () => {
    const { posthorn, server, broker, clock } = await connectToFake();
    const states: StateChange[] = [];
    posthorn.on("state", (change) => states.push(change));
    server.down = true;
    broker.drop();
    // The dice show the middle: pauses of 50, 100, 200 and 400 ms.
    await clock.advance(49);
    expect(server.attempts).toBe(1);
    for (const [pause, attempts] of [
      [1, 2],
      [100, 3],
      [200, 4],
    ] as const) {
      await clock.advance(pause - 1);
      expect(server.attempts).toBe(attempts - 1);
      await clock.advance(1);
      expect(server.attempts).toBe(attempts);
    }
    server.down = false;
    await clock.advance(400);
    await server.welcome();
    await settled();
    expect(states.map(({ previous, state, reason }) => [previous, state, reason?.code])).toEqual([
      ["open", "reconnecting", "connection-closed"],
      ["reconnecting", "open", undefined],
    ]);
  });

  test("a broker that drops clients as soon as they are in is not asked faster and faster", async () => {
    const world = await connectToFake();
    const { server, clock } = world;
    let broker = world.broker;
    for (let i = 0; i < 6; i++) {
      broker.drop();
      const accepted = server.accept();
      await clock.advance(50 * 2 ** i - 1);
      expect(server.attempts).toBe(i + 1);
      await clock.advance(1);
      broker = await accepted;
      await broker.welcome();
    }
  });

  test("the broker's wish how long to wait is honoured once", async () => {
    const { posthorn, server, broker, clock } = await connectToFake();
    const notices: unknown[] = [];
    posthorn.on("goaway", (notice) => notices.push(notice));
    broker.control({ type: "goaway", code: "shutting-down", message: "Restart.", retryAfterMs: 5000 });
    broker.close(4000);
    await clock.advance(5000);
    expect(notices).toEqual([{ code: "shutting-down", message: "Restart.", retryAfterMs: 5000 }]);
    expect(server.attempts).toBe(1);
    await clock.advance(50);
    expect(server.attempts).toBe(2);
  });

  test("so is the one that comes with the reason for a close", async () => {
    const { server, broker, clock } = await connectToFake();
    broker.control({ type: "error", code: "slow-consumer", message: "Too slow.", retryAfterMs: 3000 });
    broker.close(4002);
    await clock.advance(3000);
    expect(server.attempts).toBe(1);
    await clock.advance(50);
    expect(server.attempts).toBe(2);
  });

  test("a close code that says do not come back ends the connection", async () => {
    const { posthorn, server, broker, clock } = await connectToFake();
    const published = posthorn.defaultExchange.publish("q", "1");
    const outcome = expect(published).rejects.toMatchObject({ code: "connection-closed" });
    await broker.publishes(1);
    broker.control({ type: "error", code: "frame-error", message: "Publish number 7 is out of order." });
    broker.close(4500);
    await outcome;
    await clock.advance(60_000);
    expect(posthorn.state).toBe("closed");
    expect(server.attempts).toBe(1);
  });

  test("credentials that no longer hold end the reconnecting", async () => {
    const { posthorn, server, broker, clock } = await connectToFake();
    const reasons: unknown[] = [];
    posthorn.on("state", ({ state, reason }) => reasons.push([state, reason?.code]));
    broker.drop();
    await clock.advance(50);
    const again = await server.accept();
    const { id } = await again.expect("hello");
    again.control({ type: "error", id, code: "authentication-failed", message: "No." });
    again.close(4503);
    await settled();
    expect(reasons).toEqual([
      ["reconnecting", "connection-closed"],
      ["closed", "authentication-failed"],
    ]);
    await expect(posthorn.queue("q").check()).rejects.toMatchObject({ code: "connection-closed" });
  });

  test("after maxAttempts the connection is given up", async () => {
    const { posthorn, server, broker, clock } = await connectToFake({ reconnect: { maxAttempts: 3 } });
    server.down = true;
    broker.drop();
    await clock.advance(60_000);
    expect(server.attempts).toBe(4);
    expect(posthorn.state).toBe("closed");
  });

  test("requests made while disconnected wait and are sent", async () => {
    const world = await connectToFake();
    world.broker.drop();
    await world.clock.advance(0);
    const declaring = world.posthorn.queue("q").declare();
    const again = await reconnect(world, world.broker);
    await again.answer("queue.declare", { queue: "q", messageCount: 0, consumerCount: 0 });
    expect((await declaring).name).toBe("q");
  });

  test("requests made while disconnected give up in time, or when aborted", async () => {
    const { posthorn, server, broker, clock } = await connectToFake({ requestTimeoutMs: 1000 });
    server.down = true;
    broker.drop();
    await clock.advance(0);
    const abort = new AbortController();
    const outcomes = Promise.all([
      expect(posthorn.queue("q").check()).rejects.toMatchObject({ code: "timeout" }),
      expect(posthorn.queue("q").check({ signal: abort.signal })).rejects.toMatchObject({ code: "aborted" }),
    ]);
    abort.abort();
    await clock.advance(1000);
    await outcomes;
  });

  test("a declaration under way when the connection breaks is repeated; a purge rejects, as its fate is unknown", async () => {
    const world = await connectToFake();
    const { posthorn, broker } = world;
    const declaring = posthorn.exchange("orders").declare({ type: "topic" });
    const purging = posthorn.queue("q").purge();
    const outcome = expect(purging).rejects.toMatchObject({ code: "connection-closed" });
    await broker.expect("exchange.declare");
    await broker.expect("queue.purge");
    const again = await reconnect(world, broker);
    await outcome;
    await again.answer("exchange.declare");
    await declaring;
  });
});

describe("heartbeats", () => {
  test("a silent client sends a heartbeat within the interval", async () => {
    const { broker, clock } = await connectToFake({}, 1000);
    await clock.advance(1000);
    expect(broker.unread.filter(({ type }) => type === "heartbeat").length).toBeGreaterThan(0);
  });

  test("a client that says something needs no heartbeat", async () => {
    const { posthorn, broker, clock } = await connectToFake({}, 1000);
    for (let i = 0; i < 10; i++) {
      broker.control({ type: "heartbeat" });
      await posthorn.defaultExchange.publish("q", "x", { confirm: false });
      await clock.advance(200);
    }
    expect(broker.unread.map(({ type }) => type)).toEqual(Array(10).fill("publish"));
  });

  test("a broker that is silent for two intervals is left, and the client connects again", async () => {
    const { posthorn, server, broker, clock } = await connectToFake({}, 1000);
    const reasons: unknown[] = [];
    posthorn.on("state", ({ state, reason }) => reasons.push([state, reason?.code]));
    await clock.advance(1500);
    broker.control({ type: "heartbeat" });
    await clock.advance(2000);
    expect(posthorn.state).toBe("open");
    await clock.advance(500);
    expect(reasons).toEqual([["reconnecting", "heartbeat-timeout"]]);
    expect(broker.closedByClient).toEqual({ code: 4001 });
    await clock.advance(100);
    await server.welcome();
    await settled();
    expect(posthorn.state).toBe("open");
  });

  test("a machine that slept gives the broker a moment to be heard", async () => {
    const { posthorn, broker, clock } = await connectToFake({}, 1000);
    await clock.sleep(60_000);
    expect(posthorn.state).toBe("open");
    broker.control({ type: "heartbeat" });
    await clock.advance(1000);
    expect(posthorn.state).toBe("open");
    await clock.sleep(60_000);
    await clock.advance(500);
    expect(posthorn.state).toBe("reconnecting");
  });

  test("a tab whose timers are held back answers the broker's heartbeat", async () => {
    const { broker, clock } = await connectToFake({}, 1000);
    await clock.sleep(600);
    const before = broker.unread.length;
    broker.control({ type: "heartbeat" });
    await settled();
    expect(broker.unread.length).toBeGreaterThanOrEqual(before);
    expect(broker.unread.at(-1)).toEqual({ type: "heartbeat" });
  });
});

describe("closing", () => {
  test("close waits for confirms and answers, says bye, and leaves nothing behind", async () => {
    const { posthorn, broker, clock } = await connectToFake({}, 1000);
    const published = posthorn.defaultExchange.publish("q", "1");
    const checking = posthorn.queue("q").check();
    const closing = posthorn.close();
    expect(posthorn.state).toBe("closing");
    await broker.expect("publish");
    const { id } = await broker.expect("queue.declare");
    await settled();
    expect(broker.unread).toEqual([]);
    broker.confirm(1);
    broker.control({ type: "ok", id, queue: "q", messageCount: 0, consumerCount: 0 });
    await broker.answer("bye");
    await Promise.all([published, checking, closing]);
    expect(posthorn.state).toBe("closed");
    expect(posthorn.close()).toBe(posthorn.close());
    expect(clock.timers).toBe(0);
    await expect(posthorn.defaultExchange.publish("q", "2")).rejects.toMatchObject({ code: "closed" });
    await expect(posthorn.queue("q").check()).rejects.toMatchObject({ code: "closed" });
    await expect(posthorn.queue("q").consume(() => {})).rejects.toMatchObject({ code: "closed" });
    await expect(posthorn.queue("q").consume().next()).rejects.toMatchObject({ code: "closed" });
  });

  test("close rejects with timeout when a confirm does not come; the publish rejects with closed", async () => {
    const { posthorn, broker, clock } = await connectToFake();
    const outcome = expect(posthorn.defaultExchange.publish("q", "1")).rejects.toMatchObject({
      code: "closed",
    });
    await broker.expect("publish");
    const closing = expect(posthorn.close({ timeoutMs: 500 })).rejects.toMatchObject({
      code: "timeout",
      details: { unconfirmed: 1 },
    });
    await clock.advance(500);
    await Promise.all([outcome, closing]);
    expect(posthorn.state).toBe("closed");
    expect(broker.closedByClient).toEqual({ code: 1000 });
  });

  test("a connection lost while closing is made again for the publishes that have no confirm", async () => {
    const { posthorn, server, broker, clock } = await connectToFake();
    const published = posthorn.defaultExchange.publish("q", "1");
    await broker.expect("publish");
    const closing = posthorn.close();
    broker.drop();
    await clock.advance(100);
    const again = await server.welcome();
    await again.expect("publish");
    again.confirm(1);
    await published;
    await again.answer("bye");
    await closing;
  });

  test("close while disconnected with nothing to wait for is done at once", async () => {
    const { posthorn, server, broker, clock } = await connectToFake();
    server.down = true;
    broker.drop();
    await clock.advance(1000);
    const attempts = server.attempts;
    await posthorn.close();
    await clock.advance(60_000);
    expect(server.attempts).toBe(attempts);
    expect(clock.timers).toBe(0);
  });

  test("a broker that closes the socket in the same breath as its answer to bye is no failure", async () => {
    const { posthorn, broker } = await connectToFake();
    const states: unknown[] = [];
    posthorn.on("state", ({ state, reason }) => states.push([state, reason?.code]));
    const closing = posthorn.close();
    const { id } = await broker.expect("bye");
    broker.socket?.onmessage?.({ data: JSON.stringify({ type: "ok", id }) });
    broker.socket?.ended(1000, "");
    await closing;
    expect(states).toEqual([
      ["closing", undefined],
      ["closed", "closed"],
    ]);
  });

  test("a broker that does not answer bye does not hold up the client", async () => {
    const { posthorn, broker, clock } = await connectToFake();
    const closing = posthorn.close();
    await broker.expect("bye");
    await clock.advance(2000);
    await closing;
  });
});
