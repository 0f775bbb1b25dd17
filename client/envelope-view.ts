import { EnvelopeHead, readEnvelope } from "../protocol/envelope.ts";
import { PosthornError } from "../protocol/errors.ts";
import type { Headers } from "../protocol/header-value.ts";
import { isJsonType, isTextType } from "../protocol/json-codec.ts";
import type { MessageProperties } from "../protocol/message.ts";

const decoder = new TextDecoder("utf-8", { fatal: true });
const noHeaders: Headers = Object.freeze({});
/** Used again for every message. */
const head = new EnvelopeHead();

/** A message that came from the broker. It is taken apart when something of it is asked for, not before,
 * and no further than needed: most programs look at the routing key and the body only. */
export class EnvelopeView {
  // Plain fields here and in subclasses: one object a message, and private `#fields` cost time when it is made.
  private readonly envelope: Uint8Array;
  private exchangeName = "";
  private key = "";
  /** Where the body begins; −1 until the head has been read. */
  private bodyAt = -1;
  private decoded: MessageProperties | undefined = undefined;

  /** @internal */
  constructor(envelope: Uint8Array) {
    this.envelope = envelope;
  }

  /** The exchange that it was published to; `""` is the default exchange. */
  get exchange(): string {
    this.readHead();
    return this.exchangeName;
  }

  get routingKey(): string {
    this.readHead();
    return this.key;
  }

  /** Everything that the publisher said about the message. */
  get properties(): MessageProperties {
    this.decoded ??= readEnvelope(this.envelope).properties;
    return this.decoded;
  }

  /** Empty if the message has none. */
  get headers(): Headers {
    return this.properties.headers ?? noHeaders;
  }

  get contentType(): string | undefined {
    return this.properties.contentType;
  }

  get messageId(): string | undefined {
    return this.properties.messageId;
  }

  get correlationId(): string | undefined {
    return this.properties.correlationId;
  }

  get replyTo(): string | undefined {
    return this.properties.replyTo;
  }

  /** The publisher's name for the kind of message. */
  get type(): string | undefined {
    return this.properties.type;
  }

  /** When the publisher says that it was published. */
  get timestamp(): Date | undefined {
    const { timestamp } = this.properties;
    return timestamp === undefined ? undefined : new Date(timestamp);
  }

  /** The body as it came. A view of the memory that the message was received in, not a copy. */
  get bytes(): Uint8Array {
    this.readHead();
    return this.envelope.subarray(this.bodyAt);
  }

  /** The body as text. @throws PosthornError `invalid-body` if it is not UTF-8. */
  text(): string {
    try {
      return decoder.decode(this.bytes);
    } catch (cause) {
      throw invalidBody("The body is not UTF-8 text.", cause);
    }
  }

  /** The body as JSON, whatever its content type. @throws PosthornError `invalid-body` if it is not JSON. */
  json<T = unknown>(): T {
    const text = this.text();
    try {
      return JSON.parse(text) as T;
    } catch (cause) {
      throw invalidBody("The body is not JSON.", cause);
    }
  }

  /**
   * The body as its content type says: a JSON value, a string, or bytes for anything else.
   * @throws PosthornError `invalid-body` if it is not what it says.
   */
  get value(): unknown {
    const { contentType, contentEncoding } = this.properties;
    if (contentEncoding !== undefined) return this.bytes;
    if (isJsonType(contentType)) return this.json();
    return isTextType(contentType) ? this.text() : this.bytes;
  }

  private readHead(): void {
    if (this.bodyAt >= 0) return;
    head.read(this.envelope);
    this.exchangeName = head.exchange;
    this.key = head.routingKey;
    this.bodyAt = head.bodyAt;
  }
}

function invalidBody(message: string, cause: unknown): PosthornError {
  const error = new PosthornError("invalid-body", message);
  error.cause = cause;
  return error;
}
