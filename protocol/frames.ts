import { longestMs } from "./arguments.ts";
import type { DeliveryHistory, NackReason } from "./delivery-history.ts";
import type { ErrorCode, ErrorDetails } from "./errors.ts";
import { count, errorCode, flag, id, maxInteger, name, number, table } from "./field-kinds.ts";
import { messageFrameCodes, type Outcome } from "./frame-codes.ts";
import type { Headers } from "./header-value.ts";
import type { Message, MessageProperties } from "./message.ts";
import { historyFields, jsonProperties, nackReason } from "./message-fields.ts";
import {
  asideFilter,
  browsedMessage,
  messageFilter,
  messagePosition,
  redriveCount,
} from "./message-management.ts";
import type { ExplainedExchange } from "./route-explanation.ts";
import {
  boolean,
  type Fields,
  type Infer,
  type InferFields,
  integer,
  json,
  list,
  map,
  object,
  oneOf,
  optional,
  type Schema,
  string,
} from "./schema.ts";

/**
 * The table of frames. TypeScript types, JSON schemas, both codecs and the tables in docs/protocol.md follow from it.
 * Codes of message frames are never reused; `test/vectors/frames.json` pins the table.
 */

const limits = {
  maxMessageBytes: count("Largest body of a message."),
  maxHeaderBytes: count("Largest size of a message's address, properties and headers together."),
  maxFrameBytes: count("Largest WebSocket message. A larger one ends the session with close code 1009."),
  maxPrefetch: count("Largest prefetch of a consumer, and most unsettled messages of `queue.get`."),
  defaultPrefetch: count("The prefetch of a consumer that names none."),
  maxConsumers: count("Most consumers of one session."),
};

const onMismatch = (immutable: string) =>
  optional(
    oneOf(
      ["fail", "keep", "update"],
      `What happens if it is there and differs. \`fail\`: \`precondition-failed\` with the differences. \`keep\`: it is taken as it is. \`update\`: it is changed while it is in use; if ${immutable}, nothing is changed and the answer is \`precondition-failed\`. Default \`fail\`.`,
    ),
  );

type EffectiveArgumentsJson = {
  readonly [name: string]: { readonly value: unknown; readonly from: string };
};
const effectiveArguments = map<EffectiveArgumentsJson>(
  "Every argument by its name, with the `value` that holds (`null`: none, or no limit) and `from` where: `declared`, `policy:` and the policy's name, or `default`.",
);
const policyFields = {
  policy: string({ minLength: 1, maxLength: 255, description: "Name of the policy." }),
  pattern: string({
    minLength: 1,
    maxLength: 255,
    description:
      "Names that it is for. `*` stands for any text, also none, and everything else for itself; the whole name has to match.",
  }),
  appliesTo: oneOf(["queues", "exchanges"], "What it is for."),
};
const policyPriority = integer({
  minimum: -2_147_483_648,
  maximum: 2_147_483_647,
  description:
    "Of the policies that match a name, the one with the highest is in force, and of equals the one whose name comes first. Default 0.",
});

/** A frame from the client that is answered by `ok` (or `welcome`) with the fields in `reply`, or by `error`. */
function request<const F extends Fields, const R extends Fields>(description: string, fields: F, reply: R) {
  return { kind: "request", description, fields: { id, ...fields }, reply } as const;
}

/** A control frame that is not answered. */
function notice<const S extends "client" | "server" | "both", const F extends Fields>(
  description: string,
  sender: S,
  fields: F,
) {
  return { kind: "notice", description, sender, fields } as const;
}

