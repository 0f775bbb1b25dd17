import { longestMs } from "../protocol/arguments.ts";
import {
  boundedReason,
  type Death,
  type DeliveryHistory,
  decodeHistory,
  type NackReason,
  type SettleDetail,
} from "../protocol/delivery-history.ts";
import { PosthornError } from "../protocol/errors.ts";
import type { Outcome } from "../protocol/frames.ts";
import { EnvelopeView } from "./envelope-view.ts";
import type { HeldMessages } from "./held-messages.ts";

/** Where settlements go. */
export interface SettlementTarget {
  readonly ended: boolean;
  settle(consumer: number, delivery: number, outcome: Outcome, detail?: SettleDetail): void;
  /** @throws PosthornError `delivery-expired`, and as any request. */
  touch(consumer: number, delivery: number): Promise<void>;
}

/** Why a message is given back: kept with it, cut to 64 characters of code and 512 of message. */
export type NackReasonLike = NackReason | Error | string;

export interface RequeueOptions {
  /** Milliseconds before the message comes back to its place. Default, and 0: as the queue's `retry` says, otherwise at once. */
  readonly delay?: number;
  /** Shown to whoever gets the message next, as `nackReason`. */
  readonly reason?: NackReasonLike;
}

/**
 * A message from a queue, to be settled once: with `ack`, `requeue` or `reject`. Settling only notes the outcome; it
 * is sent at the end of the tick, together with others.
 */
export class ReceivedMessage extends EnvelopeView {
  /** It may have been delivered before, to whomever. */
  readonly redelivered: boolean;
  /** How often it was handed out before, as far as the broker knows. */
  readonly attempts: number;
  private readonly session: SettlementTarget;
  private readonly consumer: number;
  private readonly delivery: number;
  private held: HeldMessages | undefined;
  private late = false;
  private back = false;
  private readonly told: Uint8Array | undefined;
  private read: DeliveryHistory | undefined;
  private done: boolean;

  /** @internal `delivery` 0: it needs no settlement. `history`: see `decodeHistory`. */
  constructor(
    envelope: Uint8Array,
    session: SettlementTarget,
    consumer: number,
    delivery: number,
    redelivered: boolean,
    attempts: number,
    history: Uint8Array | undefined,
  ) {
    super(envelope);
    this.session = session;
    this.consumer = consumer;
    this.delivery = delivery;
    this.redelivered = redelivered;
    this.attempts = attempts;
    this.told = history;
    this.done = delivery === 0;
  }

  /**
   * The queues that it was dead-lettered from, and why: one entry for each queue and reason, the latest first, at most 20.
   * Empty if it never was.
   */
  get deaths(): readonly Death[] {
    return this.history.deaths ?? noDeaths;
  }

  /** Its first death, also when that is no longer among {@link deaths}. */
  get firstDeath(): DeliveryHistory["firstDeath"] {
    return this.history.firstDeath;
  }

  /** Its latest death. */
  get lastDeath(): Death | undefined {
    return this.deaths[0];
  }

  /** What the consumer said that gave it back last, here or in a queue before. */
  get nackReason(): NackReason | undefined {
    return this.history.nackReason;
  }

  /** Nothing is left to settle: it has been settled, has expired, or came from a consumer with `noAck`. */
  get settled(): boolean {
    return this.done;
  }

  /** It was not settled within its `ackTimeout`: the message is back in its queue, and comes again to whomever. */
  get expired(): boolean {
    return this.late;
  }

  /**
   * The connection that it came over has gone. If it was not settled by then, it has returned to its queue and comes
   * again: settling it has no effect any more.
   */
  get stale(): boolean {
    return this.session.ended;
  }

  /** Done: the broker forgets the message. @throws PosthornError `unknown-delivery` if it was settled before, `delivery-expired`. */
  ack(): void {
    this.settle("ack");
  }

  /**
   * Not done: as {@link requeue}, or with `requeue: false` as {@link reject}.
   * @throws PosthornError `unknown-delivery` if it was settled before, `delivery-expired`, `invalid-argument`.
   */
  nack(options: RequeueOptions & { readonly requeue?: boolean } = {}): void {
    if (options.requeue === false) this.reject(options);
    else this.requeue(options);
  }

