import { describe, expect, test } from "vitest";
import { errorCatalogue, messageFrames, requests, reservedFrameTypes } from "../../protocol/index.ts";
import { clientFrameTypes, sampleFrame, withField } from "../support/frame-samples.ts";
import { type SessionWorld, settled, startSessions, type TestSession } from "../support/sessions.ts";

const id = 77;

/** A valid frame of each type. All have an `id` if their kind has one. */
function frameOf(type: string) {
  const frame = sampleFrame(type);
  if (type === "publish") return { type, number: 1, exchange: "missing", routingKey: "", text: "" };
  return "id" in frame ? withField(frame, "id", id) : frame;
}

/** What an open session does with a frame, as docs/protocol.md has it. */
type Reaction =
  | "answers"
  | "already-open"
  | "ok and close"
  | "nothing"
  | "refusal"
  | "unknown-delivery"
  | "frame-error";

function reactionWhenOpen(type: string, encoding: "json" | "binary"): Reaction {
  if (type === "hello") return "already-open";
  if (type === "bye") return "ok and close";
  if (type in requests) return "answers";
  if (!(type in messageFrames)) return "nothing";
  if (encoding === "binary") return "frame-error";
  return type === "publish" ? "refusal" : "unknown-delivery";
}

function expectReaction({ socket, session }: TestSession, reaction: Reaction): void {
  const frames = socket.frames.filter(({ type }) => type !== "welcome");
  expect(frames).toHaveLength(reaction === "nothing" ? 0 : 1);
  const frame = frames[0];
  switch (reaction) {
    case "answers":
      expect(["ok", "error"]).toContain(frame?.type);
      expect(frame?.id).toBe(id);
      if (frame?.type === "error") {
        expect(errorCatalogue[frame.code as keyof typeof errorCatalogue].scope).toBe("request");
        expect(frame.code).not.toBe("internal-error");
      }
      break;
    case "already-open":
      expect(frame).toMatchObject({ type: "error", id, code: "already-open" });
      break;
    case "ok and close":
      expect(frame).toEqual({ type: "ok", id });
      break;
    case "refusal":
      expect(frame).toMatchObject({ type: "confirm", first: 1, last: 1, code: "not-found" });
      break;
    case "unknown-delivery":
      expect(frame).toMatchObject({ type: "error", code: "unknown-delivery" });
      break;
    case "frame-error":
      expect(frame).toMatchObject({ type: "error", code: "frame-error" });
      break;
    default:
  }
  const closeCodes: Partial<Record<Reaction, number>> = { "ok and close": 1000, "frame-error": 4500 };
  const closeCode = closeCodes[reaction];
  expect(socket.closed?.code).toBe(closeCode);
  expect(session.state).toBe(closeCode === undefined ? "open" : "closing");
}

async function inWorld(use: (world: SessionWorld) => Promise<void>): Promise<void> {
  const world = await startSessions();
  await use(world);
  expect(world.errors).toEqual([]);
}

