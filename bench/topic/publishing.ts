import { join } from "node:path";
import { connect, type Posthorn } from "posthorn";
import { processCpuSeconds } from "../process-figures.ts";
import { median, medianRatio } from "../statistics.ts";
import { posthornTarget } from "../targets/posthorn-target.ts";
import { type Shape, shapes } from "./shapes.ts";

const fewBindings = 100;
const manyBindings = 100_000;
const queueCount = 100;
const rounds = 7;
const messagesPerRound = 150_000;
const warmUpMessages = 50_000;

/** A broker of its own, in a process of its own, with a topic exchange that has so many bindings. */
class Side {
  readonly #posthorn: Posthorn;
  readonly #pid: number;
  readonly #shape: Shape;
  readonly #bindingCount: number;
  readonly #close: () => Promise<void>;
  #serial = 0;
  #delivered = 0;

  private constructor(
    posthorn: Posthorn,
    pid: number,
    shape: Shape,
    bindingCount: number,
    close: () => Promise<void>,
  ) {
    this.#posthorn = posthorn;
    this.#pid = pid;
    this.#shape = shape;
    this.#bindingCount = bindingCount;
    this.#close = close;
  }

  static async open(shape: Shape, bindingCount: number): Promise<Side> {
    const target = await posthornTarget("posthorn", join(import.meta.dirname, "..", "..")).open();
    const posthorn = await connect(target.address.url);
    const side = new Side(posthorn, target.pid as number, shape, bindingCount, async () => {
      await posthorn.close();
      await target.close();
    });
    try {
      await side.#prepare();
    } catch (error) {
      await side.close();
      throw error;
    }
    return side;
  }

  /** The broker's CPU time for one message, in microseconds: from its socket to a queue to a consumer's socket, and the confirm. */
  async measureUs(messages: number): Promise<number> {
    const before = processCpuSeconds(this.#pid);
    await this.#publish(messages);
    return ((processCpuSeconds(this.#pid) - before) * 1e6) / messages;
  }

  close(): Promise<void> {
    return this.#close();
  }

  async #prepare(): Promise<void> {
    await this.#posthorn.exchange("topic").declare({ type: "topic", durable: false });
    const queues = Array.from({ length: queueCount }, (_, index) => this.#posthorn.queue(`queue-${index}`));
    for (const queue of queues) {
      await queue.declare({ durable: false });
      await queue.consume(() => void this.#delivered++, { noAck: true });
    }
    for (let index = 0; index < this.#bindingCount; index += queueCount) {
      await Promise.all(
        queues.map((queue, offset) => queue.bind("topic", this.#shape.binding(index + offset))),
      );
    }
  }

  /** Every message has another key and goes to one queue. Waits until all are confirmed and delivered. */
  async #publish(messages: number): Promise<void> {
    const exchange = this.#posthorn.exchange("topic");
    const body = new Uint8Array(100);
    const upTo = this.#serial + messages;
    let last: Promise<unknown> = Promise.resolve();
    while (this.#serial < upTo) {
      await this.#posthorn.ready();
      const serial = this.#serial++;
      const key = this.#shape.key((serial * 7919) % this.#bindingCount, serial);
      last = exchange.publish(key, body, { persistent: false, mandatory: true });
    }
    await last;
    while (this.#delivered < upTo) await new Promise((resolve) => setTimeout(resolve, 1));
    if (this.#delivered > upTo)
      throw new Error(`${this.#delivered - upTo} messages too many were delivered.`);
  }
}

/** What publishing costs the broker with many bindings, beside what it costs with few. */
export async function printPublishing(): Promise<void> {
  const head = [fewBindings, manyBindings].map((count) => `µs with ${count.toLocaleString("en")} bindings`);
  console.log(`| patterns | ${head.join(" | ")} | ratio |`);
  console.log("|---|---:|---:|---:|");
  for (const shape of shapes) {
    const sides = [await Side.open(shape, fewBindings), await Side.open(shape, manyBindings)] as const;
    try {
      const figures: [few: number[], many: number[]] = [[], []];
      for (const side of sides) await side.measureUs(warmUpMessages);
      for (let round = 0; round < rounds; round++) {
        for (const [index, side] of sides.entries())
          figures[index]!.push(await side.measureUs(messagesPerRound));
      }
      const [few, many] = figures;
      const ratio = medianRatio(many, few)?.toFixed(2);
      console.log(
        `| \`${shape.name}\` | ${median(few).toFixed(2)} | ${median(many).toFixed(2)} | ${ratio} |`,
      );
    } finally {
      for (const side of sides) await side.close();
    }
  }
}
