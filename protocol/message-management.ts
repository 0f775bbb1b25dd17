import type { DeathReason } from "./delivery-history.ts";
import { count, flag, name, table } from "./field-kinds.ts";
import { historyFields, jsonMessage } from "./message-fields.ts";
import { list, oneOf, optional, string } from "./schema.ts";

/** Fields of the requests that look after single messages in a queue. */

/** What a message in a queue can be up to. */
export const messageStates = ["ready", "unsettled", "delayed", "parked"] as const;

/** Most conditions of one kind in a filter. */
export const maxFilterConditions = 16;

const names = (description: string) =>
  optional(list(string({ maxLength: 255, description: "A name or a path." }), description));

export const messagePosition = string({
  maxLength: 32,
  description: "Where the message is in the queue, from `queue.browse`. Opaque.",
});

/** Which messages are meant: those that meet every condition given. */
export const messageFilter = {
  state: optional(oneOf(messageStates, "What the message is up to.")),
  routingKey: optional(
    name("A pattern as of a topic exchange, for the routing key that the message was published with."),
  ),
  headers: optional(table("Headers that the message has, with exactly these values.")),
  headerNames: names("Headers that the message has, with whatever value."),
  body: optional(
    table(
      "Paths into a JSON body, such as `$.items[0].sku`, and the values there. See [Filters](guides/browse-and-redrive.md).",
    ),
  ),
  bodyPaths: names("Paths at which a JSON body has something, if only `null`."),
  reason: optional(
    string<DeathReason>({ maxLength: 32, description: "The reason of the message's latest death." }),
  ),
  diedIn: optional(name("The queue of the message's latest death.")),
} as const;

/** As {@link messageFilter}, for messages that are set aside. */
export const asideFilter = {
  ...messageFilter,
  state: optional(oneOf(["parked", "delayed"], "Which of them. Default `parked`.")),
} as const;

/** A message as `queue.browse` shows it. */
export const browsedMessage = {
  position: messagePosition,
  state: oneOf(
    messageStates,
    "`ready` for delivery; `unsettled`: with a consumer, or taken by `queue.get`; `delayed`: comes back at a certain time; `parked`: somebody has to release or delete it.",
  ),
  size: count("Bytes of the body."),
  redelivered: flag("It may have been delivered before, to whomever. Missing: no."),
  attempts: optional(
    count("How often it was handed out before. Missing: never, or the broker does not know."),
  ),
  expiresAt: optional(count("When it expires, in milliseconds since 1970. Missing: never.")),
  delayedUntil: optional(
    count("When it comes back, if it is delayed, in milliseconds since 1970. Missing: it is not."),
  ),
  ...historyFields,
  ...jsonMessage,
  cut: flag("`base64` has only the beginning of the body."),
} as const;

/** What `queue.redrive` counts together. */
export const redriveCount = {
  target: optional(
    string({
      description: "The queue that they go to. Missing: they have no death history, so none is known.",
    }),
  ),
  reason: optional(string<DeathReason>({ description: "Of their latest death. Missing: none." })),
  outcome: oneOf(
    ["redriven", "missing"],
    "`missing`: they stay where they are, as there is no such queue, or none is known.",
  ),
  messages: count("How many."),
} as const;
