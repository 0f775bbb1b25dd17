import type { Driver, DriverKind } from "./driver.ts";

/** The driver of a kind of broker. Client libraries are loaded only where they are used. */
export async function driverFor(kind: DriverKind): Promise<Driver> {
  switch (kind) {
    case "posthorn":
      return (await import("./posthorn.ts")).posthornDriver;
    case "amqp":
      return (await import("./amqp.ts")).amqpDriver;
    case "nats":
      return (await import("./nats.ts")).natsDriver;
    case "redis":
      return (await import("./redis.ts")).redisDriver;
    case "stomp":
      return (await import("./stomp.ts")).stompDriver;
    case "raw-ws":
      return (await import("./raw-ws.ts")).rawWsDriver;
  }
}