export const requests = {
  hello: request(
    "Opens the session. Must be the first frame. Answered by `welcome`.",
    {
      protocol: integer({ minimum: 1, maximum: 65535, description: "Version of the protocol: 1." }),
      credentials: optional(
        object(
          {
            user: string({ maxLength: 255, description: "Name of the user." }),
            password: string({ maxLength: 1024, description: "The user's password, as it is." }),
          },
          "Who the client is. Not needed where the broker has no users.",
        ),
      ),
      encoding: optional(
        oneOf(
          ["json", "binary"],
          "How message frames travel, both ways. Default `json`: everything is text.",
        ),
      ),
      heartbeatMs: optional(
        integer({
          minimum: 0,
          maximum: 3_600_000,
          description:
            "Heartbeat interval that the client wants. 0: no heartbeats. The lower of both sides' wishes holds, except that 0 always holds. Default: the broker's wish.",
        }),
      ),
      limits: optional(
        object(
          {
            maxFrameBytes: optional(
              integer({
                minimum: 1024,
                maximum: maxInteger,
                description:
                  "Largest WebSocket message that the client wants. A single message that is larger still comes, alone.",
              }),
            ),
          },
          "What the client can take.",
        ),
      ),
      client: optional(
        object(
          {
            product: string({ maxLength: 255, description: "Name of the program or library." }),
            version: optional(string({ maxLength: 255, description: "Its version." })),
            name: optional(string({ maxLength: 255, description: "What tells this client from others." })),
          },
          "What the client is, for logs and lists of connections.",
        ),
      ),
    },
    {
      protocol: integer({ minimum: 1, maximum: 65535, description: "The version that holds: 1." }),
      session: string({ description: "Names the session. A later version resumes by it." }),
      resumeWindowMs: count(
        "How long the session is kept for a client that lost its connection. 0: not at all.",
      ),
      user: string({
        description: "Who the client is taken for. `anonymous` where the broker has no users.",
      }),
      encoding: oneOf(["json", "binary"], "The encoding that holds: the one asked for."),
      heartbeatMs: count(
        "The interval that holds. Both sides send something at least this often; silence of twice as long ends the session. 0: off.",
      ),
      limits: object(limits, "What the broker can take."),
      server: object(
        {
          product: string({ description: "Name of the broker's program." }),
          version: string({ description: "Its version." }),
        },
        "What the broker is.",
      ),
    },
  ),
  bye: request(
    "Ends the session: consumers go, unsettled deliveries return to their queues. Answered by `ok` once everything published has its outcome, then close code 1000.",
    {},
    {},
  ),

  "exchange.declare": request(
    "Creates an exchange, or checks that it is there and the same, or makes it so.",
    {
      exchange: name("Name of the exchange."),
      exchangeType: optional(
        string({
          maxLength: 255,
          description:
            "`direct`, `fanout`, `topic`, `headers`, `consistent-hash` or `random`. Needed unless `passive`.",
        }),
      ),
      durable: flag("Survives a restart of the broker. Default true."),
      autoDelete: flag("Goes when the last binding to it goes. Default false."),
      internal: flag(
        "Only reached through other exchanges: a publish to it is refused with `access-refused`. Default false.",
      ),
      passive: flag(
        "Only check that it is there: `not-found` otherwise. Nothing else is compared. Default false.",
      ),
      onMismatch: onMismatch("`exchangeType` or `durable` differs"),
      arguments: optional(table('See "Arguments".')),
    },
    {},
  ),
  "exchange.delete": request(
    "Deletes an exchange and its bindings. One that does not exist is no error.",
    {
      exchange: name("Name of the exchange."),
      ifUnused: flag("Only if no queue and no exchange is bound to it. Default false."),
    },
    {},
  ),
  "exchange.status": request(
    "Says what an exchange is like.",
    { exchange: name("Name of the exchange.") },
    {
      exchange: string({ description: "Name of the exchange." }),
      exchangeType: string({ description: "Its type." }),
      durable: boolean("Survives a restart of the broker."),
      autoDelete: boolean("Goes when the last binding to it goes."),
      internal: boolean("Only reached through other exchanges."),
      bindings: count("Bindings that lead from it."),
      missedTargets: optional(
        count(
          "Messages that were to go on to `alternateExchange` when that was not there, since the broker has started.",
        ),
      ),
      policy: optional(string({ description: "Name of the policy that is in force." })),
      effectiveArguments,
    },
  ),
  "exchange.bind": request(
    "Binds an exchange to another: what matches goes on through it. The same binding again is no error.",
    {
      destination: name("Name of the exchange that messages go to."),
      source: name("Name of the exchange that they come from."),
      routingKey: optional(name("Key or pattern, as the source's type has it. Default empty.")),
      arguments: optional(table("As in `queue.bind`.")),
    },
    {},
  ),
  "exchange.unbind": request(
    "Removes a binding between exchanges: same source, destination, routing key and arguments. One that does not exist is no error.",
    {
      destination: name("As in `exchange.bind`."),
      source: name("As in `exchange.bind`."),
      routingKey: optional(name("As in `exchange.bind`.")),
      arguments: optional(table("As in `exchange.bind`.")),
    },
    {},
  ),
  "queue.declare": request(
    "Creates a queue, or checks that it is there and the same, or makes it so.",
    {
      queue: optional(
        name("Name of the queue. Empty or missing: the broker makes one up that begins with `amq.gen-`."),
      ),
      durable: flag(
        "Survives a restart of the broker, with its persistent messages. Default true; exclusive queues never do.",
      ),
      exclusive: flag("Only for this session, and deleted when it ends. Default false."),
      autoDelete: flag("Deleted when its last consumer goes, if it ever had one. Default false."),
      passive: flag(
        "Only check that it is there: `not-found` otherwise. Nothing else is compared. Default false.",
      ),
      onMismatch: onMismatch("`durable` or `exclusive` differs"),
      arguments: optional(table('See "Arguments".')),
    },
    {
      queue: string({ description: "Name of the queue." }),
      messageCount: count(
        "Messages ready for delivery. Those with consumers, not yet settled, do not count.",
      ),
      consumerCount: count("Consumers of the queue."),
    },
  ),
  "queue.delete": request(
    "Deletes a queue with its messages. One that does not exist is no error.",
    {
      queue: optional(name("Name of the queue. Empty or missing: the last one that this session declared.")),
      ifUnused: flag("Only if it has no consumers. Default false."),
      ifEmpty: flag("Only if no message is ready, delayed or parked. Default false."),
    },
    { messageCount: count("Messages that were ready.") },
  ),
  "queue.purge": request(
    "Deletes all messages that are ready. Those with consumers stay, and those that are delayed or parked.",
    {
      queue: optional(name("Name of the queue. Empty or missing: the last one that this session declared.")),
    },
    { messageCount: count("Messages deleted.") },
  ),
  "queue.pause": request(
    "Stops deliveries from a queue until `queue.resume`, also after a restart of the broker: no delivery follows the `ok`, and `queue.get` finds nothing. Publishing goes on, and what was delivered can be settled. A queue that is paused already is no error.",
    {
      queue: optional(name("Name of the queue. Empty or missing: the last one that this session declared.")),
    },
    {},
  ),
  "queue.resume": request(
    "Lets deliveries from a queue go on. A queue that is not paused is no error.",
    {
      queue: optional(name("Name of the queue. Empty or missing: the last one that this session declared.")),
    },
    {},
  ),
  "queue.status": request(
    "Says how a queue is doing.",
    {
      queue: optional(name("Name of the queue. Empty or missing: the last one that this session declared.")),
    },
    {
      queue: string({ description: "Name of the queue." }),
      ready: count("Messages ready for delivery."),
      readyBytes: optional(count("Bytes of their bodies.")),
      unsettled: count("Messages with consumers, or taken by `queue.get`, that are not settled."),
      delayed: optional(count("Messages that come back at a certain time.")),
      parked: optional(
        count(
          "Messages that were delivered as often as they may be, or failed while others succeeded: somebody has to release or delete them.",
        ),
      ),
      consumers: count("Consumers of the queue."),
      activeConsumer: optional(
        string({ description: "Tag of the active consumer of a queue with `singleActiveConsumer`." }),
      ),
      paused: boolean("Deliveries are stopped by `queue.pause`."),
      groups: optional(
        count(
          "Groups of a queue with `messageGroups` of which a message is unsettled, or among the ready ones that were looked at.",
        ),
      ),
      circuit: optional(
        oneOf(
          ["closed", "open", "half-open"],
          "State of the circuit breaker, if the queue has one. `closed`: messages are delivered. `open`: none. `half-open`: one, to see whether that succeeds.",
        ),
      ),
      missedTargets: optional(
        count(
          "Messages that were to go on to `deadLetterExchange` or `deadLetterQueue` when that was not there, since the broker has started.",
        ),
      ),
      policy: optional(string({ description: "Name of the policy that is in force." })),
      effectiveArguments: optional(effectiveArguments),
    },
  ),
  "queue.browse": request(
    "Shows messages of a queue without taking them: nothing about them changes. Each call does a bounded piece of work, and may find nothing although there is more: go on until there is no `cursor`. See [Browse](guides/browse-and-redrive.md).",
    {
      queue: optional(name("Name of the queue. Empty or missing: the last one that this session declared.")),
      cursor: optional(
        string({
          maxLength: 8192,
          description: "Where to go on: of the answer before. Missing: at the front.",
        }),
      ),
      limit: optional(
        integer({ minimum: 1, maximum: 1000, description: "Most messages in the answer. Default 100." }),
      ),
      maxBodyBytes: optional(
        integer({
          minimum: 0,
          maximum: 1_048_576,
          description: "Longer bodies are cut: then `base64` has their beginning. Default 4096.",
        }),
      ),
      filter: optional(object(messageFilter, "Which messages to show. Missing: all.")),
    },
    {
      messages: list(object(browsedMessage), "What was found, in the order of the queue."),
      examined: count("Messages looked at in this call."),
      cursor: optional(
        string({
          description:
            "Where to go on. It stays valid whatever happens to the queue; messages that come after the first call are not shown. Missing: that was all.",
        }),
      ),
    },
  ),
  "queue.message.release": request(
    "Makes one message ready that is parked or delayed, in its place. Answered when that is on disk. `not-found`: it is no longer there. `precondition-failed`: it is neither.",
    {
      queue: optional(name("Name of the queue. Empty or missing: the last one that this session declared.")),
      position: messagePosition,
    },
    {},
  ),
  "queue.release": request(
    "Makes messages ready that are parked, or delayed, each in its place. Each call does a bounded piece of work and is answered when it is on disk: go on with `cursor` until there is none. See [Parked messages](guides/dead-letters-and-retries.md).",
    {
      queue: optional(name("Name of the queue. Empty or missing: the last one that this session declared.")),
      filter: optional(object(asideFilter, "Which messages. Missing: all that are parked.")),
      limit: optional(
        integer({
          minimum: 1,
          maximum: 1000,
          description: "Most messages released in this call. Default 256.",
        }),
      ),
      cursor: optional(string({ maxLength: 8192, description: "As in `queue.browse`." })),
    },
    {
      released: count("Messages that were released."),
      examined: count("Messages looked at in this call."),
      cursor: optional(string({ description: "As in `queue.browse`." })),
    },
  ),
  "queue.message.delete": request(
    "Deletes one message. It is not dead-lettered. `not-found` if it is no longer there, `precondition-failed` if a consumer has it.",
    {
      queue: optional(name("Name of the queue. Empty or missing: the last one that this session declared.")),
      position: messagePosition,
    },
    {},
  ),
  "queue.redrive": request(
    "Moves or copies messages to the queue that each of them failed in, or to a queue named. Each call does a bounded piece of work and is answered when it is on disk: go on with `cursor` until there is none. See [Redrive](guides/browse-and-redrive.md).",
    {
      queue: optional(
        name(
          "Name of the queue that they are in. Empty or missing: the last one that this session declared.",
        ),
      ),
      to: optional(
        name("Name of the queue that they go to. Missing: for each the queue of its latest death."),
      ),
      filter: optional(
        object(
          messageFilter,
          "Which messages. Those that are delayed or parked stay unless `state` asks for them, those with consumers always. Missing: all that are ready.",
        ),
      ),
      mode: optional(oneOf(["move", "copy"], "Default `move`.")),
      dryRun: flag("Only count. Default false."),
      limit: optional(
        integer({
          minimum: 1,
          maximum: 1000,
          description: "Most messages redriven in this call. Default 256.",
        }),
      ),
      ratePerSecond: optional(
        integer({
          minimum: 1,
          maximum: 1_000_000,
          description:
            "The answer comes no earlier than so many messages a second allow, and the call redrives no more than a quarter of a second's worth. Missing: no limit.",
        }),
      ),
      cursor: optional(string({ maxLength: 8192, description: "As in `queue.browse`." })),
    },
    {
      redriven: count("Messages that went to another queue; with `dryRun`, that would."),
      examined: count("Messages looked at in this call."),
      counts: list(object(redriveCount), "The messages that the filter lets through, by target and reason."),
      cursor: optional(string({ description: "As in `queue.browse`." })),
    },
  ),
  "queue.bind": request(
    "Binds a queue to an exchange. The same binding again is no error.",
    {
      queue: optional(name("Name of the queue. Empty or missing: the last one that this session declared.")),
      exchange: name("Name of the exchange."),
      routingKey: optional(
        name("Key or pattern. Default empty; if the queue is not named either, the queue's name."),
      ),
      arguments: optional(table("Part of the binding's identity. Headers exchanges match by them.")),
    },
    {},
  ),
  "queue.unbind": request(
    "Removes a binding: same exchange, queue, routing key and arguments. One that does not exist is no error.",
    {
      queue: optional(name("Name of the queue. Empty or missing: the last one that this session declared.")),
      exchange: name("Name of the exchange."),
      routingKey: optional(name("As in `queue.bind`.")),
      arguments: optional(table("As in `queue.bind`.")),
    },
    {},
  ),
  "route.explain": request(
    "Says where a message would go, and why, without publishing it: which bindings match and which do not, behind other exchanges and alternates too.",
    {
      exchange: name("Name of the exchange. Empty for the default exchange. It may be internal."),
      routingKey: name("Routing key."),
      properties: optional(object(jsonProperties, "As in `publish`.")),
      limit: optional(
        integer({
          minimum: 1,
          maximum: 1000,
          description: "Most bindings shown and queues named. Default 100.",
        }),
      ),
    },
    {
      queues: list(
        string({ description: "Name of a queue." }),
        "Names of the queues that would get it, those first that would get it for certain.",
      ),
      queueCount: count("How many there are."),
      byChance: list(
        string({ description: "Name of a queue." }),
        "Those of `queues` that only may get it: a `random` exchange on the way would draw.",
      ),
      truncated: boolean("There is more than this answer shows."),
      route: json<ExplainedExchange>('The exchange, and what lies behind it. See "Explanations".'),
    },
  ),
  "queue.get": request(
    "Takes one message off a queue. It arrives in a `deliver` frame of consumer 0, before the `ok`.",
    {
      queue: optional(name("Name of the queue. Empty or missing: the last one that this session declared.")),
      noAck: flag("The message counts as settled at once. Default false."),
    },
    {
      delivered: count("1, or 0 if no message was ready."),
      messageCount: count("Messages still ready."),
    },
  ),
  "queue.consume": request(
    "Starts a consumer. Its deliveries follow the `ok`.",
    {
      queue: optional(name("Name of the queue. Empty or missing: the last one that this session declared.")),
      consumerTag: optional(
        name("Name of the consumer, unique in the session. Empty or missing: the broker makes one up."),
      ),
      prefetch: optional(
        integer({
          minimum: 0,
          maximum: 4_294_967_295,
          description:
            "Most deliveries unsettled at any time. 0: as many as the broker allows. Missing: the default in `welcome`. Cut to the broker's largest.",
        }),
      ),
      noAck: flag(
        "Deliveries count as settled when sent and are not numbered; prefetch does not apply. Default false.",
      ),
      exclusive: flag("Be the queue's only consumer: refused if it has another. Default false."),
      whenSlow: optional(
        oneOf(
          ["pause", "conflate", "close"],
          "What happens when the client reads too slowly: see [Slow clients](#slow-clients). Missing: the broker decides.",
        ),
      ),
      arguments: optional(table('See "Arguments".')),
    },
    {
      consumer: number("The consumer's number in this session: deliveries and settlements carry it."),
      consumerTag: string({ description: "Name of the consumer." }),
      prefetch: count("The prefetch that holds."),
      prefetchBytes: optional(count("The `prefetchBytes` that holds. Missing with `noAck`.")),
      ackTimeout: optional(
        number("Milliseconds in which a delivery has to be settled or touched. Missing: no limit."),
      ),
      messageGroups: optional(
        object(
          {
            by: oneOf(["routingKey", "header", "property"], "Where it is."),
            name: optional(name("Name of the header or property.")),
          },
          "Where the group key of the queue's messages is, if it has `messageGroups`: those with the same key have to be handled one after the other.",
        ),
      ),
      retries: flag(
        "The queue has a `retry` schedule: what is requeued comes back after a delay, and the client need not wait before it requeues. Missing: no.",
      ),
      active: flag(
        "Whether this is the consumer that gets messages. Only for queues with `singleActiveConsumer`; later changes come as `consumer.active`.",
      ),
    },
  ),
  "consumer.touch": request(
    "Says that deliveries are still being worked on: the time in which they have to be settled begins anew. Deliveries in the range that are settled or have expired are passed over.",
    {
      consumer: count("The consumer's number; 0 for messages of `queue.get`."),
      first: number("First delivery number of the range."),
      last: number("Last delivery number of the range."),
    },
    { touched: count("Deliveries of the range that are outstanding.") },
  ),
  "consumer.cancel": request(
    "Stops a consumer: no delivery follows the `ok`. Its unsettled deliveries stay with the client and can be settled. One that does not exist is no error.",
    { consumer: number("Number of the consumer.") },
    {},
  ),

  "policy.set": request(
    "Adds a policy, or replaces the one of that name: arguments for all queues or exchanges whose names match, those that are there and those to come. It is in force at once, and survives a restart of the broker.",
    {
      ...policyFields,
      priority: optional(policyPriority),
      arguments: optional(table('See "Arguments".')),
    },
    { inForce: count("Queues or exchanges that it is in force for.") },
  ),
  "policy.delete": request(
    "Deletes a policy. Where it was in force, the next one that matches is, or none. One that does not exist is no error.",
    { policy: name("Name of the policy.") },
    {},
  ),
  "policy.list": request(
    "Lists all policies.",
    {},
    {
      policies: list(
        object({
          ...policyFields,
          priority: policyPriority,
          arguments: table('See "Arguments".'),
          inForce: count("Queues or exchanges that it is in force for."),
        }),
        "By rank: of two that match a name, the one that is in force comes first.",
      ),
    },
  ),
} as const;

