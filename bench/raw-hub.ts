/** Copies every message of a publisher (`/TOPIC?publish`) to every subscriber (`/TOPIC`), one frame a message. */
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";

const topics = new Map<string, Set<WebSocket>>();
const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
server.on("listening", () => process.send?.({ port: (server.address() as AddressInfo).port }));
process.on("disconnect", () => process.exit());

server.on("connection", (socket, { url = "" }) => {
  const [topic = "", role] = url.split("?");
  const subscribers = topics.get(topic) ?? new Set();
  topics.set(topic, subscribers);
  if (role === "publish") {
    socket.on("message", (message) => {
      for (const subscriber of subscribers) subscriber.send(message, { binary: true });
    });
    return;
  }
  subscribers.add(socket);
  socket.on("close", () => {
    subscribers.delete(socket);
    if (subscribers.size === 0) topics.delete(topic);
  });
});
