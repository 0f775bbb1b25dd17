import type { ByteWriter } from "../protocol/byte-writer.ts";
import { writeEnvelope } from "../protocol/envelope.ts";
import type { Message, MessageProperties } from "../protocol/message.ts";

/**
 * Writes envelopes. What stands before the body mostly is the same as in the message before: then it is copied, since writing the
 * texts in it is a fifth of the work of a publish.
 */
export class RepeatedHead {
  #exchange: string | undefined;
  #routingKey: string | undefined;
  #contentType: string | undefined;
  #persistent = false;
  /** From when a second message has the same. */
  #bytes: Uint8Array | undefined;

  /** As {@link writeEnvelope}. */
  write(writer: ByteWriter, message: Message): void {
    const { exchange, routingKey, properties, body } = message;
    const { contentType, persistent } = properties;
    const isRepeated =
      routingKey === this.#routingKey &&
      exchange === this.#exchange &&
      contentType === this.#contentType &&
      persistent === this.#persistent &&
      hasNothingElse(properties);
    if (isRepeated && this.#bytes !== undefined) {
      writer.raw(this.#bytes);
      writer.raw(body);
      return;
    }
    const start = writer.length;
    writeEnvelope(writer, message);
    this.#bytes = isRepeated ? writer.bytes.slice(start, writer.length - body.length) : undefined;
    this.#exchange = exchange;
    this.#routingKey = routingKey;
    this.#contentType = contentType;
    this.#persistent = persistent;
  }
}

/** Besides persistence and content type. */
function hasNothingElse(properties: MessageProperties): boolean {
  return (
    properties.headers === undefined &&
    properties.messageId === undefined &&
    properties.correlationId === undefined &&
    properties.replyTo === undefined &&
    properties.expiration === undefined &&
    properties.priority === undefined &&
    properties.timestamp === undefined &&
    properties.type === undefined &&
    properties.userId === undefined &&
    properties.appId === undefined &&
    properties.contentEncoding === undefined
  );
}
