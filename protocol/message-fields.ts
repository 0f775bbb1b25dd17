import type { DeathReason } from "./delivery-history.ts";
import { count, flag, name, number, table } from "./field-kinds.ts";
import { integer, json, list, object, optional, string } from "./schema.ts";

export const nackReason = {
  code: string({ description: "For programs." }),
  message: string({ description: "For people." }),
};

/** What a broker says about a message besides the message. */
export const historyFields = {
  deaths: optional(
    list(
      object({
        queue: name("The queue that it died in."),
        reason: string<DeathReason>({
          description: "`rejected`, `expired`, `max-length` or `delivery-limit`.",
        }),
        count: number("How often it died there for this reason."),
        exchange: name("The exchange that it had been published to."),
        routingKeys: list(
          string({ description: "A routing key." }),
          "The routing keys that it had been published with.",
        ),
        time: count("When it died there first, in milliseconds since 1970."),
        originalExpiration: optional(
          count("Its `expiration`, which no longer counts since its first death."),
        ),
        nackReason: optional(object(nackReason, "What the consumer said that refused it last.")),
      }),
      "Where it was dead-lettered and why, the latest first; at most 20. Missing: nowhere.",
    ),
  ),
  firstDeath: optional(
    object(
      {
        queue: name("The queue."),
        reason: string<DeathReason>({ description: "As above." }),
        exchange: name("The exchange."),
      },
      "The first death of all, also when it is no longer among `deaths`.",
    ),
  ),
  nackReason: optional(object(nackReason, "What a consumer said that gave it back last.")),
} as const;

/** The properties of a message in JSON frames. */
export const jsonProperties = {
  persistent: flag("Survives a restart in durable queues. Default true."),
  contentType: optional(name("MIME type of the body.")),
  contentEncoding: optional(name("Encoding of the body.")),
  priority: optional(integer({ minimum: 0, maximum: 255, description: "Larger is more urgent." })),
  correlationId: optional(name("What this is an answer to.")),
  replyTo: optional(name("Where an answer should go.")),
  expiration: optional(
    count("Milliseconds that the message may wait in a queue. 0: it is delivered at once or expires."),
  ),
  messageId: optional(name("The application's id of the message.")),
  timestamp: optional(integer({ minimum: 0, maximum: 8.64e15, description: "Milliseconds since 1970." })),
  type: optional(name("The application's name for the kind of message.")),
  userId: optional(name("If set, must be the user of the session.")),
  appId: optional(name("The publishing application.")),
  headers: optional(table('See "Headers".')),
} as const;

/** The message in JSON frames; of `json`, `text` and `base64` exactly one is there. */
export const jsonMessage = {
  exchange: name("Empty for the default exchange."),
  routingKey: name("Routing key."),
  properties: optional(object(jsonProperties, "What the message says about itself.")),
  json: optional(
    json(
      "The body as a JSON value. The content type is `application/json` unless the properties say otherwise.",
    ),
  ),
  text: optional(
    string({
      description:
        "The body as text, UTF-8. The content type is `text/plain` unless the properties say otherwise.",
    }),
  ),
  base64: optional(string({ description: "The body as base64." })),
} as const;