describe.each(clientFrameTypes)("%s", (type) => {
  test(type === "hello" ? "opens a new session" : "before hello ends the session with hello-required", () =>
    inWorld(async (world) => {
      const client = world.connect();
      client.send(frameOf(type));
      await settled();
      if (type === "hello") {
        expect(client.session.state).toBe("open");
        expect(client.socket.frames).toMatchObject([{ type: "welcome", id }]);
        expect(client.socket.isAdmitted).toBe(true);
      } else {
        expect(client.socket.frames).toMatchObject([{ type: "error", code: "hello-required" }]);
        expect(client.socket.closed?.code).toBe(4502);
      }
    }),
  );

  test("sent ahead of the welcome is handled behind it, as in an open session", () =>
    inWorld(async (world) => {
      const client = world.connect();
      client.send({ type: "hello", id: 1, protocol: 1 });
      client.send(frameOf(type));
      expect(client.session.state).toBe("admitting");
      expect(client.socket.frames).toEqual([]);
      await settled();
      expect(client.socket.frames[0]).toMatchObject({ type: "welcome", id: 1 });
      expectReaction(client, reactionWhenOpen(type, "json"));
    }));

  test.each(["json", "binary"] as const)(
    "in an open session that speaks %s gets the documented answer",
    (encoding) =>
      inWorld(async (world) => {
        const client = await world.open({ encoding });
        client.send(frameOf(type));
        await settled();
        expectReaction(client, reactionWhenOpen(type, encoding));
      }),
  );

  test("behind a bye, or when the connection is gone, is not looked at", () =>
    inWorld(async (world) => {
      const client = await world.open();
      client.send({ type: "bye", id: 2 });
      client.send(frameOf(type));
      await settled();
      expect(client.socket.frames.at(-1)).toEqual({ type: "ok", id: 2 });
      const before = client.socket.frames.length;
      client.send(frameOf(type));
      await settled();
      expect(client.session.state).toBe("closing");
      client.session.disconnected();
      client.send(frameOf(type));
      await settled();
      expect(client.session.state).toBe("closed");
      expect(client.socket.frames).toHaveLength(before);
      expect(client.endedWith()).toBe("bye");
    }));
});

test("64 frames may be sent behind the hello, ahead of the welcome, and no more", () =>
  inWorld(async (world) => {
    const eager = async (frames: number) => {
      const client = world.connect();
      client.send({ type: "hello", id: 1, protocol: 1 });
      for (let i = 0; i < frames; i++) client.send({ type: "consumer.cancel", id: 2 + i, consumer: 1 });
      await settled();
      return client.socket;
    };
    const most = await eager(64);
    expect(most.frames.map(({ type, id }) => [type, id])).toEqual([
      ["welcome", 1],
      ...Array.from({ length: 64 }, (_, i) => ["ok", 2 + i]),
    ]);
    const tooMany = await eager(65);
    expect(tooMany.frames).toMatchObject([{ type: "error", code: "hello-required" }]);
    expect(tooMany.closed?.code).toBe(4502);
  }));

test("a reserved frame type is answered with not-implemented, and the session goes on", () =>
  inWorld(async (world) => {
    for (const type of reservedFrameTypes) {
      const client = await world.open();
      client.send({ type, id, anything: true });
      await settled();
      expect(client.socket.of("error")).toMatchObject([{ id, code: "not-implemented", details: { type } }]);
      expect(client.session.state).toBe("open");
    }
  }));

test("a connection that is lost in any state leaves nothing behind", () =>
  inWorld(async (world) => {
    const greeting = world.connect();
    const admitting = world.connect();
    admitting.send({ type: "hello", id: 1, protocol: 1 });
    admitting.session.disconnected();
    const open = await world.open();
    const closing = await world.open();
    closing.send({ type: "bye", id: 2 });
    for (const { session } of [greeting, open, closing]) session.disconnected();
    await settled();
    expect(world.sessions.size).toBe(0);
    expect([greeting, admitting, open, closing].map(({ endedWith }) => endedWith())).toEqual([
      "connection lost",
      "connection lost",
      "connection lost",
      "bye",
    ]);
    expect(admitting.socket.frames).toEqual([]);
  }));

test("at a shutdown a client is told to come back, in whatever state it is", () =>
  inWorld(async (world) => {
    const greeting = world.connect();
    const open = await world.open();
    const leaving = await world.open();
    leaving.send({ type: "bye", id: 2 });
    const closed = world.sessions.close(1000);
    await settled();
    for (const { socket } of [greeting, open]) {
      expect(socket.frames.at(-1)).toMatchObject({ type: "goaway", code: "shutting-down" });
      expect(socket.closed?.code).toBe(4000);
    }
    expect(leaving.socket.closed?.code).toBe(1000);
    for (const { session } of [greeting, open, leaving]) session.disconnected();
    await closed;
  }));
