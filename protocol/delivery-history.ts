import { ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import type { Headers } from "./header-value.ts";
import { readTable, writeTable } from "./headers.ts";

/** Why a message left a queue for the queue's dead-letter target. */
export const deathReasons = ["rejected", "expired", "max-length", "delivery-limit"] as const;
export type DeathReason = (typeof deathReasons)[number];

/** What a consumer said when it gave a message back. */
export interface NackReason {
  /** For programs. */
  readonly code: string;
  /** For people. */
  readonly message: string;
}

/** What a consumer may say with the outcome of a delivery. */
export interface SettleDetail {
  /** Milliseconds before the message comes back; 0: no wish. */
  readonly delay: number;
  readonly reason: NackReason | undefined;
}

/** What happened to a message in one queue for one reason, however often (SEMANTICS 79). */
export interface Death {
  readonly queue: string;
  readonly reason: DeathReason;
  /** How often it died there for this reason. */
  readonly count: number;
  /** Where it had been published to. */
  readonly exchange: string;
  /** With which keys: its routing key, and those of its `CC` header. */
  readonly routingKeys: readonly string[];
  /** When it died there first, in milliseconds since 1970. */
  readonly time: number;
  /** Its `expiration`, which no longer counts since its first death. */
  readonly originalExpiration?: number;
  /** What the consumer said that refused it last. */
  readonly nackReason?: NackReason;
}

/** What a broker knows about a message besides the message. Every part may be missing. */
export interface DeliveryHistory {
  /** The latest first; at most 20, of which the oldest go. */
  readonly deaths?: readonly Death[];
  /** The first death of all; it stays when it is no longer among {@link deaths}. */
  readonly firstDeath?: Pick<Death, "queue" | "reason" | "exchange">;
  /** What a consumer said that gave the message back last. */
  readonly nackReason?: NackReason;
}

/** Reasons are kept with the message for as long as that is there. */
const maxCodeLength = 64;
const maxMessageLength = 512;

/** What is kept of a reason. */
export function boundedReason({ code, message }: NackReason): NackReason {
  return { code: beginning(code, maxCodeLength), message: beginning(message, maxMessageLength) };
}

/** Without half a character at the end. */
function beginning(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  const last = text.charCodeAt(maxLength - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? maxLength - 1 : maxLength);
}

/** As it is written before a delivery's envelope: a table like that of the headers. */
export function encodeHistory(history: DeliveryHistory): Uint8Array {
  const writer = new ByteWriter(128);
  writeTable(writer, history as Headers);
  return writer.written();
}

/** `undefined` for what cannot be read: a newer broker may say something else there. */
export function decodeHistory(bytes: Uint8Array): DeliveryHistory | undefined {
  try {
    return readTable(new ByteReader(bytes)) as DeliveryHistory;
  } catch {
    return undefined;
  }
}
