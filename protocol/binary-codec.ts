import {
  BinaryFrameReader,
  deliverFlags,
  publishFlags,
  writeConfirmed,
  writeDeliver,
  writeDetailedSettle,
  writePublish,
  writeRefused,
  writeReturn,
  writeSettle,
} from "./binary-frames.ts";
import { ByteWriter } from "./byte-writer.ts";
import { decodeHistory, encodeHistory } from "./delivery-history.ts";
import { readEnvelope, writeEnvelope } from "./envelope.ts";
import { errorCodeByNumber, errorNumber } from "./errors.ts";
import type { MessageFrame } from "./frames.ts";
import type { Message } from "./message.ts";

/** A message as envelope. @throws PosthornError `invalid-argument`, see {@link writeEnvelope}. */
export function encodeMessage(message: Message): Uint8Array {
  const writer = new ByteWriter(message.body.length + 128);
  writeEnvelope(writer, message);
  return writer.written();
}

/** Appends a message frame in binary. */
export function writeMessageFrame(writer: ByteWriter, frame: MessageFrame): void {
  switch (frame.type) {
    case "publish": {
      const flags =
        (frame.mandatory ? publishFlags.mandatory : 0) | (frame.confirm ? 0 : publishFlags.unconfirmed);
      writePublish(writer, frame.number, flags, encodeMessage(frame.message));
      return;
    }
    case "deliver": {
      const { redelivered, attempts = 0, history } = frame;
      writeDeliver(writer, frame.consumer, frame.delivery ?? 0, {
        redelivered,
        attempts,
        history: history && encodeHistory(history),
        envelope: encodeMessage(frame.message),
      });
      return;
    }
    case "confirm":
      if (frame.error === undefined) writeConfirmed(writer, frame.first, frame.last);
      else {
        const status = errorNumber(frame.error.code);
        writeRefused(writer, frame.first, frame.last, status, frame.error.message);
      }
      return;
    case "return": {
      const status = errorNumber(frame.error.code);
      writeReturn(writer, frame.number, status, frame.error.message, encodeMessage(frame.message));
      return;
    }
    case "settle": {
      const { consumer, first, last, outcome, delay = 0, reason } = frame;
      if (delay === 0 && reason === undefined) writeSettle(writer, consumer, first, last, outcome);
      else writeDetailedSettle(writer, consumer, first, last, outcome, { delay, reason });
    }
  }
}

/** Reads every frame of a binary WebSocket message. @throws PosthornError `frame-error`. */
export function decodeMessageFrames(bytes: Uint8Array): MessageFrame[] {
  const frames: MessageFrame[] = [];
  const reader = new BinaryFrameReader();
  reader.start(bytes);
  for (let type = reader.next(); type !== undefined; type = reader.next()) {
    const error = { code: errorCodeByNumber(reader.status), message: reader.text };
    switch (type) {
      case "publish":
        frames.push({
          type,
          number: reader.number,
          mandatory: (reader.flags & publishFlags.mandatory) !== 0,
          confirm: (reader.flags & publishFlags.unconfirmed) === 0,
          message: readEnvelope(reader.envelope),
        });
        break;
      case "deliver": {
        const history = reader.history && decodeHistory(reader.history);
        frames.push({
          type,
          consumer: reader.consumer,
          delivery: reader.delivery === 0 ? undefined : reader.delivery,
          redelivered: (reader.flags & deliverFlags.redelivered) !== 0,
          attempts: reader.attempts === 0 ? undefined : reader.attempts,
          ...(history !== undefined && { history }),
          message: readEnvelope(reader.envelope),
        });
        break;
      }
      case "confirm":
        frames.push({
          type,
          first: reader.first,
          last: reader.last,
          error: reader.status === 0 ? undefined : error,
        });
        break;
      case "return":
        frames.push({ type, number: reader.number, error, message: readEnvelope(reader.envelope) });
        break;
      case "settle": {
        const { consumer, first, last, outcome, detail } = reader;
        const reason = detail?.reason && { reason: detail.reason };
        const delay = detail && detail.delay > 0 && { delay: detail.delay };
        frames.push({ type, consumer, first, last, outcome, ...delay, ...reason });
      }
    }
  }
  return frames;
}