export const notices = {
  heartbeat: notice(
    "Says that the sender is there. Sent when it has been silent for half the heartbeat interval.",
    "both",
    {},
  ),
  ok: notice("The answer to a request that was carried out, with the fields of its reply.", "server", { id }),
  error: notice(
    "The answer to a request that was not. Without `id`: about a frame that had none, or the reason for a close that follows.",
    "server",
    {
      id: optional(id),
      code: errorCode("A code of the catalogue."),
      message: string({ description: "For people." }),
      details: optional(map<ErrorDetails>("For programs.")),
      retryAfterMs: optional(
        count(
          "With the reason for a close after which to come back: how long to wait before the first attempt to reconnect.",
        ),
      ),
    },
  ),
  "consumer.cancelled": notice(
    "The broker has ended a consumer, for example because its queue was deleted.",
    "server",
    {
      consumer: number("Number of the consumer."),
      consumerTag: string({ description: "Name of the consumer." }),
      code: errorCode("Why."),
      message: string({ description: "For people." }),
    },
  ),
  "consumer.active": notice(
    "A consumer of a queue with `singleActiveConsumer` has become the one that gets messages, or is no longer. What it was given stays its own.",
    "server",
    {
      consumer: number("Number of the consumer."),
      active: boolean("Whether it is the active one now."),
    },
  ),
  "consumer.conflated": notice(
    "Messages of a consumer with `whenSlow` `conflate` were dropped, since newer ones came before the client had read them. Comes before the next delivery.",
    "server",
    {
      consumer: number("Number of the consumer."),
      dropped: number("How many, since the last such frame."),
    },
  ),
  "delivery.expired": notice(
    "Deliveries were not settled within their `ackTimeout`: the messages have gone back to their queue, and what is said about these deliveries has no effect any more.",
    "server",
    {
      consumer: count("The consumer's number; 0 for messages of `queue.get`."),
      first: number("First delivery number of the range."),
      last: number("Last delivery number of the range."),
    },
  ),
  goaway: notice(
    "The broker is about to close this session: finish what is under way and reconnect.",
    "server",
    {
      code: errorCode("Why."),
      message: string({ description: "For people." }),
      retryAfterMs: count("How long to wait before the first attempt to reconnect."),
    },
  ),
  blocked: notice(
    "The broker is short of disk or memory and refuses publishes until `unblocked`: publish nothing meanwhile. Everything else goes on. Comes again if the reason changes.",
    "server",
    {
      code: errorCode("Why: `disk-full` or `memory-high`."),
      message: string({ description: "For people." }),
    },
  ),
  unblocked: notice("Publishes are accepted again.", "server", {}),
} as const;

