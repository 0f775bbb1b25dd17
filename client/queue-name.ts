import { PosthornError } from "../protocol/errors.ts";

let serverNamed = 0;

/** The name of a queue. One that the broker makes up is not known before the queue is declared, and changes when it is declared again after a reconnect. */
export class QueueName {
  /** Tells queues apart for the life of the client. */
  readonly key: string;
  readonly serverNamed: boolean;
  #current: string;

  constructor(name: string) {
    this.serverNamed = name === "";
    this.key = this.serverNamed ? `server:${++serverNamed}` : `client:${name}`;
    this.#current = name;
  }

  /** @throws PosthornError `invalid-argument` if the queue has to be declared first. */
  get current(): string {
    if (this.#current === "") {
      throw new PosthornError(
        "invalid-argument",
        "A queue without a name must be declared before it is used.",
      );
    }
    return this.#current;
  }

  /** The broker has made up a name. */
  assign(name: string): void {
    this.#current = name;
  }
}
