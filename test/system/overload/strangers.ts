import { connect, type Socket } from "node:net";
import type { Scenario } from "./scenario.ts";
import { World } from "./world.ts";

const longStrangers = 100;
const key = "AAAAAAAAAAAAAAAAAAAAAA==";

function upgrade(more = ""): string {
  const head = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
  return `${head}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Protocol: posthorn.v1\r\n${more}\r\n`;
}

/** A masked frame whose mask is 0. */
function frame(firstByte: number, payload: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([firstByte, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
}

const text = 0x01;
const continuation = 0x00;
const ping = 0x89;
const compressedText = 0xc1;

/** Writes something again and again until the other side has enough. */
function forEver(socket: Socket, bytes: Uint8Array): void {
  const write = () => {
    while (!socket.destroyed && socket.write(bytes));
  };
  socket.on("drain", write);
  write();
}

/** What those do who never say who they are. Each ends with the broker closing the connection. */
const manners: Readonly<Record<string, (socket: Socket) => void>> = {
  "begins a request and does not end it": (socket) => {
    socket.write(upgrade().slice(0, -2));
    socket.resume();
  },
  "says nothing once it is in": (socket) => {
    socket.write(upgrade());
    socket.resume();
  },
  "sends a message in fragments of one byte": (socket) => {
    socket.write(upgrade());
    socket.resume();
    socket.write(frame(text, new Uint8Array([0x7b])));
    const fragment = frame(continuation, new Uint8Array([0x20]));
    forEver(socket, Buffer.concat(Array.from({ length: 100 }, () => fragment)));
  },
  "sends pings and reads no pong": (socket) => {
    socket.write(upgrade());
    socket.pause();
    forEver(socket, Buffer.concat(Array.from({ length: 100 }, () => frame(ping, new Uint8Array(125)))));
  },
  "has headers of 100 KiB": (socket) => {
    socket.write(upgrade(`Cookie: ${"x".repeat(100 * 1024)}\r\n`));
    socket.resume();
  },
  "wants to be compressed": (socket) => {
    socket.write(upgrade("Sec-WebSocket-Extensions: permessage-deflate\r\n"));
    socket.once("data", () => socket.write(frame(compressedText, new Uint8Array([1, 2, 3]))));
    socket.resume();
  },
  "announces a frame of 16 MiB": (socket) => {
    socket.write(upgrade());
    socket.resume();
    socket.write(Buffer.from([0x82, 0xff, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]));
    forEver(socket, new Uint8Array(1024));
  },
};

export const strangers: Scenario = {
  name: "strangers",
  summary: `A hundred connections each of those who never say who they are: one that ${Object.keys(manners).join(", one that ")}.`,

  run({ scale }) {
    const flags = ["--max-unauthenticated-per-ip", "1000", "--hello-timeout-ms", "2s"];
    return World.run({ flags, victim: { does: "durable", perSecond: 1000 } }, async (world) => {
      const control = await world.control(5000 * scale);
      const each = Math.ceil(longStrangers * scale);
      world.watchMemory();
      const under = await world.victim.measure(async () => {
        await Promise.all(
          Object.values(manners).flatMap((misbehave) =>
            Array.from({ length: each }, () => closed(world.broker.port, misbehave)),
          ),
        );
      });
      const all = each * Object.keys(manners).length;
      world.facts.push(`${all} came and were closed`);
      // 10 MiB for each hundred, and what V8 takes for so many objects at once.
      world.expectMemory((10 * all) / 100 + 32);
      return { control, under };
    });
  },
};

/** Resolves when the broker has closed the connection. */
function closed(port: number, misbehave: (socket: Socket) => void): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    socket.on("close", () => resolve());
    socket.on("connect", () => misbehave(socket));
  });
}
