import { publishFlags } from "../protocol/binary-frames.ts";
import { errorCodeByNumber, PosthornError } from "../protocol/errors.ts";
import { abortedError } from "./abort.ts";
import type { Body } from "./body.ts";
import { EnvelopeView } from "./envelope-view.ts";
import type { BlockedNotice, Events } from "./events.ts";
import { Fifo } from "./fifo.ts";
import type { PublishSettings } from "./options.ts";
import type { Batch } from "./outbox.ts";
import type { Publish, PublishReceipt } from "./publish.ts";
import { fitsFrame, noOptions, PublishEncoder, type PublishOptions, tooLarge } from "./publish-encoder.ts";
import { PublishRetry, type PublishRetryOptions } from "./publish-retry.ts";
import { ReturnedError } from "./returned-error.ts";
import type { Runtime } from "./runtime.ts";
import type { Session } from "./session.ts";
import { SleepingPublishes } from "./sleeping-publishes.ts";
import { Unconfirmed } from "./unconfirmed.ts";

const confirmedReceipt: PublishReceipt = Object.freeze({ confirmed: true });
const sentReceipt: PublishReceipt = Object.freeze({ confirmed: false });
/** Publishes without confirm wait while the socket holds more than this. */
const maxUnsentBytes = 4 * 1024 * 1024;
/** How often the socket is looked at then: WebSockets have no event for it. */
const socketLookMs = 5;

/**
 * Numbers what is published, keeps it until it is confirmed, and sends it again after a reconnect, in the order in
 * which it was published. Messages beyond the window of unconfirmed ones, and those published while disconnected or while
 * the broker is blocked, wait.
 */
export class Publisher {
  readonly #settings: PublishSettings;
  readonly #runtime: Runtime;
  readonly #events: Events;
  readonly #unconfirmed = new Unconfirmed();
  /** What was refused; to be sent again now, before what waits. Counts as waiting. */
  readonly #refused = new Fifo<Publish>();
  readonly #sleeping: SleepingPublishes;
  readonly #waiting = new Fifo<Publish>();
  readonly #readyWaiters: { resolve(): void; reject(error: PosthornError): void }[] = [];
  readonly #idleWaiters: (() => void)[] = [];
  #socketWaiters: (() => void)[] = [];
  readonly #encoder = new PublishEncoder();
  /** The session that is open. */
  #session: Session | undefined;
  /** The same, unless the broker is blocked: where publishes can be sent at once. */
  #target: Session | undefined;
  #blocked: BlockedNotice | undefined;
  #nextNumber = 1;
  #waitingCount = 0;
  #waitingBytes = 0;
  #failure: PosthornError | undefined;

  constructor(settings: PublishSettings, runtime: Runtime, events: Events) {
    this.#settings = settings;
    this.#runtime = runtime;
    this.#events = events;
    this.#sleeping = new SleepingPublishes(runtime);
  }

  /** Messages whose fate is not known yet. */
  get pending(): number {
    return this.#unconfirmed.count + this.#sleeping.count + this.#waitingCount;
  }

  get blocked(): BlockedNotice | undefined {
    return this.#blocked;
  }