  /**
   * Back to its place in the queue, at once or after a delay. Counts as an attempt.
   * @throws PosthornError `unknown-delivery` if it was settled before, `delivery-expired`, `invalid-argument` for a delay that
   * is not a whole number of milliseconds, or what is not a reason.
   */
  requeue({ delay, reason }: RequeueOptions = {}): void {
    this.settle("requeue", detailOf(delay, reason));
  }

  /**
   * Not wanted: the broker dead-letters it, or drops it if its queue has no dead-letter target.
   * @throws PosthornError `unknown-delivery` if it was settled before, `delivery-expired`.
   */
  reject({ reason }: { readonly reason?: NackReasonLike } = {}): void {
    this.settle("reject", detailOf(undefined, reason));
  }

  /**
   * Not looked at: back to its place in the queue, without counting as an attempt.
   * @throws PosthornError `unknown-delivery` if it was settled before, `delivery-expired`.
   */
  release(): void {
    this.settle("release");
  }

  /**
   * Still being worked on: the time in which it has to be settled (`ackTimeout`) begins anew. While its handler, or the body of
   * its loop, is at work the client does that by itself; this is for messages that are kept beyond that, or were taken with
   * `get`. Without an `ackTimeout` it does nothing.
   * @throws PosthornError `delivery-expired` if it is too late, `unknown-delivery` if it was settled before,
   * `connection-closed`, `timeout`.
   */
  async touch(): Promise<void> {
    this.assertUnsettled();
    await this.session.touch(this.consumer, this.delivery);
  }

  /** @internal It has to be settled in time. */
  holdBy(held: HeldMessages): void {
    this.held = held;
    held.add(this.delivery, this);
  }

  /** @internal Nobody is at work on it any more. */
  leave(): void {
    this.held?.leave(this.delivery);
  }

  /** @internal It is in its queue again. */
  get wentBack(): boolean {
    return this.back;
  }

  /** @internal The broker has taken it back. */
  expire(): void {
    this.late = true;
    this.back = true;
    this.done = true;
  }

  private assertUnsettled(): void {
    if (!this.done) return;
    if (this.late) {
      const message = "It was not settled in time: the message has gone back to its queue.";
      throw new PosthornError("delivery-expired", message);
    }
    const why = this.delivery === 0 ? "It was delivered without the need to." : "It has been settled before.";
    throw new PosthornError("unknown-delivery", `The message cannot be settled. ${why}`);
  }

  private get history(): DeliveryHistory {
    if (this.read === undefined) this.read = (this.told && decodeHistory(this.told)) ?? noHistory;
    return this.read;
  }

  private settle(outcome: Outcome, detail?: SettleDetail): void {
    this.assertUnsettled();
    this.done = true;
    this.back = outcome === "requeue" || outcome === "release";
    this.held?.remove(this.delivery);
    this.session.settle(this.consumer, this.delivery, outcome, detail);
  }
}

const noHistory: DeliveryHistory = {};
const noDeaths: readonly Death[] = [];

function detailOf(delay: number | undefined, reason: NackReasonLike | undefined): SettleDetail | undefined {
  if (delay !== undefined && !(Number.isInteger(delay) && delay >= 0 && delay <= longestMs)) {
    throw new PosthornError(
      "invalid-argument",
      `The delay must be a whole number of milliseconds from 0 to ${longestMs}.`,
    );
  }
  if (!delay && reason === undefined) return undefined;
  return { delay: delay ?? 0, reason: reason === undefined ? undefined : boundedReason(nackReason(reason)) };
}

/** @throws PosthornError `invalid-argument` for what a program without types may say. */
function nackReason(reason: NackReasonLike): NackReason {
  if (typeof reason === "string") return { code: "", message: reason };
  if (reason instanceof Error) {
    const { code } = reason as { code?: unknown };
    return { code: typeof code === "string" ? code : String(reason.name), message: String(reason.message) };
  }
  if (typeof reason?.code === "string" && typeof reason.message === "string") return reason;
  const message = "The reason must be a text, an Error, or an object with a code and a message.";
  throw new PosthornError("invalid-argument", message);
}
