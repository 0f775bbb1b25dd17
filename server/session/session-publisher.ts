import type { EnvelopeHead } from "../../protocol/envelope.ts";
import type { ErrorCode } from "../../protocol/errors.ts";
import type { Broker } from "../broker/broker.ts";
import type { Visitor } from "../broker/visitor.ts";
import type { Blocked, PublishSink } from "../engine/engine.ts";
import type { Outbox } from "./outbox.ts";

/** The publishing side of a session: whether its publishes come in order, and what it is told of their fate. */
export class SessionPublisher implements PublishSink {
  readonly #broker: Broker;
  readonly #visitor: Visitor;
  readonly #outbox: Outbox;
  /** Number of the last publish. */
  #published = 0;
  /** A persistent message was among what was published. */
  #publishesPersistent = false;
  /** The client has been told that publishes are refused. */
  #isToldBlocked = false;
  #hasEnded = false;

  constructor(broker: Broker, visitor: Visitor, outbox: Outbox) {
    this.#broker = broker;
    this.#visitor = visitor;
    this.#outbox = outbox;
  }

  /** The number that the next publish must have. */
  get nextNumber(): number {
    return this.#published + 1;
  }

  /** Publishes the message that `head` has read, under the next number. */
  publish(head: EnvelopeHead, flags: number): void {
    const number = ++this.#published;
    if (head.persistent) this.#publishesPersistent = true;
    this.#broker.publish(this.#visitor, head, number, flags, this);
  }

  /** A publish with the next number that cannot be read: its number is used up all the same. */
  refuseNext(code: ErrorCode, message: string): void {
    this.#outbox.refused(++this.#published, code, message);
  }

  /** Nothing is told any more. */
  end(): void {
    this.#hasEnded = true;
  }

  /**
   * Publishes are refused for another reason than before, or for none any more. Told to clients whom it concerns: those that
   * have published, and for `disk-full` something that may have to be written.
   */
  blockedChanged(blocked: Blocked | undefined): void {
    if (this.#hasEnded) return;
    const concerns = blocked?.code === "disk-full" ? this.#publishesPersistent : this.#published > 0;
    if (blocked !== undefined && concerns) this.#tellBlocked(blocked);
    else if (this.#isToldBlocked) {
      this.#isToldBlocked = false;
      this.#outbox.control({ type: "unblocked" });
    }
  }

  confirmed(first: number, last: number): void {
    if (!this.#hasEnded) this.#outbox.confirmed(first, last);
  }

  refused(number: number, code: ErrorCode, message: string): void {
    if (this.#hasEnded) return;
    const { blocked } = this.#broker;
    // Its first publish, or its first persistent one, since then.
    if (blocked?.code === code && !this.#isToldBlocked) this.#tellBlocked(blocked);
    this.#outbox.refused(number, code, message);
  }

  returned(number: number, envelope: Uint8Array): void {
    if (!this.#hasEnded)
      this.#outbox.returned(number, "no-route", "No queue is bound for this message.", envelope);
  }

  #tellBlocked({ code, message }: Blocked): void {
    this.#isToldBlocked = true;
    this.#outbox.control({ type: "blocked", code, message });
  }
}
