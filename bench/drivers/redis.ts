import { Redis } from "ioredis";
import {
  type Address,
  BrokerClient,
  type Destination,
  type Driver,
  fanoutQueue,
  type OnBody,
  type Publisher,
  type PublisherOptions,
} from "./driver.ts";
import { InFlight } from "./in-flight.ts";
import { UnconfirmedPublisher } from "./unconfirmed-publisher.ts";

/** Name of the consumer group of a stream that is one queue. */
const soleGroup = "all";
const field = Buffer.from("b");
const blockMs = 5000;
/** Publishes that are sent together at most; they are sent at the end of the tick anyway. */
const commandsAtOnce = 100;

/** One answer of XREADGROUP: streams with their entries, an entry is an id and its fields. */
type StreamEntries = [stream: Buffer, entries: [id: Buffer, fields: Buffer[]][]][];

/** Streams with a consumer group for what is durable, publish/subscribe for what is live or at most once. */
class RedisClient extends BrokerClient {
  readonly product: string;
  readonly #redis: Redis;
  /** A connection that waits for messages can do nothing else. */
  readonly #readers: Redis[] = [];
  #closed = false;

  constructor(redis: Redis, version: string) {
    super();
    this.product = `Redis ${version}`;
    this.#redis = redis;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const redis of [this.#redis, ...this.#readers]) redis.disconnect();
  }

  override async declareQueue(name: string, { durable }: { durable: boolean }): Promise<void> {
    if (durable) await this.#redis.xgroup("CREATE", name, soleGroup, "0", "MKSTREAM");
  }

  override async deleteQueue(name: string): Promise<void> {
    await this.#redis.del(name);
  }

  override async declareFanout(name: string, queueCount: number): Promise<void> {
    for (let index = 0; index < queueCount; index++) {
      await this.#redis.xgroup("CREATE", name, groupOf(fanoutQueue(name, index)), "0", "MKSTREAM");
    }
  }

  override deleteFanout(name: string): Promise<void> {
    return this.deleteQueue(name);
  }

  // A channel needs no declaration.
  override async declareTopic(): Promise<void> {}

  override async deleteTopic(): Promise<void> {}

  async publisher({ name }: Destination, options: PublisherOptions): Promise<Publisher> {
    return options.persistent ? this.#appending(name, options.window) : this.#forgetting(name);
  }

  override async consume(
    queue: string,
    { prefetch, acks }: { prefetch: number; acks: boolean },
    onBody: OnBody,
  ): Promise<void> {
    if (!acks) return this.subscribe(queue, "#", { acks }, onBody);
    const reader = this.#redis.duplicate();
    this.#readers.push(reader);
    this.#read(reader, queue, prefetch, onBody).catch((error: unknown) => {
      if (!this.#closed) process.stderr.write(`redis: ${error}\n`);
    });
  }

  override async subscribe(
    topic: string,
    _pattern: string,
    _options: { acks: boolean },
    onBody: OnBody,
  ): Promise<void> {
    const reader = this.#redis.duplicate();
    this.#readers.push(reader);
    reader.on("messageBuffer", (_channel: Buffer, message: Buffer) => onBody(message));
    await reader.subscribe(topic);
  }

  /** What was read is acked, and deleted if no other group needs it, together with the next read. */
  async #read(reader: Redis, queue: string, prefetch: number, onBody: OnBody): Promise<void> {
    const stream = queue.split("@")[0]!;
    const group = groupOf(queue);
    while (!this.#closed) {
      const answer = (await reader.callBuffer(
        "XREADGROUP",
        ...["GROUP", group, "bench", "COUNT", prefetch, "BLOCK", blockMs, "STREAMS", stream, ">"],
      )) as unknown as StreamEntries | null;
      const entries = answer?.[0]?.[1] ?? [];
      for (const [, fields] of entries) onBody(fields[1]!);
      if (entries.length === 0) continue;
      const ids = entries.map(([id]) => id);
      reader.xack(stream, group, ...ids);
      if (group === soleGroup) reader.xdel(stream, ...ids);
    }
  }

  #appending(stream: string, window: number): Publisher {
    const inFlight = new InFlight(window);
    let pipeline = this.#redis.pipeline();
    const send = () => {
      if (pipeline.length === 0) return;
      const { length } = pipeline;
      pipeline.exec().then(
        (answers) => {
          const failed = answers?.find(([error]) => error !== null);
          if (failed === undefined) inFlight.remove(length);
          else inFlight.fail(failed[0]);
        },
        (error: unknown) => inFlight.fail(error),
      );
      pipeline = this.#redis.pipeline();
    };
    return {
      get hasRoom() {
        return inFlight.hasRoom;
      },
      untilRoom: () => inFlight.untilRoom(),
      publish(_routingKey, body) {
        inFlight.add();
        if (pipeline.length === 0) setImmediate(send);
        pipeline.xadd(stream, "*", field, body);
        if (pipeline.length >= commandsAtOnce) send();
      },
      async flush() {
        send();
        await inFlight.untilEmpty();
      },
    };
  }

  #forgetting(channel: string): Publisher {
    let last: Promise<unknown> | undefined;
    let pipeline = this.#redis.pipeline();
    return new UnconfirmedPublisher(
      (_routingKey, body) => {
        if (pipeline.length === 0) {
          setImmediate(() => {
            last = pipeline.exec();
            pipeline = this.#redis.pipeline();
          });
        }
        pipeline.publish(channel, body);
      },
      () => last,
    );
  }
}

function groupOf(queue: string): string {
  const index = queue.split("@")[1];
  return index === undefined ? soleGroup : `queue-${index}`;
}

export const redisDriver: Driver = {
  operations: new Set(["queue", "at-most-once", "fanout", "live"]),
  async connect({ url }: Address): Promise<BrokerClient> {
    const redis = new Redis(url, { lazyConnect: true, protocol: 2, retryStrategy: () => null });
    redis.on("error", (error) => process.stderr.write(`redis: ${error}\n`));
    await redis.connect();
    const version = /^redis_version:(.*)$/m.exec(await redis.info("server"))?.[1]?.trim() ?? "";
    return new RedisClient(redis, version);
  },
};
