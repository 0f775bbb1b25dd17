import { decodeHistory } from "../../protocol/delivery-history.ts";
import { readEnvelope } from "../../protocol/envelope.ts";
import type { Reply } from "../../protocol/frames.ts";
import { messageToJsonUpTo } from "../../protocol/json-codec.ts";
import type { BrowsedMessage } from "../engine/engine.ts";

/** A message as `queue.browse` shows it. */
export function browsedMessageToJson(
  { position, state, redelivered, attempts, expiresAt, delayedUntil, history, envelope }: BrowsedMessage,
  maxBodyBytes: number,
): Reply<"queue.browse">["messages"][number] {
  const message = readEnvelope(envelope);
  return {
    position,
    state,
    size: message.body.length,
    ...(redelivered && { redelivered }),
    ...(attempts > 0 && { attempts }),
    ...(expiresAt > 0 && { expiresAt }),
    ...(delayedUntil > 0 && { delayedUntil }),
    ...(history && decodeHistory(history)),
    ...messageToJsonUpTo(maxBodyBytes, message),
  };
}
