import type { ErrorCode } from "../../protocol/errors.ts";
import type { Delivery, DeliverySink, Subscription } from "../engine/engine.ts";
import { DeliveryWindow } from "./delivery-window.ts";
import type { Outbox } from "./outbox.ts";

/** One consumer of a session: numbers its deliveries and keeps them until they are settled. */
export class SessionConsumer implements DeliverySink {
  readonly window = new DeliveryWindow();
  subscription: Subscription | undefined;
  readonly number: number;
  readonly tag: string;
  readonly #noAck: boolean;
  readonly #outbox: Outbox;
  readonly #onCancelled: (consumer: SessionConsumer, code: ErrorCode, message: string) => void;

  constructor(
    number: number,
    tag: string,
    noAck: boolean,
    outbox: Outbox,
    onCancelled: (consumer: SessionConsumer, code: ErrorCode, message: string) => void,
  ) {
    this.number = number;
    this.tag = tag;
    this.#noAck = noAck;
    this.#outbox = outbox;
    this.#onCancelled = onCancelled;
  }

  hasRoom(): boolean {
    return this.#outbox.hasRoom();
  }

  deliver(deliveries: readonly Delivery[]): void {
    for (let i = 0; i < deliveries.length; i++) {
      const delivery = deliveries[i]!;
      const number = this.#noAck ? 0 : this.window.add(delivery);
      this.#outbox.deliver(this.number, number, delivery.redelivered, delivery.attempts, delivery.envelope);
    }
  }

  cancelled(code: ErrorCode, message: string): void {
    this.#onCancelled(this, code, message);
  }
}
