import { setImmediate } from "node:timers/promises";
import type { Publisher } from "./driver.ts";

/** So often a publisher without confirms gives its socket a turn. */
const messagesPerTurn = 256;

/** Sends and forgets, and waits for the socket now and then: without that nothing would leave before the end. */
export class UnconfirmedPublisher implements Publisher {
  readonly #send: (routingKey: string, body: Buffer) => void;
  readonly #untilDrained: () => Promise<unknown> | undefined;
  #inThisTurn = 0;

  constructor(
    send: (routingKey: string, body: Buffer) => void,
    untilDrained: () => Promise<unknown> | undefined,
  ) {
    this.#send = send;
    this.#untilDrained = untilDrained;
  }

  get hasRoom(): boolean {
    return this.#inThisTurn < messagesPerTurn;
  }

  async untilRoom(): Promise<void> {
    this.#inThisTurn = 0;
    await this.#untilDrained();
    await setImmediate();
  }

  publish(routingKey: string, body: Buffer): void {
    this.#inThisTurn++;
    this.#send(routingKey, body);
  }

  flush(): Promise<void> {
    return this.untilRoom();
  }
}