  publish(
    exchange: string,
    routingKey: string,
    body: Body,
    options: PublishOptions = noOptions,
  ): Promise<PublishReceipt> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const { signal } = options;
    if (signal?.aborted) return Promise.reject(abortedError(signal));
    let envelope: Uint8Array;
    let retry: PublishRetry | undefined;
    try {
      if (options.retry) retry = this.#retryOf(options.retry, options);
      envelope = this.#encoder.encode(exchange, routingKey, body, options, this.#session?.welcome.limits);
    } catch (error) {
      return Promise.reject(error);
    }
    const confirm = options.confirm !== false;
    const flags =
      (options.mandatory === true ? publishFlags.mandatory : 0) | (confirm ? 0 : publishFlags.unconfirmed);
    const session = this.#target;
    if (!confirm && session !== undefined && this.#waitingCount === 0) {
      session.outbox.publish(this.#nextNumber++, flags, envelope);
      return session.unsentBytes > maxUnsentBytes ? this.#untilSocketHasRoom() : sent;
    }
    const publish: Publish = {
      flags,
      size: envelope.length,
      retry,
      number: 0,
      batch: noBatch,
      start: 0,
      done: false,
      returned: undefined,
      resolve: undefined,
      reject: undefined,
    };
    if (session !== undefined && this.#waitingCount === 0 && this.#windowHasRoom(publish)) {
      this.#send(session, publish, envelope);
    } else {
      if (this.#blocked !== undefined && this.#settings.whenBlocked === "reject")
        return Promise.reject(blockedError(this.#blocked));
      if (session === undefined && this.#bufferIsFull(publish)) return Promise.reject(bufferFull());
      publish.batch = { bytes: envelope.slice() };
      this.#wait(publish);
      if (!confirm && this.#session === undefined) return sent;
    }
    const promise = new Promise<PublishReceipt>((resolve, reject) => {
      publish.resolve = resolve;
      publish.reject = reject;
    });
    return signal === undefined ? promise : this.#abortable(promise, publish, signal);
  }

  /** Resolves as soon as a publish would be sent at once. @throws PosthornError if that can never be again. */
  async ready(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#isReady()) return;
    await new Promise<void>((resolve, reject) => this.#readyWaiters.push({ resolve, reject }));
  }

  /** Resolves once the fate of every message is known. */
  async whenIdle(): Promise<void> {
    if (this.pending > 0) await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
  }

  /** A session is open: sends again what has no confirm, then what has waited. */
  attach(session: Session): void {
    this.#session = session;
    this.#target = session;
    this.#nextNumber = 1;
    for (const publish of this.#unconfirmed.clear()) {
      // Given up by its caller.
      if (publish.reject === undefined) continue;
      publish.returned = undefined;
      this.#send(session, publish, envelopeOf(publish));
    }
    this.#advance();
  }

  /** The session has ended. */
  detach(): void {
    this.#session = undefined;
    this.#target = undefined;
    this.#endBlock();
  }

  /** The broker takes nothing for now. */
  block(notice: BlockedNotice): void {
    this.#blocked = notice;
    this.#target = undefined;
    this.#events.emit("blocked", notice);
  }

  /** It does again. */
  unblock(): void {
    this.#target = this.#session;
    this.#endBlock();
    this.#advance();
  }

  /** Nothing will be sent any more. */
  fail(error: PosthornError): void {
    this.#failure = error;
    this.detach();
    this.#sleeping.giveUp();
    const open = [...this.#unconfirmed.clear(), ...this.#refused.clear(), ...this.#waiting.clear()];
    for (const publish of open) publish.reject?.(error);
    this.#waitingCount = this.#waitingBytes = 0;
    for (const { reject } of this.#readyWaiters.splice(0)) reject(error);
    this.#advance();
  }

  confirmed(first: number, last: number, error: PosthornError | undefined): void {
    if (error !== undefined) this.#refuse(first, last, error);
    else {
      this.#unconfirmed.settle(first, last, (publish) => {
        if (publish.returned !== undefined) publish.reject?.(publish.returned);
        else publish.resolve?.(confirmedReceipt);
      });
    }
    this.#advance();
  }

  returned(number: number, status: number, text: string, envelope: Uint8Array): void {
    const error = new ReturnedError(errorCodeByNumber(status), text, new EnvelopeView(envelope));
    const publish = this.#unconfirmed.find(number);
    if (publish !== undefined) publish.returned = error;
    this.#events.emit("return", error);
  }

  #refuse(first: number, last: number, error: PosthornError): void {
    const refused = this.#unconfirmed.takeBack(first, last);
    for (const publish of refused) {
      // Given up by its caller.
      if (publish.reject === undefined) continue;
      publish.number = 0;
      publish.returned = undefined;
      if (this.#endsWithBlock(error)) {
        this.#sendAgain(publish);
        continue;
      }
      const delayMs = error.retry ? publish.retry?.nextDelayMs() : undefined;
      if (delayMs === undefined) {
        publish.done = true;
        publish.reject(error);
      } else this.#sleeping.add(publish, delayMs, error, this.#wake);
    }
    // Of publishes without confirm only refusals are told, and no promise waits for them.
    if (refused.length <= last - first) this.#events.emit("error", error);
  }

  /** Without `blocked` before it there will be no `unblocked` after it. */
  #endsWithBlock({ code }: PosthornError): boolean {
    const isForWantOfRoom = code === "disk-full" || code === "memory-high";
    return isForWantOfRoom && this.#blocked !== undefined && this.#settings.whenBlocked === "wait";
  }

  #sendAgain(publish: Publish): void {
    this.#waitingCount++;
    this.#waitingBytes += publish.size;
    this.#refused.push(publish);
  }

  readonly #wake = (publish: Publish): void => {
    this.#sendAgain(publish);
    this.#advance();
  };

  #retryOf(retry: PublishRetryOptions, { confirm }: PublishOptions): PublishRetry {
    if (confirm === false) {
      const message = "The option retry needs a confirm: without one nobody knows what was refused.";
      throw new PosthornError("invalid-argument", message, { option: "retry" });
    }
    return new PublishRetry(retry, () => this.#runtime.random());
  }

  #endBlock(): void {
    if (this.#blocked === undefined) return;
    this.#blocked = undefined;
    this.#events.emit("unblocked");
  }

  #windowHasRoom(publish: Publish): boolean {
    const { maxUnconfirmed, maxUnconfirmedBytes } = this.#settings;
    const count = this.#unconfirmed.count + this.#sleeping.count;
    const bytes = this.#unconfirmed.bytes + this.#sleeping.bytes;
    return count === 0 || (count < maxUnconfirmed && bytes + publish.size <= maxUnconfirmedBytes);
  }

  #bufferIsFull(publish: Publish): boolean {
    const { maxBufferedMessages, maxBufferedBytes, maxUnconfirmed, maxUnconfirmedBytes } = this.#settings;
    // What was in the window may have come back, and leaves the buffer to what follows.
    const isBlocked = this.#blocked !== undefined;
    const messages = maxBufferedMessages + (isBlocked ? maxUnconfirmed : 0);
    const bytes = maxBufferedBytes + (isBlocked ? maxUnconfirmedBytes : 0);
    return this.#waitingCount >= messages || this.#waitingBytes + publish.size > bytes;
  }

