import type { Address, DriverKind } from "../drivers/driver.ts";

/** A broker that runs already. */
export interface Peer {
  /** What the tables call it; undefined: the name and version that it gives itself. */
  readonly label: string | undefined;
  readonly address: Address;
  readonly port: number;
}

interface Scheme {
  readonly kind: DriverKind;
  readonly port: number;
  /** What the client library wants to see, if it is not the scheme itself. */
  readonly library?: string;
}

const schemes: Readonly<Record<string, Scheme>> = {
  "amqp:": { kind: "amqp", port: 5672 },
  "nats:": { kind: "nats", port: 4222 },
  "ws:": { kind: "nats", port: 80 },
  "redis:": { kind: "redis", port: 6379 },
  "stomp+ws:": { kind: "stomp", port: 15674, library: "ws:" },
};

const loopbackNames = ["localhost", "127.0.0.1", "[::1]"];

/**
 * Reads `[LABEL=]URL`. Of the query, `queue` is for the driver.
 * @throws Error if it is no URL, of no known scheme, or not on this machine: a benchmark is no way to load others.
 */
export function parsePeer(text: string): Peer {
  const [, label, urlText = ""] = /^(?:([^=:/]+)=)?(.*)$/.exec(text) ?? [];
  if (!URL.canParse(urlText)) throw new Error(`--peer ${text}: this is no URL.`);
  const url = new URL(urlText);
  const scheme = schemes[url.protocol];
  if (scheme === undefined) {
    throw new Error(`--peer ${text}: the scheme must be one of ${Object.keys(schemes).join(", ")}.`);
  }
  if (!loopbackNames.includes(url.hostname)) throw new Error(`--peer ${text}: only brokers on loopback.`);
  const options = Object.fromEntries(url.searchParams);
  url.search = "";
  const address = scheme.library === undefined ? url.href : url.href.replace(url.protocol, scheme.library);
  return {
    label,
    address: { kind: scheme.kind, url: address, options },
    port: url.port === "" ? scheme.port : Number(url.port),
  };
}