/** Message frames: their codes in binary, who sends them, and their fields in JSON besides those of the message. */
export const messageFrames = {
  publish: {
    code: messageFrameCodes.publish,
    sender: "client",
    carries: "message",
    description: "A message for an exchange.",
    fields: {
      number: number("1 for the session's first publish, then one more each time."),
      mandatory: flag("Return the message if no queue is bound for it. Default false."),
      confirm: flag("Confirm the message. Default true. Refusals are always told."),
    },
  },
  deliver: {
    code: messageFrameCodes.deliver,
    sender: "server",
    carries: "message",
    description: "A message for a consumer.",
    fields: {
      consumer: count("The consumer's number; 0 for the answer to `queue.get`."),
      delivery: optional(
        number("1 for the consumer's first delivery, then one more each time. Missing with `noAck`."),
      ),
      redelivered: flag("It may have been delivered before, to whomever. Missing: no."),
      attempts: optional(
        number("How often it was handed out before. Missing: never, or the broker does not know."),
      ),
      ...historyFields,
    },
  },
  confirm: {
    code: messageFrameCodes.confirm,
    sender: "server",
    carries: "nothing",
    description:
      "The fate of a range of publishes: on disk (or routed, if not persistent), or refused with an error.",
    fields: {
      first: number("First publish number of the range."),
      last: number("Last publish number of the range."),
      code: optional(errorCode("Missing: confirmed. Otherwise refused, and this is why.")),
      message: optional(string({ description: "For people; with `code` only." })),
    },
  },
  return: {
    code: messageFrameCodes.return,
    sender: "server",
    carries: "message",
    description: "A mandatory message that no queue is bound for comes back. Its confirm follows.",
    fields: {
      number: number("Number of the publish."),
      code: errorCode("`no-route`."),
      message: string({ description: "For people." }),
    },
  },
  settle: {
    code: messageFrameCodes.settle,
    sender: "client",
    carries: "nothing",
    description:
      "What becomes of a range of deliveries. Those in the range that are settled already are passed over, but the last must be outstanding.",
    fields: {
      consumer: count("The consumer's number; 0 for messages of `queue.get`."),
      first: number("First delivery number of the range."),
      last: number("Last delivery number of the range."),
      outcome: oneOf(
        ["ack", "requeue", "reject", "release"],
        "`ack`: done. `requeue`: back to its place in the queue. `reject`: not wanted: dead-lettered, or dropped if the queue has no target. `release`: not looked at: back to its place, and not counted as an attempt.",
      ),
      delay: optional(
        integer({
          minimum: 0,
          maximum: longestMs,
          description:
            "Milliseconds before the message comes back, with `requeue` only. Default, and 0: as the queue's `retry` says, otherwise at once.",
        }),
      ),
      reason: optional(
        object(
          nackReason,
          "Why, with `requeue` and `reject` only. Kept with the message, cut to 64 and 512 characters.",
        ),
      ),
    },
  },
} as const;