  #isReady(): boolean {
    return (
      this.#target !== undefined &&
      this.#waitingCount === 0 &&
      this.#unconfirmed.count + this.#sleeping.count < this.#settings.maxUnconfirmed &&
      this.#unconfirmed.bytes + this.#sleeping.bytes < this.#settings.maxUnconfirmedBytes
    );
  }

  #wait(publish: Publish): void {
    this.#waiting.push(publish);
    this.#waitingCount++;
    this.#waitingBytes += publish.size;
  }

  #send(session: Session, publish: Publish, envelope: Uint8Array): void {
    if (!fitsFrame(envelope.length, session.welcome.limits)) {
      publish.done = true;
      publish.reject?.(tooLarge("The broker takes only smaller messages since the reconnect."));
      return;
    }
    const { outbox } = session;
    publish.number = this.#nextNumber++;
    outbox.publish(publish.number, publish.flags, envelope);
    publish.batch = outbox.batch;
    publish.start = outbox.length - envelope.length;
    this.#unconfirmed.push(publish);
  }

  /** Sends what waits as far as the window allows, and tells those who wait for that. */
  #advance(): void {
    const session = this.#target;
    if (session !== undefined) this.#sendWaiting(session);
    if (this.#readyWaiters.length > 0 && this.#isReady()) {
      for (const { resolve } of this.#readyWaiters.splice(0)) resolve();
    }
    if (this.#idleWaiters.length > 0 && this.pending === 0) {
      for (const resolve of this.#idleWaiters.splice(0)) resolve();
    }
  }

  #sendWaiting(session: Session): void {
    for (;;) {
      const line = this.#refused.length > 0 ? this.#refused : this.#waiting;
      const next = line.peek();
      if (next === undefined) return;
      const unconfirmed = (next.flags & publishFlags.unconfirmed) !== 0;
      if (!next.done && !unconfirmed && !this.#windowHasRoom(next)) return;
      line.shift();
      if (next.done) continue;
      this.#waitingCount--;
      this.#waitingBytes -= next.size;
      if (unconfirmed) {
        session.outbox.publish(this.#nextNumber++, next.flags, next.batch.bytes);
        next.resolve?.(sentReceipt);
      } else this.#send(session, next, envelopeOf(next));
    }
  }

  async #abortable(
    promise: Promise<PublishReceipt>,
    publish: Publish,
    signal: AbortSignal,
  ): Promise<PublishReceipt> {
    const abort = () => this.#giveUp(publish, abortedError(signal));
    signal.addEventListener("abort", abort, { once: true });
    try {
      return await promise;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** What waits is passed over when its turn comes; what was sent is not sent again after a reconnect. */
  #giveUp(publish: Publish, error: PosthornError): void {
    publish.reject?.(error);
    publish.reject = publish.resolve = undefined;
    if (this.#sleeping.remove(publish)) {
      publish.done = true;
      this.#advance();
      return;
    }
    if (publish.number !== 0 || publish.done) return;
    publish.done = true;
    publish.batch = noBatch;
    this.#waitingCount--;
    this.#waitingBytes -= publish.size;
    if (this.#waiting.length > 2 * this.#waitingCount + 64) {
      for (const other of this.#waiting.clear()) if (!other.done) this.#waiting.push(other);
    }
    this.#advance();
  }

  #untilSocketHasRoom(): Promise<PublishReceipt> {
    return new Promise((resolve) => {
      this.#socketWaiters.push(() => resolve(sentReceipt));
      if (this.#socketWaiters.length === 1) this.#watchSocket();
    });
  }

  #watchSocket(): void {
    this.#runtime.setTimer(() => {
      if (this.#session !== undefined && this.#session.unsentBytes > maxUnsentBytes / 2) {
        this.#watchSocket();
        return;
      }
      const waiters = this.#socketWaiters;
      this.#socketWaiters = [];
      for (const resolve of waiters) resolve();
    }, socketLookMs);
  }
}

const noBatch: Batch = { bytes: new Uint8Array(0) };
const sent: Promise<PublishReceipt> = Promise.resolve(sentReceipt);

function envelopeOf({ batch, start, size }: Publish): Uint8Array {
  return batch.bytes.subarray(start, start + size);
}

function bufferFull(): PosthornError {
  const message = "The connection is down or the broker blocked, and the buffer for publishes is full.";
  return new PosthornError("buffer-full", message);
}

function blockedError({ code, message }: BlockedNotice): PosthornError {
  return new PosthornError(code, message);
}
