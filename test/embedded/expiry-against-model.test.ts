import fc from "fast-check";
import { expect, test } from "vitest";
import { MemoryStore } from "../../server/embedded/store/memory-store.ts";
import type { Delivery, Owner } from "../../server/engine/engine.ts";
import {
  done,
  owner,
  publication,
  queueNamed,
  RecordingPublisher,
  type SteppedEngine,
  steppedEngine,
  textOf,
} from "../support/embedded.ts";
import { ManualTime } from "../support/manual-time.ts";

/** What can happen to one queue in which messages expire. */
type Step =
  | { do: "publish"; count: number; expiration: number }
  | { do: "get"; count: number }
  | { do: "settle"; at: number; outcome: "ack" | "requeue" | "return" }
  | { do: "pass"; ms: number }
  | { do: "purge" }
  | { do: "restart" };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("publish" as const),
      count: fc.integer({ min: 1, max: 20 }),
      expiration: fc.oneof(fc.constant(-1), fc.constantFrom(0, 50, 100), fc.integer({ min: 1, max: 300 })),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("get" as const), count: fc.integer({ min: 1, max: 9 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("settle" as const),
      at: fc.nat(20),
      outcome: fc.constantFrom("ack" as const, "requeue" as const, "return" as const),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.constantFrom(1, 10, 40, 90) }),
  },
  { weight: 1, arbitrary: fc.constant({ do: "purge" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "restart" as const }) },
);

interface Item {
  readonly id: number;
  /** `Infinity`: never. */
  readonly dueAt: number;
  held: Delivery | undefined;
}

/** An engine with one queue, beside a list of what should be in it. */
class Run {
  readonly #clock = new ManualTime();
  readonly #messageTtl: number | undefined;
  readonly #me: Owner = owner();
  readonly #publisher = new RecordingPublisher();
  readonly #store = new MemoryStore({ manualFlush: true });
  #stepped!: SteppedEngine;
  #items: Item[] = [];
  #lastId = 0;

  constructor(messageTtl: number | undefined) {
    this.#messageTtl = messageTtl;
  }

  static async play(messageTtl: number | undefined, steps: readonly Step[]): Promise<void> {
    const run = new Run(messageTtl);
    await run.#start();
    const declaration = queueNamed("q", messageTtl === undefined ? {} : { arguments: { messageTtl } });
    const declared = run.#stepped.engine.declareQueue(declaration, run.#me);
    await done(run.#stepped, declared);
    for (const one of [...steps, { do: "restart" } as const]) {
      await run.#take(one);
      await run.#rest();
    }
  }

  async #start(): Promise<void> {
    const { now, delay } = this.#clock;
    // So little that a handful of messages pages.
    this.#stepped = await steppedEngine({ store: this.#store, now, delay, queueMemoryBytes: 1024 });
  }

  async #take(one: Step): Promise<void> {
    const { engine } = this.#stepped;
    switch (one.do) {
      case "publish":
        for (let i = 0; i < one.count; i++) this.#publish(one.expiration);
        return;
      case "get":
        for (let i = 0; i < one.count; i++) await this.#get();
        return;
      case "settle":
        return this.#settle(one.at, one.outcome);
      case "pass":
        this.#clock.advance(one.ms);
        return;
      case "purge":
        await done(this.#stepped, engine.purgeQueue("q", this.#me));
        this.#items = this.#items.filter(({ held }) => held !== undefined);
        return;
      case "restart":
        for (let at = 0; this.#held.length > 0; ) this.#settle(at, "return");
        await done(this.#stepped, engine.stop());
        await this.#start();
        this.#clock.advance(0);
    }
  }

  get #held(): Item[] {
    return this.#items.filter(({ held }) => held !== undefined);
  }

  #publish(expiration: number): void {
    const id = ++this.#lastId;
    const ttl = Math.min(
      expiration < 0 ? Number.POSITIVE_INFINITY : expiration,
      this.#messageTtl ?? Infinity,
    );
    this.#items.push({ id, dueAt: this.#clock.now() + ttl, held: undefined });
    this.#stepped.engine.publish(publication(id, "q", `${id}`, { expiration }), this.#publisher);
    // At rest, one that may not wait has gone.
    if (ttl === 0) this.#items.pop();
  }

  async #get(): Promise<void> {
    await this.#rest();
    const due = this.#items.find(({ held }) => held === undefined);
    const { delivery } = await this.#stepped.engine.get("q", { noAck: false }, this.#me);
    expect(delivery && textOf(delivery)).toBe(due && `${due.id}`);
    if (due !== undefined) due.held = delivery;
  }

  #settle(at: number, outcome: "ack" | "requeue" | "return"): void {
    const item = this.#held[at % Math.max(1, this.#held.length)];
    if (item === undefined) return;
    this.#stepped.engine.settle([item.held as Delivery], outcome);
    item.held = undefined;
    if (outcome === "ack") this.#items = this.#items.filter((other) => other !== item);
  }

  /** What is due has gone, whatever it stands behind; nothing else has. */
  async #rest(): Promise<void> {
    await this.#stepped.rest();
    const now = this.#clock.now();
    this.#items = this.#items.filter(({ dueAt, held }) => held !== undefined || dueAt > now);
    const { messages } = await this.#stepped.engine.checkQueue("q", this.#me);
    expect(messages).toBe(this.#items.length - this.#held.length);
    expect(this.#stepped.failures).toEqual([]);
    expect(this.#stepped.damaged).toEqual([]);
  }
}

test(
  "whatever happens to a queue, exactly what is due has expired, and the rest is in order",
  () =>
    fc.assert(
      fc.asyncProperty(
        fc.constantFrom(undefined, 120),
        fc.array(step, { minLength: 1, maxLength: 60, size: "max" }),
        Run.play,
      ),
      { numRuns: 400 },
    ),
  60_000,
);
