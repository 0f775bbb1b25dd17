import { connect, type Posthorn, PosthornError } from "../../../client/index.ts";
import { RawClient } from "../../support/raw-client.ts";
import { markedBody, markOf, type Publisher } from "./marked-body.ts";

export const queueNames = { kept: "kept", worked: "worked", purged: "purged" } as const;

export interface LoadOptions {
  readonly url: string;
  /** 0 ≤ x < 1; decides sizes. */
  readonly random: () => number;
  /** Most bytes of a body; most are far smaller. */
  readonly maxBytes: number;
  /** Ends after so many messages of the quick publisher. */
  readonly messages: number;
  /** What the bodies call the first message: marks of two loads of one broker must not be the same. Default 1. */
  readonly numbersFrom?: number;
  /** Messages under way at once. Default 200. */
  readonly window?: number;
}

/** What clients know when the load has ended, in order or because the broker has gone. */
export interface LoadResult {
  readonly published: number;
  /** Marks of messages in `kept`, in the order of their publishing, by publisher. */
  readonly confirmedKept: readonly string[];
  readonly confirmed: number;
}

/**
 * Loads a broker: a publisher with many messages under way, one with a single one under way, a consumer that acks, and purges
 * now and then, so that pages of the file are freed and written again. Messages go to `kept`, where they stay, to `worked`,
 * where they are consumed, and to `purged`.
 */
export async function load(options: LoadOptions): Promise<LoadResult> {
  const run = new Load(options);
  return run.run();
}

class Load {
  readonly #options: LoadOptions;
  readonly #confirmedKept: string[] = [];
  #confirmed = 0;
  #published = 0;
  #isOver = false;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  async run(): Promise<LoadResult> {
    const { url, window = 200 } = this.#options;
    try {
      const quick = await connect(url, { reconnect: false, maxUnconfirmed: window });
      for (const name of Object.values(queueNames)) await quick.queue(name).declare();
      const consuming = await this.#consume();
      await Promise.all([
        this.#publishQuickly(quick).finally(() => {
          this.#isOver = true;
        }),
        this.#publishOneByOne(),
      ]);
      await consuming.close();
      await quick.close();
    } catch (error) {
      expectGone(error);
    }
    return {
      published: this.#published,
      confirmedKept: this.#confirmedKept,
      confirmed: this.#confirmed,
    };
  }

  /** `number` is the session's, counted from 1. */
  #body(publisher: Publisher, number: number): string {
    const { random, maxBytes, numbersFrom = 1 } = this.#options;
    // Mostly small, now and then large: rows of many messages and rows of one.
    return markedBody(
      publisher,
      numbersFrom - 1 + number,
      Math.floor(random() < 0.05 ? random() * maxBytes : random() * 400),
    );
  }

  #queueOf(number: number): string {
    if (number % 3 === 0) return queueNames.kept;
    return number % 3 === 1 ? queueNames.worked : queueNames.purged;
  }

  #noteConfirmed(publisher: Publisher, number: number, queue: string): void {
    const { numbersFrom = 1 } = this.#options;
    this.#confirmed++;
    if (queue === queueNames.kept) this.#confirmedKept.push(markOf(publisher, numbersFrom - 1 + number));
  }

  async #publishQuickly(posthorn: Posthorn): Promise<void> {
    const all: Promise<void>[] = [];
    for (let number = 1; number <= this.#options.messages; number++) {
      try {
        await posthorn.ready();
      } catch (error) {
        expectGone(error);
        break;
      }
      const queue = this.#queueOf(number);
      // What is purged before it is written is confirmed without; nobody else could tell that from a mistake.
      if (queue === queueNames.purged) {
        await posthorn
          .queue(queue)
          .publish(this.#body("binary", number), { confirm: false })
          .catch(expectGone);
        continue;
      }
      this.#published++;
      const publishing = posthorn.queue(queue).publish(this.#body("binary", number));
      all.push(publishing.then(() => this.#noteConfirmed("binary", number, queue), expectGone));
      if (number % 501 === 0)
        all.push(
          posthorn
            .queue(queueNames.purged)
            .purge()
            .then(() => {}, expectGone),
        );
    }
    await Promise.all(all);
  }

  async #publishOneByOne(): Promise<void> {
    const client = await RawClient.connect(this.#options.url);
    await client.hello();
    let isGone = false;
    void client.closed.then(() => {
      isGone = true;
    });
    for (let number = 1; !this.#isOver && !isGone; number++) {
      const queue = number % 2 === 0 ? queueNames.kept : queueNames.worked;
      this.#published++;
      client.publish({ routingKey: queue, text: this.#body("json", number) });
      const fate = await Promise.race([client.fate(number).catch(() => undefined), client.closed]);
      if (fate !== undefined && "type" in fate && fate.code === undefined)
        this.#noteConfirmed("json", number, queue);
    }
    client.terminate();
  }

  async #consume(): Promise<{ close(): Promise<void> }> {
    const posthorn = await connect(this.#options.url, { reconnect: false });
    const working = (async () => {
      for await (const message of posthorn.queue(queueNames.worked).consume({ prefetch: 100 })) message.ack();
    })().catch(expectGone);
    return {
      async close() {
        await posthorn.close();
        await working;
      },
    };
  }
}

/** The broker has ended: what was under way fails with this and nothing else. */
function expectGone(error: unknown): void {
  const code = error instanceof PosthornError ? error.code : undefined;
  if (code !== "connection-closed" && code !== "closed") throw error;
}