/** Frame types kept for features of a later version; a broker answers `not-implemented`. */
export const reservedFrameTypes: ReadonlySet<string> = new Set([
  "session.resume",
  "session.refresh",
  "consumer.update",
]);

export type RequestType = keyof typeof requests;
type RequestFields<T extends RequestType> = InferFields<(typeof requests)[T]["fields"]>;
type NoticeType = keyof typeof notices;
type NoticeFields<T extends NoticeType> = InferFields<(typeof notices)[T]["fields"]>;

/** A request of type `T`. */
export type RequestFrame<T extends RequestType = RequestType> = {
  [K in T]: { readonly type: K } & RequestFields<K>;
}[T];

/** What the answer to a request of type `T` says. */
export type Reply<T extends RequestType> = InferFields<(typeof requests)[T]["reply"]>;

export type HeartbeatFrame = { readonly type: "heartbeat" };
export type OkFrame = { readonly type: "ok"; readonly id: number } & { readonly [field: string]: unknown };
export type WelcomeFrame = { readonly type: "welcome"; readonly id: number } & Reply<"hello">;
export type ErrorFrame = { readonly type: "error" } & NoticeFields<"error">;
export type ConsumerCancelledFrame = {
  readonly type: "consumer.cancelled";
} & NoticeFields<"consumer.cancelled">;
export type ConsumerActiveFrame = { readonly type: "consumer.active" } & NoticeFields<"consumer.active">;
export type ConsumerConflatedFrame = {
  readonly type: "consumer.conflated";
} & NoticeFields<"consumer.conflated">;
export type DeliveryExpiredFrame = {
  readonly type: "delivery.expired";
} & NoticeFields<"delivery.expired">;
export type GoawayFrame = { readonly type: "goaway" } & NoticeFields<"goaway">;
export type BlockedFrame = { readonly type: "blocked" } & NoticeFields<"blocked">;
export type UnblockedFrame = { readonly type: "unblocked" };

