import { expect } from "vitest";
import type { TestBroker } from "./broker.ts";
import type { Frame, RawClient } from "./raw-client.ts";

/** Publishes to a queue of its own and consumes from it, one message after the other, for as long as it is told to. */
class HealthyClient {
  #isRunning = true;
  #done = 0;
  readonly #client: RawClient;
  readonly #work: Promise<void>;

  private constructor(client: RawClient, queue: string, consumer: number) {
    this.#client = client;
    this.#work = this.#run(queue, consumer);
    // Whoever stops the client sees what went wrong.
    this.#work.catch(() => {});
  }

  static async start(
    { raw }: TestBroker,
    hello: { readonly [field: string]: unknown },
  ): Promise<HealthyClient> {
    const client = await raw(hello);
    const { queue } = await client.must("queue.declare", { exclusive: true });
    const { consumer } = await client.must("queue.consume", {});
    return new HealthyClient(client, queue as string, consumer as number);
  }

  /** Lets it do some more, and expects that it noticed nothing of what others did. */
  async stop(): Promise<void> {
    const enough = this.#done + 3;
    while (this.#done < enough) await Promise.race([this.#work, this.#client.barrier()]);
    this.#isRunning = false;
    await this.#work;
    await this.#client.barrier();
    expect(new Set(this.#client.received.map(({ type }) => type))).toEqual(
      new Set(["welcome", "ok", "confirm", "deliver"]),
    );
    expect(this.#client.of("confirm").filter(({ code }) => code !== undefined)).toEqual([]);
    expect(this.#client.of("deliver")).toHaveLength(this.#done);
    await this.#client.close();
  }

  async #run(queue: string, consumer: number): Promise<void> {
    for (let number = 1; this.#isRunning; number++) {
      const text = `message ${number}`;
      const [, delivery] = await Promise.all([
        this.#client.confirmed({ routingKey: queue, text }),
        this.#client.next({ type: "deliver", consumer }) as Promise<Frame>,
      ]);
      expect(delivery).toMatchObject({ delivery: number, text });
      expect(delivery.redelivered).toBeUndefined();
      this.#client.settle(consumer, number, number, "ack");
      this.#done++;
    }
  }
}

/** Does `misbehave` while a healthy client publishes and consumes, which must not notice anything. */
export async function besideAHealthyClient(
  broker: TestBroker,
  misbehave: () => Promise<void>,
  hello: { readonly [field: string]: unknown } = {},
): Promise<void> {
  const healthy = await HealthyClient.start(broker, hello);
  await misbehave();
  await healthy.stop();
}
