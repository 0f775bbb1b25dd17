import { PosthornError } from "../../protocol/errors.ts";
import type { Reply, RequestFrame, RequestType } from "../../protocol/frames.ts";
import type { GroupBy } from "../../protocol/group-key.ts";
import type { Subscription } from "../engine/engine.ts";
import type { SessionContext } from "./session-context.ts";

/** The answer to a request, and what must not happen before it is sent. */
export interface Answer<T extends RequestType> {
  readonly reply: Reply<T>;
  readonly after?: () => void;
}

type Handler<T extends RequestType> = (session: SessionContext, frame: RequestFrame<T>) => Promise<Answer<T>>;

/** Requests of an open session; `hello` and `bye` are the session's own business. */
export type HandledRequest = Exclude<RequestType, "hello" | "bye">;

/** One handler a request: translates and leaves the deciding to the broker. */
export const requestHandlers: { readonly [T in HandledRequest]: Handler<T> } = {
  async "exchange.declare"({ broker, visitor }, frame) {
    return { reply: await broker.declareExchange(visitor, frame) };
  },

  async "exchange.delete"({ broker, visitor }, frame) {
    return { reply: await broker.deleteExchange(visitor, frame) };
  },

  async "exchange.status"({ broker }, frame) {
    return { reply: await broker.exchangeStatus(frame) };
  },

  async "route.explain"({ broker }, frame) {
    return { reply: await broker.explainRoute(frame) };
  },

  async "exchange.bind"({ broker, visitor }, frame) {
    return { reply: await broker.bindExchange(visitor, frame) };
  },

  async "exchange.unbind"({ broker, visitor }, frame) {
    return { reply: await broker.unbindExchange(visitor, frame) };
  },

  async "queue.declare"(session, frame) {
    const { broker, visitor } = session;
    const isGenerated = !frame.queue && !frame.passive;
    const queue = isGenerated ? broker.newQueueName() : queueOf(session, frame.queue);
    const declared = broker.declareQueue(visitor, queue, isGenerated, frame);
    const previous = session.lastQueue;
    // Set before the answer, so that a request sent right behind this one finds it.
    session.lastQueue = queue;
    try {
      return { reply: await declared };
    } catch (error) {
      if (session.lastQueue === queue) session.lastQueue = previous;
      throw error;
    }
  },

  async "queue.delete"(session, frame) {
    return { reply: await session.broker.deleteQueue(session.visitor, queueOf(session, frame.queue), frame) };
  },

  async "queue.purge"(session, frame) {
    return { reply: await session.broker.purgeQueue(session.visitor, queueOf(session, frame.queue)) };
  },

  async "queue.pause"(session, frame) {
    return { reply: await session.broker.pauseQueue(session.visitor, queueOf(session, frame.queue)) };
  },

  async "queue.resume"(session, frame) {
    return { reply: await session.broker.resumeQueue(session.visitor, queueOf(session, frame.queue)) };
  },

  async "queue.status"(session, frame) {
    return { reply: await session.broker.queueStatus(session.visitor, queueOf(session, frame.queue)) };
  },

  async "queue.browse"(session, frame) {
    return { reply: await session.broker.browseQueue(session.visitor, queueOf(session, frame.queue), frame) };
  },

  async "queue.message.delete"(session, frame) {
    return {
      reply: await session.broker.deleteMessage(session.visitor, queueOf(session, frame.queue), frame),
    };
  },

  async "queue.message.release"(session, frame) {
    return {
      reply: await session.broker.releaseMessage(session.visitor, queueOf(session, frame.queue), frame),
    };
  },

  async "queue.release"(session, frame) {
    return {
      reply: await session.broker.releaseMessages(session.visitor, queueOf(session, frame.queue), frame),
    };
  },

  async "queue.redrive"(session, frame) {
    return { reply: await session.broker.redrive(session.visitor, queueOf(session, frame.queue), frame) };
  },

  async "queue.bind"(session, frame) {
    const queue = queueOf(session, frame.queue);
    const routingKey = routingKeyOf(queue, frame);
    return { reply: await session.broker.bindQueue(session.visitor, queue, routingKey, frame) };
  },

  async "queue.unbind"(session, frame) {
    const queue = queueOf(session, frame.queue);
    const routingKey = routingKeyOf(queue, frame);
    return { reply: await session.broker.unbindQueue(session.visitor, queue, routingKey, frame) };
  },

  async "queue.get"(session, frame) {
    const { broker, visitor, outbox, consumers } = session;
    if (!frame.noAck) consumers.assertRoomForPulled(broker.prefetchFor(0));
    const { delivery, messages } = await broker.get(
      visitor,
      queueOf(session, frame.queue),
      frame,
      consumers.leaseSink,
    );
    if (delivery !== undefined) {
      const number = frame.noAck ? 0 : consumers.pulled(delivery);
      // The client went away while the message was fetched.
      if (number === undefined) broker.settle([delivery], "return");
      else outbox.deliver(0, number, delivery);
    }
    return { reply: { delivered: delivery === undefined ? 0 : 1, messageCount: messages } };
  },

  async "queue.consume"(session, frame) {
    const { broker, visitor, consumers } = session;
    const queue = queueOf(session, frame.queue);
    const { noAck = false, whenSlow } = frame;
    const consumer = consumers.open({ tag: frame.consumerTag ?? "", noAck, whenSlow });
    let subscription: Subscription;
    try {
      subscription = await broker.subscribe(visitor, queue, consumer.tag, frame, consumer);
    } catch (error) {
      consumers.discard(consumer);
      throw error;
    }
    consumer.attach(subscription);
    const { prefetchBytes, ackTimeout, messageGroups, retries } = subscription;
    const { number, tag: consumerTag, isActive } = consumer;
    const prefetch = broker.prefetchFor(frame.prefetch);
    const reply = {
      consumer: number,
      consumerTag,
      prefetch,
      ...(!noAck && { prefetchBytes }),
      ...(ackTimeout !== Number.POSITIVE_INFINITY && { ackTimeout }),
      ...(messageGroups !== undefined && { messageGroups: groupBy(messageGroups) }),
      ...(retries && { retries }),
      ...(isActive !== undefined && { active: isActive }),
    };
    return { reply, after: () => consumer.announced(isActive) };
  },

  async "consumer.touch"({ broker, consumers }, { consumer, first, last }) {
    const deliveries = consumers.outstanding(consumer, first, last);
    broker.touch(deliveries);
    return { reply: { touched: deliveries.length } };
  },

  async "policy.set"({ broker, visitor }, frame) {
    return { reply: await broker.setPolicy(visitor, frame) };
  },

  async "policy.delete"({ broker, visitor }, frame) {
    return { reply: await broker.deletePolicy(visitor, frame) };
  },

  async "policy.list"({ broker }) {
    return { reply: await broker.listPolicies() };
  },

  async "consumer.cancel"({ consumers }, frame) {
    consumers.cancel(frame.consumer);
    return { reply: {} };
  },
};

/** Of the argument `messageGroups`, what a consumer has to know. */
function groupBy({ by, name }: GroupBy): GroupBy {
  return name === undefined ? { by } : { by, name };
}

function queueOf({ lastQueue }: SessionContext, asked: string | undefined): string {
  const queue = asked || lastQueue;
  if (queue !== "") return queue;
  throw new PosthornError("not-found", "No queue is named, and this session has not declared one.", {
    field: "queue",
  });
}

/** With neither queue nor key named, the key is the queue's name (SEMANTICS 26). */
function routingKeyOf(
  queue: string,
  { queue: asked, routingKey }: { queue?: string; routingKey?: string },
): string {
  return !asked && !routingKey ? queue : (routingKey ?? "");
}
