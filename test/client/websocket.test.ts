import { once } from "node:events";
import { afterEach, expect, test } from "vitest";
import { type RawData, WebSocketServer } from "ws";
import { connect } from "../../client/index.ts";
import { decodeMessageFrames, writeMessageFrame } from "../../protocol/binary-codec.ts";
import { ByteWriter } from "../../protocol/byte-writer.ts";
import { limits } from "../support/fake-server.ts";

const servers: WebSocketServer[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    for (const client of server.clients) client.terminate();
    server.close();
  }
});

/** A real WebSocket server that welcomes everyone and confirms what is published. */
async function listen(options: { speaks?: string } = {}): Promise<string> {
  const server = new WebSocketServer({
    port: 0,
    host: "127.0.0.1",
    handleProtocols: () => options.speaks ?? "posthorn.v1",
  });
  servers.push(server);
  server.on("connection", (socket) => {
    socket.on("message", (data: RawData, isBinary: boolean) => {
      const bytes = data as Buffer;
      if (isBinary) {
        const writer = new ByteWriter();
        for (const frame of decodeMessageFrames(bytes)) {
          if (frame.type !== "publish") continue;
          const { number } = frame;
          writeMessageFrame(writer, { type: "confirm", first: number, last: number, error: undefined });
        }
        socket.send(writer.take());
        return;
      }
      const { type, id } = JSON.parse(bytes.toString()) as { type: string; id: number };
      if (type === "hello") socket.send(JSON.stringify({ type: "welcome", id, heartbeatMs: 0, limits }));
      if (type !== "bye") return;
      socket.send(JSON.stringify({ type: "ok", id }));
      socket.close(1000);
    });
  });
  await once(server, "listening");
  return `ws://127.0.0.1:${(server.address() as { port: number }).port}`;
}

test("in Node without a WebSocket of its own, the package ws is found", async () => {
  const posthorn = await connect(await listen());
  expect(await posthorn.defaultExchange.publish("q", { hello: "world" })).toEqual({ confirmed: true });
  await posthorn.close();
  expect(posthorn.state).toBe("closed");
});

test("connect rejects with the reason when nobody listens, and nothing is thrown elsewhere", async () => {
  const url = await listen();
  const server = servers.pop();
  server?.close();
  await once(server as WebSocketServer, "close");
  await expect(connect(url)).rejects.toMatchObject({
    code: "connect-failed",
    message: expect.stringContaining("ECONNREFUSED"),
  });
});

test("connect can be aborted before the WebSocket is open", async () => {
  const abort = new AbortController();
  const connecting = connect(await listen(), { signal: abort.signal });
  abort.abort();
  await expect(connecting).rejects.toMatchObject({ code: "aborted" });
});

test("a server that speaks another subprotocol is refused", async () => {
  const url = await listen({ speaks: "mqtt" });
  await expect(connect(url)).rejects.toMatchObject({ code: "connect-failed" });
});

test("what is not a WebSocket URL is an invalid argument", async () => {
  await expect(connect("no url")).rejects.toMatchObject({ code: "invalid-argument" });
});
