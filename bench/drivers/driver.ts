/** What a workload may need; a driver names those that its broker can do, and is asked for no other. */
export type Operation =
  /** A durable queue, persistent messages with confirms, a consumer with prefetch and acks. */
  | "queue"
  /** Messages that are neither stored nor confirmed nor acked, through one queue or its nearest relative. */
  | "at-most-once"
  /** One persistent message to many durable queues. */
  | "fanout"
  /** A subscriber with an exclusive queue of its own on a topic, without acks. */
  | "live"
  /** The same with acks. */
  | "live-acks"
  /** Many bindings with patterns over many queues. */
  | "routing"
  /** Each message settled on its own, some requeued. */
  | "settle";

export type DriverKind = "posthorn" | "amqp" | "nats" | "redis" | "stomp" | "raw-ws";

/** Everything that a process needs to reach a broker; goes from one process to another as JSON. */
export interface Address {
  readonly kind: DriverKind;
  readonly url: string;
  /** `queue=quorum` of an AMQP peer, `sdk` of Posthorn, … */
  readonly options: Readonly<Record<string, string>>;
}

export type Destination =
  | { readonly to: "queue"; readonly name: string }
  | { readonly to: "fanout"; readonly name: string }
  | { readonly to: "topic"; readonly name: string };

export interface PublisherOptions {
  readonly persistent: boolean;
  /** Without: sent and forgotten. */
  readonly confirm: boolean;
  /** Unconfirmed messages at most. */
  readonly window: number;
}

/** Keeps messages in flight. Call `publish` only while it `hasRoom`. */
export interface Publisher {
  readonly hasRoom: boolean;
  untilRoom(): Promise<void>;
  /** The body must not be changed afterwards. The key is used by topics only. */
  publish(routingKey: string, body: Buffer): void;
  /** Resolves when everything is confirmed or, without confirms, on its way. Rejects if anything was refused. */
  flush(): Promise<void>;
}

export type OnBody = (body: Uint8Array) => void;
export type OnMessage = (body: Uint8Array, settle: (outcome: "ack" | "requeue") => void) => void;

export interface TopicBinding {
  readonly queue: string;
  /** In AMQP's notation: words with dots, `*` is one word, `#` any number of words. */
  readonly pattern: string;
}

/** One connection to a broker. A driver overrides the methods of the operations that it supports. */
export abstract class BrokerClient {
  /** Name and version, as the broker says. */
  abstract readonly product: string;
  abstract close(): Promise<void>;

  abstract publisher(destination: Destination, options: PublisherOptions): Promise<Publisher>;

  declareQueue(_name: string, _options: { durable: boolean }): Promise<void> {
    return unsupported();
  }

  deleteQueue(_name: string): Promise<void> {
    return unsupported();
  }

  /** Declares durable queues, named by `fanoutQueue`, that all get what is published to the fanout. */
  declareFanout(_name: string, _queueCount: number): Promise<void> {
    return unsupported();
  }

  deleteFanout(_name: string, _queueCount: number): Promise<void> {
    return unsupported();
  }

  declareTopic(_name: string): Promise<void> {
    return unsupported();
  }

  deleteTopic(_name: string): Promise<void> {
    return unsupported();
  }

  /** Consumes a queue. With `acks` the driver settles what the callback is through with, in the cheapest way it knows. */
  consume(_queue: string, _options: { prefetch: number; acks: boolean }, _onBody: OnBody): Promise<void> {
    return unsupported();
  }

  /** Consumes a queue; the callback settles each message, now or later. */
  consumeEach(_queue: string, _options: { prefetch: number }, _onMessage: OnMessage): Promise<void> {
    return unsupported();
  }

  /** Consumes the messages of a topic that match, through a queue of its own. */
  subscribe(_topic: string, _pattern: string, _options: { acks: boolean }, _onBody: OnBody): Promise<void> {
    return unsupported();
  }

  /** Makes queues for a topic, with these bindings, and consumes them all without acks. */
  consumeBound(_topic: string, _bindings: readonly TopicBinding[], _onBody: OnBody): Promise<void> {
    return unsupported();
  }
}

export interface Driver {
  readonly operations: ReadonlySet<Operation>;
  connect(address: Address): Promise<BrokerClient>;
}

/** Name of one of the queues behind a fanout. */
export function fanoutQueue(fanout: string, index: number): string {
  return `${fanout}@${index}`;
}

function unsupported(): Promise<never> {
  return Promise.reject(
    new Error("This driver does not do that: a workload asked for more than it declared."),
  );
}
