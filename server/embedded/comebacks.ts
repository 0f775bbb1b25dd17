import type { NackReason, SettleDetail } from "../../protocol/delivery-history.ts";
import type { SettleOutcome } from "../engine/engine.ts";
import { withNackReason } from "./death-history.ts";
import type { Entry } from "./entry.ts";
import type { Queue, QueueHost } from "./queue.ts";
import { retryDelayMs } from "./retry-delay.ts";

/** Why a message comes back. `late`: it was not settled in time. */
export type ReturnOutcome = Exclude<SettleOutcome, "ack" | "reject"> | "late";

/**
 * What becomes of a queue's messages that were handed out and not finished: they are ready again, set aside for a while
 * or until somebody releases them, dead or expired; and of those set aside, when their time has come.
 */
export class Comebacks {
  readonly #queue: Queue;
  readonly #host: QueueHost;

  constructor(queue: Queue, host: QueueHost) {
    this.#queue = queue;
    this.#host = host;
  }

  /** See {@link Queue.putBack}. The entry has left its holder. */
  putBack(entry: Entry, outcome: ReturnOutcome, detail: SettleDetail | undefined, isBlamed: boolean): void {
    const advice = this.#queue.breaker?.settled(entry, outcome === "late" ? "requeue" : outcome);
    entry.redelivered = true;
    if (outcome !== "release") {
      entry.attempts++;
      entry.lane.attempted(entry);
    }
    if (detail?.reason !== undefined) {
      entry.history = withNackReason(entry.history, detail.reason);
      entry.lane.noted(entry);
    }
    if (isBlamed && entry.isLastTry) this.#giveUp(entry, detail?.reason);
    else if (entry.isExpired(this.#host.now())) {
      this.#queue.expired(entry);
      this.#queue.groups?.finish(entry);
    } else if (advice === "park") this.#park(entry);
    else {
      const delayMs = outcome === "requeue" ? this.#delayMs(entry, detail) : 0;
      const asideMs = advice === "aside" ? this.#asideMs : 0;
      if (delayMs > 0 || asideMs > 0) this.#delay(entry, Math.max(delayMs, asideMs));
      else this.#becomeReady(entry);
    }
  }

  /** The delay of a message is over, or the message has expired meanwhile. */
  delayEnded(entry: Entry): void {
    if (entry.isExpired(this.#host.now())) {
      entry.lane.endFromAside(entry);
      this.#queue.expired(entry);
      if (this.#queue.groups?.holds(entry)) this.#queue.groups.finish(entry);
    } else this.#leaveAside(entry);
  }

  /**
   * A message that was set aside comes back to its place at once. One that was parked does so even if it would have expired
   * meanwhile: nobody releases it for it to be dropped.
   */
  releaseAside(entry: Entry): void {
    if (entry.isParked && entry.isExpired(this.#host.now())) {
      entry.isOverdue = true;
      entry.expiresAt = 0;
    }
    if (entry.isExpired(this.#host.now())) this.delayEnded(entry);
    else {
      this.#leaveAside(entry);
      entry.lane.noted(entry);
    }
    this.#host.wake(this.#queue);
  }

  #becomeReady(entry: Entry): void {
    entry.state = "ready";
    if (this.#queue.groups === undefined) entry.lane.putBack(entry);
    else {
      this.#queue.groups.putBack(entry);
      entry.lane.expireInTime(entry);
    }
  }

  /** A message has been tried as often as it may: it is dead-lettered, or where nobody takes it, parked. */
  #giveUp(entry: Entry, reason: NackReason | undefined): void {
    if (this.#host.deadLetters.tryMove(entry, "delivery-limit", reason)) this.#queue.groups?.finish(entry);
    else this.#park(entry);
  }

  /** The next of its group, if there is one, may go on. */
  #park(entry: Entry): void {
    entry.lane.setAside(entry, "parked");
    this.#queue.groups?.finish(entry);
    entry.group = undefined;
  }

  /** For how long a message makes way for others that the circuit breaker wants tried before. Where order is all, it does not. */
  get #asideMs(): number {
    const { breaker, readyCount, settings } = this.#queue;
    return breaker === undefined || readyCount === 0 || settings.singleActiveConsumer ? 0 : breaker.asideMs;
  }

  #delayMs({ attempts }: Entry, detail: SettleDetail | undefined): number {
    if (detail !== undefined && detail.delay > 0) return detail.delay;
    const { retry } = this.#queue.settings;
    return retry === undefined ? 0 : retryDelayMs(retry, attempts, this.#host.random());
  }

  /** The message's group waits for it. */
  #delay(entry: Entry, delayMs: number): void {
    this.#queue.groups?.delay(entry);
    entry.delayedUntil = Math.ceil(this.#host.now() + delayMs);
    entry.lane.setAside(entry, "delayed");
  }

  #leaveAside(entry: Entry): void {
    const { groups } = this.#queue;
    const { lane } = entry;
    lane.readyFromAside(entry);
    if (!groups?.holds(entry)) lane.putBack(entry);
    else if (lane.ready.isOnDisk(entry.seq)) {
      // It is read from its place when its turn comes, and with it its group.
      groups.finish(entry);
      entry.group = undefined;
      lane.putBack(entry);
    } else {
      groups.putBack(entry);
      lane.expireInTime(entry);
    }
  }
}
