/** The frames behind `test/vectors/control-frames.json`. Add to them; change nothing. */
interface ControlVector {
  readonly name: string;
  /** Who sends it. */
  readonly from: "client" | "broker";
  /** For answers to requests that were carried out: the type of the request. */
  readonly answers?: string;
  readonly json: object;
  /** Whether the frame fits its schema. A broker answers one that does not with `invalid-frame`. */
  readonly fits: boolean;
}

function client(name: string, json: object, fits = true): ControlVector {
  return { name, from: "client", json, fits };
}

function broker(name: string, json: object): ControlVector {
  return { name, from: "broker", json, fits: true };
}

function answer(answers: string, json: object): ControlVector {
  return { name: `answer to ${answers}`, from: "broker", answers, json, fits: true };
}

const ok = (id: number, reply: object = {}) => ({ type: "ok", id, ...reply });

export const controlVectors: readonly ControlVector[] = [
  client("hello: no more than it needs", { type: "hello", id: 1, protocol: 1 }),
  client("hello: everything", {
    type: "hello",
    id: 1,
    protocol: 1,
    credentials: { user: "ada", password: "correct horse" },
    encoding: "binary",
    heartbeatMs: 20_000,
    limits: { maxFrameBytes: 1_048_576 },
    client: { product: "shop", version: "2.1.0", name: "checkout-3" },
  }),
  client("hello: without an id", { type: "hello", protocol: 1 }, false),
  client("hello: without a version", { type: "hello", id: 1 }, false),
  client("hello: a version as text", { type: "hello", id: 1, protocol: "1" }, false),
  client("hello: no password", { type: "hello", id: 1, protocol: 1, credentials: { user: "ada" } }, false),
  client("hello: an unknown encoding", { type: "hello", id: 1, protocol: 1, encoding: "cbor" }, false),
  client("hello: an unknown field inside", { type: "hello", id: 1, protocol: 1, limits: { max: 1 } }, false),
  answer("hello", {
    type: "welcome",
    id: 1,
    protocol: 1,
    session: "Zb9pCkT2S0aVYx1q",
    resumeWindowMs: 0,
    user: "ada",
    encoding: "binary",
    heartbeatMs: 20_000,
    limits: {
      maxMessageBytes: 16_777_216,
      maxHeaderBytes: 65_536,
      maxFrameBytes: 16_908_288,
      maxPrefetch: 65_535,
      defaultPrefetch: 100,
      maxConsumers: 1000,
    },
    server: { product: "posthorn", version: "0.1.0" },
  }),
  client("exchange.declare", {
    type: "exchange.declare",
    id: 2,
    exchange: "orders",
    exchangeType: "topic",
    durable: true,
    autoDelete: false,
    internal: false,
    arguments: {},
  }),
  client("exchange.declare: passive", { type: "exchange.declare", id: 2, exchange: "orders", passive: true }),
  client("exchange.declare: no name", { type: "exchange.declare", id: 2, exchangeType: "topic" }, false),
  answer("exchange.declare", ok(2)),
  client("queue.declare: named by the broker", {
    type: "queue.declare",
    id: 3,
    exclusive: true,
    autoDelete: true,
  }),
  client("queue.declare: durable", { type: "queue.declare", id: 3, queue: "billing", durable: true }),
  client("queue.declare: an id of 0", { type: "queue.declare", id: 0 }, false),
  client("queue.declare: an id that is too large", { type: "queue.declare", id: 2 ** 53 }, false),
  client("queue.declare: a misspelt field", { type: "queue.declare", id: 3, durabel: true }, false),
  client(
    "queue.declare: a name of 256 letters",
    { type: "queue.declare", id: 3, queue: "x".repeat(256) },
    false,
  ),
  client("queue.declare: arguments as a list", { type: "queue.declare", id: 3, arguments: [] }, false),
  answer("queue.declare", ok(3, { queue: "billing", messageCount: 0, consumerCount: 0 })),
  client("queue.bind", {
    type: "queue.bind",
    id: 4,
    queue: "billing",
    exchange: "orders",
    routingKey: "order.*.line",
  }),
  client("queue.bind: by headers", {
    type: "queue.bind",
    id: 4,
    queue: "billing",
    exchange: "amq.headers",
    arguments: { "x-match": "any", country: "Germany", since: { $timestamp: 0 } },
  }),
  client("queue.bind: no exchange", { type: "queue.bind", id: 4, queue: "billing" }, false),
  answer("queue.bind", ok(4)),
  client("queue.unbind", {
    type: "queue.unbind",
    id: 5,
    queue: "billing",
    exchange: "orders",
    routingKey: "order.*.line",
  }),
  answer("queue.unbind", ok(5)),
  client("exchange.declare: with an alternate, internal", {
    type: "exchange.declare",
    id: 2,
    exchange: "orders",
    exchangeType: "topic",
    internal: true,
    arguments: { alternateExchange: "unrouted" },
  }),
  client("exchange.bind", {
    type: "exchange.bind",
    id: 12,
    destination: "audit",
    source: "orders",
    routingKey: "order.#",
    arguments: {},
  }),
  client("exchange.bind: no more than it needs", {
    type: "exchange.bind",
    id: 12,
    destination: "audit",
    source: "orders",
  }),
  client("exchange.bind: no source", { type: "exchange.bind", id: 12, destination: "audit" }, false),
  answer("exchange.bind", ok(12)),
  client("exchange.unbind", {
    type: "exchange.unbind",
    id: 13,
    destination: "audit",
    source: "orders",
    routingKey: "order.#",
  }),
  client("exchange.unbind: no destination", { type: "exchange.unbind", id: 13, source: "orders" }, false),
  answer("exchange.unbind", ok(13)),
  client("queue.pause", { type: "queue.pause", id: 13, queue: "billing" }),
  answer("queue.pause", ok(13)),
  client("queue.resume", { type: "queue.resume", id: 14, queue: "billing" }),
  answer("queue.resume", ok(14)),
  client("queue.status", { type: "queue.status", id: 15, queue: "billing" }),
  answer("queue.status", ok(15, { queue: "billing", ready: 41, unsettled: 2, consumers: 1, paused: false })),
  client("queue.declare: an update", {
    type: "queue.declare",
    id: 16,
    queue: "billing",
    onMismatch: "update",
    arguments: { ackTimeout: 5000 },
  }),
  client(
    "queue.declare: an unknown onMismatch",
    { type: "queue.declare", id: 16, queue: "billing", onMismatch: "merge" },
    false,
  ),
  client("exchange.status", { type: "exchange.status", id: 17, exchange: "orders" }),
  answer(
    "exchange.status",
    ok(17, {
      exchange: "orders",
      exchangeType: "topic",
      durable: true,
      autoDelete: false,
      internal: false,
      bindings: 3,
      effectiveArguments: { alternateExchange: { value: null, from: "default" } },
    }),
  ),
  client("policy.set", {
    type: "policy.set",
    id: 18,
    policy: "limits",
    pattern: "billing*",
    appliesTo: "queues",
    priority: 10,
    arguments: { maxLength: 1000 },
  }),
  client("policy.set: no more than it needs", {
    type: "policy.set",
    id: 18,
    policy: "nothing",
    pattern: "*",
    appliesTo: "exchanges",
  }),
  client(
    "policy.set: no pattern",
    { type: "policy.set", id: 18, policy: "limits", appliesTo: "queues", arguments: {} },
    false,
  ),
  answer("policy.set", ok(18, { inForce: 2 })),
  client("policy.delete", { type: "policy.delete", id: 19, policy: "limits" }),
  answer("policy.delete", ok(19)),
  client("policy.list", { type: "policy.list", id: 20 }),
  answer(
    "policy.list",
    ok(20, {
      policies: [
        {
          policy: "limits",
          pattern: "billing*",
          appliesTo: "queues",
          priority: 10,
          arguments: { maxLength: 1000 },
          inForce: 2,
        },
      ],
    }),
  ),
  answer(
    "queue.status",
    ok(15, { queue: "billing", ready: 41, unsettled: 2, consumers: 1, paused: false, circuit: "half-open" }),
  ),
  client("queue.consume", { type: "queue.consume", id: 6, queue: "billing", prefetch: 100 }),
  client("queue.consume: everything", {
    type: "queue.consume",
    id: 6,
    queue: "billing",
    consumerTag: "billing-1",
    prefetch: 0,
    noAck: false,
    exclusive: true,
    arguments: {},
  }),
  client("queue.consume: a prefetch below 0", { type: "queue.consume", id: 6, prefetch: -1 }, false),
  client("queue.consume: a live feed", {
    type: "queue.consume",
    id: 6,
    noAck: true,
    whenSlow: "conflate",
  }),
  client("queue.consume: an unknown policy", { type: "queue.consume", id: 6, whenSlow: "drop" }, false),
  answer("queue.consume", ok(6, { consumer: 1, consumerTag: "amq.ctag-1", prefetch: 100 })),
  answer("queue.consume", ok(6, { consumer: 1, consumerTag: "amq.ctag-1", prefetch: 100, active: false })),
  answer(
    "queue.consume",
    ok(6, { consumer: 1, consumerTag: "amq.ctag-1", prefetch: 100, prefetchBytes: 33_554_432 }),
  ),
  client("queue.get", { type: "queue.get", id: 7, queue: "billing", noAck: true }),
  answer("queue.get", ok(7, { delivered: 1, messageCount: 41 })),
  answer(
    "queue.consume",
    ok(6, { consumer: 1, consumerTag: "amq.ctag-1", prefetch: 100, ackTimeout: 30_000 }),
  ),
  answer(
    "queue.consume",
    ok(6, {
      consumer: 1,
      consumerTag: "amq.ctag-1",
      prefetch: 100,
      messageGroups: { by: "header", name: "customer" },
    }),
  ),
  client("consumer.touch", { type: "consumer.touch", id: 16, consumer: 1, first: 3, last: 40 }),
  client("consumer.touch: without a range", { type: "consumer.touch", id: 16, consumer: 1 }, false),
  answer("consumer.touch", ok(16, { touched: 21 })),
  client("consumer.cancel", { type: "consumer.cancel", id: 8, consumer: 1 }),
  client("consumer.cancel: by its tag", { type: "consumer.cancel", id: 8, consumerTag: "billing-1" }, false),
  answer("consumer.cancel", ok(8)),
  client("queue.purge", { type: "queue.purge", id: 9, queue: "billing" }),
  answer("queue.purge", ok(9, { messageCount: 41 })),
  client("queue.delete", { type: "queue.delete", id: 10, queue: "billing", ifUnused: true, ifEmpty: true }),
  answer("queue.delete", ok(10, { messageCount: 0 })),
  client("exchange.delete", { type: "exchange.delete", id: 11, exchange: "orders", ifUnused: true }),
  answer("exchange.delete", ok(11)),
  client("bye", { type: "bye", id: 12 }),
  client("bye: without an id", { type: "bye" }, false),
  answer("bye", ok(12)),
  client("heartbeat", { type: "heartbeat" }),
  client("heartbeat: with an id", { type: "heartbeat", id: 1 }, false),
  broker("heartbeat of the broker", { type: "heartbeat" }),
  broker("error: the answer to a request", {
    type: "error",
    id: 3,
    code: "invalid-frame",
    message: "The frame does not fit its schema.",
    details: { problems: [{ field: "durabel", problem: "is not a field of queue.declare" }] },
  }),
  broker("error: about a settlement", {
    type: "error",
    code: "unknown-delivery",
    message: "Delivery 7 of consumer 1 is not outstanding.",
    details: { consumer: 1, first: 7, last: 7 },
  }),
  broker("error: about a settlement that is late", {
    type: "error",
    code: "delivery-expired",
    message: "Delivery 4 of consumer 1 was not settled in time: its message has gone back.",
    details: { consumer: 1, first: 3, last: 4 },
  }),
  broker("error: before a close", { type: "error", code: "hello-required", message: "Say hello first." }),
  broker("error: before a close, with the time to come back", {
    type: "error",
    code: "slow-consumer",
    message: "Too much waits to be read by this client.",
    retryAfterMs: 1500,
  }),
  broker("consumer.conflated", { type: "consumer.conflated", consumer: 1, dropped: 250 }),
  broker("consumer.cancelled", {
    type: "consumer.cancelled",
    consumer: 1,
    consumerTag: "billing-1",
    code: "queue-deleted",
    message: "Queue billing was deleted.",
  }),
  broker("consumer.active", { type: "consumer.active", consumer: 1, active: true }),
  broker("delivery.expired", { type: "delivery.expired", consumer: 1, first: 3, last: 4 }),
  broker("goaway", {
    type: "goaway",
    code: "shutting-down",
    message: "The broker is stopping.",
    retryAfterMs: 500,
  }),
  broker("blocked", {
    type: "blocked",
    code: "disk-full",
    message: "The broker's disk has only 511.8 MiB left; 512.0 MiB are kept free.",
  }),
  broker("unblocked", { type: "unblocked" }),
];
