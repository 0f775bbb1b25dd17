import { ByteWriter } from "../../../protocol/byte-writer.ts";
import { readEnvelope, writeEnvelope } from "../../../protocol/envelope.ts";
import { readHistory } from "../../../server/embedded/death-history.ts";
import type { Delivery } from "../../../server/engine/engine.ts";
import type { ModelItem, ModelMessage } from "./model-queue.ts";

type Named = Pick<ModelItem, "deaths" | "nackReason"> & { readonly message: Pick<ModelMessage, "id"> };

/** A message with what happened to it: enough to tell it from others. */
export function named({ message, deaths, nackReason }: Named): string {
  const history = deaths.map(
    (death) =>
      `${death.queue}:${death.reason}:${death.count}${death.nackReason ? `(${death.nackReason})` : ""}`,
  );
  return [message.id, ...history, ...(nackReason ? [`nack ${nackReason}`] : [])].join("/");
}

/** The name of a message that the broker has given out. */
export function nameOf({ envelope, history }: Pick<Delivery, "envelope" | "history">): string {
  const { deaths = [], nackReason } = readHistory(history);
  return named({
    message: { id: idOf(envelope) },
    deaths: deaths.map((death) => ({ ...death, nackReason: death.nackReason?.code })),
    nackReason: nackReason?.code,
  });
}

export function idOf(envelope: Uint8Array): number {
  return Number(new TextDecoder().decode(readEnvelope(envelope).body).trim());
}

export function headersOf({ keys, group }: ModelMessage) {
  return {
    key: keys[0]!,
    ...(group !== "" && { group }),
    ...(keys.length > 1 && { CC: keys.slice(1) }),
  };
}

export function envelopeOf(message: ModelMessage): Uint8Array {
  const { id, exchange, keys, persistent, bytes, priority, expiration } = message;
  const writer = new ByteWriter();
  writeEnvelope(writer, {
    exchange,
    routingKey: keys[0]!,
    properties: {
      persistent,
      priority,
      headers: headersOf(message),
      ...(expiration >= 0 && { expiration }),
    },
    body: new TextEncoder().encode(`${id}`.padEnd(bytes)),
  });
  return writer.written().slice();
}
