import type { OutboxLimits } from "./outbox.ts";
import type { SlowConsumerLimits } from "./slow-consumer.ts";

export interface SessionLimits extends OutboxLimits, SlowConsumerLimits {
  readonly maxMessageBytes: number;
  readonly maxHeaderBytes: number;
  readonly maxFrameBytes: number;
  readonly maxPrefetch: number;
  readonly defaultPrefetch: number;
  readonly maxConsumers: number;
  readonly helloTimeoutMs: number;
  /** What the broker proposes. */
  readonly heartbeatMs: number;
  /** How long a client may stay behind before the session ends, where it does. */
  readonly slowConsumerTimeoutMs: number;
}

/** What `welcome` tells a client, besides what it has asked for. */
export interface WelcomeFacts {
  /** The session's id. */
  readonly id: string;
  readonly limits: SessionLimits;
  readonly product: { readonly product: string; readonly version: string };
}
