import type { SettleDetail } from "../../protocol/delivery-history.ts";
import { PosthornError } from "../../protocol/errors.ts";
import type {
  Delivery,
  DeliverySink,
  LeaseSink,
  Pulled,
  SettleOutcome,
  SubscribeOptions,
} from "../engine/engine.ts";
import { Consumer, type ConsumerHost } from "./consumer.ts";
import type { Deadlines } from "./deadlines.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { ConsumerLimits } from "./engine-options.ts";
import type { Entry } from "./entry.ts";
import type { Holder } from "./holder.ts";
import { Leases } from "./leases.ts";
import { PulledMessages } from "./pulled-messages.ts";
import type { Queue } from "./queue.ts";

export interface ConsumingHost {
  readonly limits: ConsumerLimits;
  readonly now: () => number;
  readonly deadlines: Deadlines;
  readonly dispatcher: Dispatcher;
  /** A queue's messages cannot be read. */
  damaged(queue: Queue, error: unknown): void;
  /** A queue has lost its last consumer. */
  abandoned(queue: Queue): void;
}

/** Who gets the messages of queues, one after the other or one by one, and what becomes of those that were handed out. */
export class Consuming {
  readonly #host: ConsumingHost;
  readonly #consumerHost: ConsumerHost;
  #count = 0;

  constructor(host: ConsumingHost) {
    this.#host = host;
    this.#consumerHost = {
      wake: (queue) => host.dispatcher.wake(queue),
      removeConsumer: (consumer) => this.#remove(consumer),
    };
  }

  /** How many consumers there are. */
  get count(): number {
    return this.#count;
  }

  /** @throws PosthornError if the queue may not have one consumer more. */
  subscribe(queue: Queue, options: SubscribeOptions, sink: DeliverySink): Consumer {
    assertMayConsume(queue, options);
    const consumer = new Consumer({
      queue,
      options,
      prefetchBytes: this.prefetchBytes(queue, options.prefetchBytes),
      leases: this.#leases(queue, options.ackTimeout, sink),
      sink,
      host: this.#consumerHost,
    });
    queue.consumers.add(consumer);
    this.#count++;
    return consumer;
  }

  /** Takes the first ready message. `noAck`: it is gone at once. @throws PosthornError */
  get(queue: Queue, noAck: boolean, sink: LeaseSink): Pulled {
    if (queue.settings.singleActiveConsumer) {
      // Whoever took messages beside the active consumer would break their order.
      const message = `Queue ${JSON.stringify(queue.name)} gives its messages to a single active consumer only.`;
      throw new PosthornError("resource-locked", message, { queue: queue.name });
    }
    const delivery = !queue.gives
      ? undefined
      : this.#take(queue, noAck ? undefined : this.#puller(queue, sink));
    if (delivery !== undefined && noAck) queue.finish(delivery);
    return { delivery, messages: queue.readyCount };
  }

  settle(deliveries: readonly Delivery[], outcome: SettleOutcome, detail?: SettleDetail): void {
    const suspects = outcome === "return" ? suspectsAmong(deliveries as readonly Entry[]) : undefined;
    for (const delivery of deliveries) {
      const entry = delivery as Entry;
      const { queue } = entry;
      if (outcome === "ack") queue.finish(entry);
      else if (outcome === "reject") queue.reject(entry, detail?.reason);
      else queue.putBack(entry, outcome, detail, suspects?.has(entry));
      this.#host.dispatcher.wake(queue);
    }
  }

  touch(deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) {
      const entry = delivery as Entry;
      entry.holder?.touch(entry);
    }
  }

  /** The queue has gone: its consumers are told. */
  endAll(queue: Queue): void {
    for (const consumer of queue.consumers.clear()) {
      this.#count--;
      if (consumer.isCancelled) continue;
      consumer.stop();
      consumer.sink.cancelled("queue-deleted", `Queue ${JSON.stringify(queue.name)} was deleted.`);
    }
  }

  /** The bytes that a consumer of the queue may have unsettled if it asks for so many, or for none in particular. */
  prefetchBytes({ settings }: Queue, asked: number | undefined): number {
    const { defaultPrefetchBytes, maxPrefetchBytes } = this.#host.limits;
    return Math.min(asked ?? settings.prefetchBytes ?? defaultPrefetchBytes, maxPrefetchBytes);
  }

  #leases(queue: Queue, asked: number | undefined, sink: LeaseSink): Leases | undefined {
    const timeoutMs = asked ?? queue.settings.ackTimeout;
    if (timeoutMs === Number.POSITIVE_INFINITY) return undefined;
    return new Leases(timeoutMs, this.#host, (entries) => this.#expired(queue, entries, sink));
  }

  #puller(queue: Queue, sink: LeaseSink): PulledMessages | undefined {
    if (queue.settings.ackTimeout === Number.POSITIVE_INFINITY) return undefined;
    queue.pullers ??= new WeakMap();
    let puller = queue.pullers.get(sink);
    if (puller === undefined) {
      puller = new PulledMessages(this.#leases(queue, undefined, sink)!);
      queue.pullers.set(sink, puller);
    }
    return puller;
  }

  /** Only these come back; whoever had them keeps what else he has (SEMANTICS 71). */
  #expired(queue: Queue, entries: readonly Entry[], sink: LeaseSink): void {
    if (queue.deleted) return;
    sink.expired(entries);
    const reason = { code: "delivery-expired", message: "It was not settled in time." };
    for (const entry of entries) queue.putBack(entry, "late", { delay: 0, reason });
    this.#host.dispatcher.wake(queue);
  }

  #take(queue: Queue, holder: Holder | undefined): Entry | undefined {
    if (queue.damage === undefined) {
      try {
        queue.groups?.fill();
        const entry = queue.take(holder);
        if (entry !== undefined) queue.breaker?.handedOut(entry);
        return entry;
      } catch (error) {
        this.#host.damaged(queue, error);
      }
    }
    throw new PosthornError("internal-error", `Queue ${JSON.stringify(queue.name)} is damaged.`, {
      queue: queue.name,
    });
  }

  #remove(consumer: Consumer): void {
    const queue = consumer.attachedTo;
    if (!queue.consumers.remove(consumer)) return;
    this.#count--;
    if (queue.consumers.size === 0) this.#host.abandoned(queue);
  }
}

/**
 * Which messages may be why their receiver has gone: those that it had alone. Of several it is not known which one it was; each of
 * them that comes back too often goes out alone, to find out.
 */
function suspectsAmong(entries: readonly Entry[]): ReadonlySet<Entry> {
  return new Set(entries.filter(({ holder }) => holder?.hasOne ?? true));
}

/** Each reason why a queue may not have one consumer more (SEMANTICS 59, 70). */
function assertMayConsume({ name, settings, consumers }: Queue, { exclusive }: SubscribeOptions): void {
  const quoted = JSON.stringify(name);
  if (exclusive && settings.singleActiveConsumer) {
    const message = `Queue ${quoted} has a single active consumer; an exclusive one would have no successor.`;
    throw new PosthornError("access-refused", message, { queue: name });
  }
  if (consumers.size === 0) return;
  if (exclusive) throw new PosthornError("in-use", `Queue ${quoted} has another consumer.`, { queue: name });
  if (consumers.hasExclusive)
    throw new PosthornError("in-use", `Queue ${quoted} has an exclusive consumer.`, { queue: name });
}
