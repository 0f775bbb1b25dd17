import type { OutboxLimits } from "./outbox.ts";

export interface SessionLimits extends OutboxLimits {
  readonly maxMessageBytes: number;
  readonly maxHeaderBytes: number;
  readonly maxFrameBytes: number;
  readonly maxPrefetch: number;
  readonly defaultPrefetch: number;
  readonly maxConsumers: number;
  readonly helloTimeoutMs: number;
  /** What the broker proposes. */
  readonly heartbeatMs: number;
}

/** What `welcome` tells a client, besides what it has asked for. */
export interface WelcomeFacts {
  /** The session's id. */
  readonly id: string;
  readonly limits: SessionLimits;
  readonly product: { readonly product: string; readonly version: string };
}
