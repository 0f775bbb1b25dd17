import type { Consumer, Posthorn } from "../../../client/index.ts";
import { floodNumber } from "./flood.ts";

/** Takes a flood's messages out of its queues and acks them, as long as it is told to. */
export class Drain {
  readonly received = new Set<number>();
  readonly #posthorn: Posthorn;
  readonly #queues: readonly string[];
  #consumers: Consumer[] = [];
  #notify = () => {};

  constructor(posthorn: Posthorn, queues: readonly string[]) {
    this.#posthorn = posthorn;
    this.#queues = queues;
  }

  async start(): Promise<void> {
    this.#consumers = await Promise.all(
      this.#queues.map((name) =>
        this.#posthorn.queue(name).consume(
          (message) => {
            this.received.add(floodNumber(message.bytes));
            this.#notify();
          },
          { prefetch: 100 },
        ),
      ),
    );
  }

  /** Resolves when all these have come. */
  async until(numbers: ReadonlySet<number>): Promise<void> {
    const missing = new Set(numbers);
    for (;;) {
      for (const number of missing) if (this.received.has(number)) missing.delete(number);
      if (missing.size === 0) return;
      await new Promise<void>((resolve) => {
        this.#notify = resolve;
      });
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#consumers.splice(0).map((consumer) => consumer.cancel()));
  }
}
