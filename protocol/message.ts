import type { Headers } from "./header-value.ts";

/** What a message says about itself: AMQP 0-9-1's basic properties. Passed through unchanged. */
export interface MessageProperties {
  /** Survives a restart of the broker in durable queues. AMQP's delivery mode 2. */
  readonly persistent: boolean;
  /** MIME type of the body. */
  readonly contentType?: string;
  readonly contentEncoding?: string;
  /** 0–255; only queues with priorities look at it. */
  readonly priority?: number;
  readonly correlationId?: string;
  /** Where an answer should go. */
  readonly replyTo?: string;
  /**
   * Milliseconds that the message may wait in a queue; 0: it is delivered at once or expires. The queue's `messageTtl` counts
   * if that is shorter. Default: as the queue has it.
   */
  readonly expiration?: number;
  readonly messageId?: string;
  /** Milliseconds since 1970, given by the publisher. */
  readonly timestamp?: number;
  /** The application's name for the kind of message. */
  readonly type?: string;
  /** If set, must be the name of the user who publishes. */
  readonly userId?: string;
  readonly appId?: string;
  readonly headers?: Headers;
}

/** A message with its address. */
export interface Message {
  /** `""` is the default exchange. */
  readonly exchange: string;
  readonly routingKey: string;
  readonly properties: MessageProperties;
  readonly body: Uint8Array;
}