/** A control frame from a client. */
export type ClientControlFrame = RequestFrame | HeartbeatFrame;

/** A control frame from a broker. */
export type ServerControlFrame =
  | OkFrame
  | WelcomeFrame
  | ErrorFrame
  | HeartbeatFrame
  | ConsumerCancelledFrame
  | ConsumerActiveFrame
  | DeliveryExpiredFrame
  | ConsumerConflatedFrame
  | GoawayFrame
  | BlockedFrame
  | UnblockedFrame;

export interface PublishFrame {
  readonly type: "publish";
  readonly number: number;
  readonly mandatory: boolean;
  readonly confirm: boolean;
  readonly message: Message;
}

export interface DeliverFrame {
  readonly type: "deliver";
  readonly consumer: number;
  /** `undefined` for consumers that do not acknowledge. */
  readonly delivery: number | undefined;
  readonly redelivered: boolean;
  /** `undefined` if it was not handed out before, or the broker does not know how often. */
  readonly attempts: number | undefined;
  /** Missing: there is nothing to tell. In JSON its parts are fields of the frame. */
  readonly history?: DeliveryHistory;
  readonly message: Message;
}

export interface ConfirmFrame {
  readonly type: "confirm";
  readonly first: number;
  readonly last: number;
  /** `undefined`: confirmed. */
  readonly error: { readonly code: ErrorCode; readonly message: string } | undefined;
}

export interface ReturnFrame {
  readonly type: "return";
  readonly number: number;
  readonly error: { readonly code: ErrorCode; readonly message: string };
  readonly message: Message;
}

export interface SettleFrame {
  readonly type: "settle";
  readonly consumer: number;
  readonly first: number;
  readonly last: number;
  readonly outcome: Outcome;
  /** Milliseconds before the message comes back. */
  readonly delay?: number;
  readonly reason?: NackReason;
}

/** Any frame that may travel in binary. */
export type MessageFrame = PublishFrame | DeliverFrame | ConfirmFrame | ReturnFrame | SettleFrame;

export { type Outcome, outcomeCodes } from "./frame-codes.ts";
export { jsonMessage, jsonProperties } from "./message-fields.ts";
export type { Fields, Headers, Infer, MessageProperties, Schema };
