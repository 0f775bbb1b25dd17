import { expect, test } from "vitest";
import { startSessions } from "../support/sessions.ts";

test("the lower of both wishes is the heartbeat interval, and 0 turns it off", async () => {
  const world = await startSessions({ limits: { heartbeatMs: 20_000 } });
  for (const [wished, agreed] of [
    [undefined, 20_000],
    [5000, 5000],
    [60_000, 20_000],
    [1, 1000],
    [0, 0],
  ] as const) {
    const { socket } = await world.open({ ...(wished !== undefined && { heartbeatMs: wished }) });
    expect(socket.of("welcome")[0]).toMatchObject({ heartbeatMs: agreed });
  }
});

test("the broker sends a heartbeat when it has been silent for half an interval", async () => {
  const world = await startSessions();
  const { socket, send } = await world.open({ heartbeatMs: 10_000 });
  world.pass(4750);
  expect(socket.of("heartbeat")).toHaveLength(0);
  world.pass(500);
  expect(socket.of("heartbeat")).toHaveLength(1);
  world.pass(4000);
  expect(socket.of("heartbeat")).toHaveLength(1);
  send({ type: "heartbeat" });
  world.pass(1500);
  expect(socket.of("heartbeat")).toHaveLength(2);
});

test("whatever else the broker sends stands for a heartbeat", async () => {
  const world = await startSessions();
  const { socket, send } = await world.open({ heartbeatMs: 10_000 });
  for (let id = 2; id < 12; id++) {
    world.pass(4000);
    send({ type: "hello", id, protocol: 1 });
  }
  expect(socket.of("error")).toHaveLength(10);
  expect(socket.of("heartbeat")).toHaveLength(0);
});

test("a client that is silent for two intervals is taken for dead", async () => {
  const world = await startSessions();
  const { socket, session, endedWith } = await world.open({ heartbeatMs: 10_000 });
  world.pass(19_500);
  expect(socket.closed).toBeUndefined();
  world.pass(1000);
  expect(socket.closed?.code).toBe(4001);
  expect(socket.frames.at(-1)).toMatchObject({ type: "error", code: "heartbeat-timeout" });
  expect(socket.isTerminated).toBe(false);
  // It does not answer the close either.
  world.pass(5500);
  expect(socket.isTerminated).toBe(true);
  session.disconnected();
  expect(endedWith()).toBe("heartbeat-timeout");
  expect(world.sessions.size).toBe(0);
});

test("any frame from a client counts as a sign of life, even a wrong one", async () => {
  const world = await startSessions();
  const { socket, session } = await world.open({ heartbeatMs: 10_000 });
  for (const text of ['{"type":"heartbeat"}', "not json", '{"type":"settle"}', '{"type":"bind"}']) {
    world.pass(15_000);
    session.receive(text);
  }
  world.pass(15_000);
  expect(socket.closed).toBeUndefined();
});

test("without heartbeats silence is no reason to end a session", async () => {
  const world = await startSessions();
  const { socket } = await world.open({ heartbeatMs: 0 });
  world.pass(3_600_000);
  expect(socket.closed).toBeUndefined();
  expect(socket.of("heartbeat")).toHaveLength(0);
});

test("a connection on which nobody says hello is closed at the deadline", async () => {
  const world = await startSessions({ limits: { helloTimeoutMs: 5000 } });
  const { socket } = world.connect();
  world.pass(4750);
  expect(socket.closed).toBeUndefined();
  world.pass(250);
  expect(socket.closed?.code).toBe(4005);
  expect(socket.of("error")).toMatchObject([{ code: "hello-timeout" }]);
});

test("a large message on its way counts as a sign of life before it is there", async () => {
  const world = await startSessions();
  const { socket } = await world.open({ heartbeatMs: 10_000 });
  for (let part = 0; part < 5; part++) {
    world.pass(15_000);
    socket.receivedBytes += 1000;
  }
  world.pass(15_000);
  expect(socket.closed).toBeUndefined();
  world.pass(10_000);
  expect(socket.closed?.code).toBe(4001);
});
