import type { Blocked, Publication, PublishSink } from "../engine/engine.ts";
import type { RoutedMessage } from "../routing/routed-message.ts";
import type { Committer } from "./committer.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { Message } from "./message.ts";
import type { Overload } from "./overload.ts";
import type { Queue } from "./queue.ts";
import type { Routes } from "./routes.ts";
import type { Topology } from "./topology.ts";

export interface IntakeParts {
  readonly topology: Topology;
  readonly routes: Routes;
  readonly dispatcher: Dispatcher;
  readonly committer: Committer;
  readonly overload: Overload;
}

/** Takes messages in: finds the queues of each, and sees to it that it is written, delivered and confirmed, or refused. */
export class Intake {
  readonly #topology: Topology;
  readonly #routes: Routes;
  readonly #dispatcher: Dispatcher;
  readonly #committer: Committer;
  readonly #overload: Overload;

  constructor({ topology, routes, dispatcher, committer, overload }: IntakeParts) {
    this.#topology = topology;
    this.#routes = routes;
    this.#dispatcher = dispatcher;
    this.#committer = committer;
    this.#overload = overload;
  }

  publish(publication: Publication, sink: PublishSink): void {
    const { number } = publication;
    const queues = this.#route(publication, sink);
    if (queues === undefined) return;
    if (queues.length === 0) {
      if (publication.mandatory) sink.returned(number, publication.envelope);
      if (publication.confirm) sink.confirmed(number, number);
      return;
    }
    const bytes = publication.envelope.length;
    const { blocked, allowanceBytes } = this.#overload;
    const refusal = blocked ?? (bytes > allowanceBytes ? this.#overload.refusalOf(bytes) : undefined);
    if (refusal !== undefined && stops(refusal, queues, publication.persistent)) {
      sink.refused(number, refusal.code, refusal.message);
      return;
    }
    const { envelope, bodyBytes, persistent, priority, expiration } = publication;
    const message = new Message(envelope, bodyBytes, persistent, priority);
    let isDurable = false;
    let full = 0;
    for (let i = 0; i < queues.length; i++) {
      const queue = queues[i]!;
      if (queue.limits !== undefined && this.#isFull(queue, bodyBytes)) {
        full++;
        continue;
      }
      queue.enqueue(message, expiration);
      isDurable ||= queue.durable;
      this.#dispatcher.wake(queue);
    }
    this.#write(message);
    if (full > 0) {
      sink.refused(number, "queue-full", fullMessage(full, queues.length));
      return;
    }
    if (!publication.confirm) return;
    if (isDurable && message.persistent) this.#committer.confirm(sink, number);
    else sink.confirmed(number, number);
  }

  /** A message has been added to a queue that nobody published: it comes from another queue. */
  added(message: Message, queue: Queue): void {
    this.#write(message);
    this.#dispatcher.wake(queue);
  }

  /** Where a dead letter goes: internal exchanges are open to it. `undefined` if there is no such exchange. */
  routeDeadLetter(name: string, message: RoutedMessage): readonly Queue[] | undefined {
    if (name === "") return this.#routes.findByName(message);
    const exchange = this.#topology.exchanges.get(name);
    return exchange && this.#routes.find(exchange, message);
  }

  /** The queues that a message goes to; `undefined` if it is refused. */
  #route(publication: Publication, sink: PublishSink): readonly Queue[] | undefined {
    const { number, exchange: name } = publication;
    if (name === "") return this.#routes.findByName(publication);
    const exchange = this.#topology.exchanges.get(name);
    if (exchange === undefined) {
      sink.refused(number, "not-found", `There is no exchange ${JSON.stringify(name)}.`);
      return undefined;
    }
    if (exchange.internal) {
      sink.refused(number, "access-refused", `The exchange ${JSON.stringify(name)} is internal.`);
      return undefined;
    }
    return this.#routes.find(exchange, publication);
  }

  /**
   * Whether a queue refuses a message of this size. One that a consumer can take at once is not refused, nor do those count that one
   * can take (SEMANTICS 46).
   */
  #isFull(queue: Queue, bytes: number): boolean {
    const limits = queue.limits!;
    let couldMore = true;
    while (limits.refuses(bytes)) {
      if (!couldMore) return queue.readyCount > 0 || !queue.gives || !queue.consumers.canTake;
      couldMore = this.#dispatcher.serve(queue);
    }
    return false;
  }

  /** Sees to it that a message is written that is to be. */
  #write(message: Message): void {
    if (message.unwritten === 0 || message.id !== 0 || message.isQueued) return;
    this.#committer.write(message);
    this.#overload.accepted(message.envelope.length);
  }
}

/** Of how many queues that a message was for are full; the others have it (SEMANTICS 47). */
function fullMessage(full: number, queues: number): string {
  if (full === queues) return queues === 1 ? "The queue is full." : "The queues are full.";
  return `${full} of the ${queues} queues ${full === 1 ? "is" : "are"} full; the others have the message.`;
}

/** Whether a message for these queues is among those that are refused: all of it or nothing. */
function stops({ code }: Blocked, queues: readonly Queue[], persistent: boolean): boolean {
  return code === "memory-high" || queues.some((queue) => queue.wouldWrite(persistent));
}
