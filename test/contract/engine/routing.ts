import { expect, test } from "vitest";
import { exchangeNamed } from "../../support/embedded.ts";
import { type EngineContext, failure, type OpenEngine, withEngine } from "./harness.ts";

/** How messages go on from exchange to exchange: SEMANTICS 18–22. */
export function routingContract(open: OpenEngine): void {
  const ends = (source: string, destination: string) => ({
    source,
    destination,
    routingKey: "k",
    arguments: {},
  });
  const alternate = (name: string) => ({ arguments: { alternateExchange: name } });

  /** Exchanges `a` → `b` by `k`, and a queue `q` bound to `b` by `k`. */
  async function chain(context: EngineContext): Promise<void> {
    const { engine, owner } = context;
    for (const name of ["a", "b"]) await engine.declareExchange(exchangeNamed(name, "direct"));
    await engine.bindExchange(ends("a", "b"));
    await context.queue("q");
    await engine.bindQueue({ exchange: "b", queue: "q", routingKey: "k", arguments: {} }, owner);
  }

  test("a message goes on through bound exchanges, until they are unbound", () =>
    withEngine(open, async (context) => {
      await chain(context);
      context.publish("k", "1", { exchange: "a" });
      await context.engine.unbindExchange(ends("a", "b"));
      context.publish("k", "2", { exchange: "a" });
      await context.quiet();
      expect(await context.ready("q")).toBe(1);
      expect(context.publisher.confirmedNumbers).toEqual([1, 2]);
    }));

  test("binding exchanges that are not there fails; unbinding them does not", () =>
    withEngine(open, async ({ engine }) => {
      for (const binding of [ends("amq.direct", "none"), ends("none", "amq.direct")]) {
        expect(await failure(engine.bindExchange(binding))).toMatchObject({
          code: "not-found",
          details: { exchange: "none" },
        });
        await engine.unbindExchange(binding);
      }
      await engine.unbindExchange(ends("amq.direct", "amq.topic"));
    }));

  test("an internal exchange refuses what is published to it", () =>
    withEngine(open, async (context) => {
      await context.engine.declareExchange(exchangeNamed("inner", "fanout", { internal: true }));
      context.publish("k", "1", { exchange: "inner", mandatory: true });
      await context.quiet();
      expect(context.publisher.outcomes).toEqual(["refused 1 access-refused"]);
    }));

  test("what matches no binding goes to the alternate; one that is missing is counted and no reason to refuse", () =>
    withEngine(open, async (context) => {
      const { engine } = context;
      await chain(context);
      await engine.declareExchange(exchangeNamed("first", "direct", alternate("a")));
      await engine.declareExchange(exchangeNamed("lost", "direct", alternate("none")));
      context.publish("k", "1", { exchange: "first", mandatory: true });
      for (let copy = 0; copy < 3; copy++) context.publish("k", "lost", { exchange: "lost" });
      await context.quiet();
      expect(await context.ready("q")).toBe(1);
      expect(context.publisher.confirmedNumbers.toSorted()).toEqual([1, 2, 3, 4]);
      expect(engine.counts().missedTargets).toBe(3);
    }));

  for (const way of ["stopped", "crashed"] as const) {
    test(`durable bindings between exchanges are there after the engine has ${way}, and what went is not`, () =>
      withEngine(open, async (context) => {
        const { engine } = context;
        await chain(context);
        await engine.declareExchange(exchangeNamed("goes", "direct", { autoDelete: true }));
        await engine.declareExchange(exchangeNamed("goes too", "direct", { autoDelete: true }));
        await engine.bindExchange(ends("goes too", "goes"));
        await engine.bindExchange(ends("goes", "b"));
        await engine.unbindExchange(ends("goes", "b"));
        await context.harness.restart(way);
        context.publish("k", "1", { exchange: "a" });
        await context.quiet();
        expect(await context.ready("q")).toBe(1);
        for (const name of ["goes", "goes too"])
          expect(await failure(context.engine.checkExchange(name))).toMatchObject({ code: "not-found" });
      }));
  }
}
