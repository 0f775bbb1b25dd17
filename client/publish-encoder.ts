import { ByteWriter } from "../protocol/byte-writer.ts";
import { PosthornError } from "../protocol/errors.ts";
import type { Reply } from "../protocol/frames.ts";
import type { MessageProperties } from "../protocol/message.ts";
import { type Body, contentTypeOf, encodeBody } from "./body.ts";
import type { PublishRetryOptions } from "./publish-retry.ts";
import { RepeatedHead } from "./repeated-head.ts";

export interface PublishOptions extends Partial<Omit<MessageProperties, "timestamp">> {
  /** Milliseconds since 1970, or a date. */
  readonly timestamp?: number | Date;
  /** Reject with `no-route` if no queue is bound for the message. Default: it is dropped silently. */
  readonly mandatory?: boolean;
  /**
   * `false`: do not wait for the broker's confirm. The promise resolves as soon as the message is on its way, later
   * only while the socket is full; if the connection breaks, it may be lost. Refusals arrive as `error` events.
   * Default true.
   */
  readonly confirm?: boolean;
  /**
   * Tries again what the broker refuses for a reason that may pass: `queue-full`, `internal-error`, and with `whenBlocked: "reject"`
   * also `disk-full` and `memory-high`. The wait between two attempts grows, up to `maxDelayMs`; `signal` ends it. If the last
   * attempt is refused, `publish` rejects with that refusal.
   *
   * **Order**: what is published meanwhile goes ahead of what waits to be tried again; who needs the order awaits each publish before the next.
   * Waiting publishes count as under way (`maxUnconfirmed`). A message for several queues of which one is full is in the others
   * already, and comes there again with each attempt.
   *
   * Needs a confirm. Default `false`: not at all; `{}`: with the defaults.
   */
  readonly retry?: PublishRetryOptions | false;
  /** Stops waiting. If the message has been sent already, the broker may have it. */
  readonly signal?: AbortSignal;
}

/** What the broker accepts, as it said in `welcome`. */
export type Limits = Reply<"hello">["limits"];

export const noOptions: PublishOptions = {};
const textProperties: MessageProperties = { persistent: true, contentType: contentTypeOf("") };
const bytesProperties: MessageProperties = {
  persistent: true,
  contentType: contentTypeOf(new Uint8Array(0)),
};
const jsonProperties: MessageProperties = { persistent: true, contentType: contentTypeOf({}) };

/** The memory is given back after a message larger than this. */
const largestScratchBytes = 1024 * 1024;
/** More than the head of a publish frame. */
const frameHeadBytes = 32;

/** Makes envelopes of what is published, in memory that is used again and again. */
export class PublishEncoder {
  #scratch = new ByteWriter(1024);
  readonly #head = new RepeatedHead();

  /**
   * The envelope; valid until the next one is made.
   * @throws PosthornError `invalid-argument`, and `message-too-large` when the limits are known.
   */
  encode(
    exchange: string,
    routingKey: string,
    body: Body,
    options: PublishOptions,
    limits: Limits | undefined,
  ): Uint8Array {
    if (this.#scratch.bytes.length > largestScratchBytes) this.#scratch = new ByteWriter(1024);
    const scratch = this.#scratch;
    scratch.length = 0;
    const bytes = encodeBody(body);
    if (limits !== undefined && bytes.length > limits.maxMessageBytes) {
      throw tooLarge(`The body has ${bytes.length} bytes; the broker takes ${limits.maxMessageBytes}.`);
    }
    this.#head.write(scratch, { exchange, routingKey, properties: propertiesOf(body, options), body: bytes });
    if (limits !== undefined && !fitsFrame(scratch.length, limits)) {
      throw tooLarge(`The message is larger than the broker's largest frame, ${limits.maxFrameBytes} bytes.`);
    }
    return scratch.written();
  }
}

/** Whether the broker takes a message of this size; one that is larger would end the session, not be refused. */
export function fitsFrame(envelopeBytes: number, limits: Limits): boolean {
  return envelopeBytes + frameHeadBytes <= limits.maxFrameBytes;
}

export function tooLarge(message: string): PosthornError {
  return new PosthornError("message-too-large", message);
}

function propertiesOf(body: Body, options: PublishOptions): MessageProperties {
  if (options === noOptions) {
    if (typeof body === "string") return textProperties;
    return contentTypeOf(body) === bytesProperties.contentType ? bytesProperties : jsonProperties;
  }
  const { timestamp } = options;
  // Field by field: spreading the options takes five times as long as all the rest of a publish.
  return {
    persistent: options.persistent ?? true,
    contentType: options.contentType ?? contentTypeOf(body),
    contentEncoding: options.contentEncoding,
    priority: options.priority,
    correlationId: options.correlationId,
    replyTo: options.replyTo,
    expiration: options.expiration,
    messageId: options.messageId,
    timestamp: timestamp instanceof Date ? timestamp.getTime() : timestamp,
    type: options.type,
    userId: options.userId,
    appId: options.appId,
    headers: options.headers,
  };
}
