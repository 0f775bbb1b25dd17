import { expect, test } from "vitest";
import type { Headers } from "../../../protocol/header-value.ts";
import type { Policy } from "../../../server/engine/engine.ts";
import { exchangeNamed, owner, queueNamed } from "../../support/embedded.ts";
import { failure, type OpenEngine, withEngine } from "./harness.ts";

const unconditionally = { ifUnused: false, ifEmpty: false };

/** Exchanges, queues and bindings: SEMANTICS 14–19, 24–26, 32–40. */
export function topologyContract(open: OpenEngine): void {
  test("the predeclared exchanges are there, and can be declared as they are", () =>
    withEngine(open, async ({ engine }) => {
      for (const [name, type] of [
        ["amq.direct", "direct"],
        ["amq.fanout", "fanout"],
        ["amq.topic", "topic"],
        ["amq.headers", "headers"],
        ["amq.match", "headers"],
      ] as const) {
        await engine.checkExchange(name);
        await engine.declareExchange(exchangeNamed(name, type));
      }
    }));

  test("declaring an exchange again in the same way changes nothing; any difference is named", () =>
    withEngine(open, async ({ engine }) => {
      const args: Headers = { a: 10, b: "x" };
      await engine.declareExchange(exchangeNamed("orders", "topic", { arguments: args }));
      await engine.declareExchange(exchangeNamed("orders", "topic", { arguments: { b: "x", a: 10n } }));
      expect(
        await failure(
          engine.declareExchange(
            exchangeNamed("orders", "direct", {
              durable: false,
              autoDelete: true,
              arguments: { a: 11, toString: 1 },
            }),
          ),
        ),
      ).toMatchObject({
        code: "precondition-failed",
        details: {
          differences: [
            { name: "exchangeType", declared: "direct", existing: "topic" },
            { name: "durable", declared: false, existing: true },
            { name: "autoDelete", declared: true, existing: false },
            { name: "a", declared: 11, existing: 10 },
            { name: "toString", declared: 1, existing: undefined },
            { name: "b", declared: undefined, existing: "x" },
          ],
        },
      });
    }));

  test("what exists and differs can be kept or changed, which is durable; what cannot be changed is named", () =>
    withEngine(open, async (context) => {
      const { harness, owner: by } = context;
      const args: Headers = { prefetchBytes: 7 };
      await context.queue("q");
      await harness.engine.declareExchange(exchangeNamed("e", "topic"));
      await harness.engine.declareQueue(queueNamed("q", { arguments: { prefetchBytes: 5 } }), by, "keep");
      await harness.engine.declareExchange(exchangeNamed("e", "fanout"), "keep");
      await context.queue("q");
      await harness.engine.declareExchange(exchangeNamed("e", "topic"));
      expect(
        await failure(
          harness.engine.declareExchange(exchangeNamed("e", "fanout", { internal: true }), "update"),
        ),
      ).toMatchObject({
        code: "precondition-failed",
        details: { differences: [{ name: "exchangeType", fixed: expect.any(String) }, { name: "internal" }] },
      });
      await harness.engine.declareExchange(exchangeNamed("e", "topic", { internal: true }), "update");
      await harness.engine.declareQueue(queueNamed("q", { autoDelete: true, arguments: args }), by, "update");
      await harness.restart("crashed");
      await context.queue("q", { autoDelete: true, arguments: args });
      await harness.engine.declareExchange(exchangeNamed("e", "topic", { internal: true }));
    }));

  test("policies are durable, in force for what matches, and no more than are allowed", () =>
    withEngine(
      open,
      async (context) => {
        const { harness, owner: by } = context;
        const all: Policy = {
          name: "all",
          pattern: "*",
          appliesTo: "queues",
          priority: -1,
          arguments: { prefetchBytes: 9 },
        };
        const some: Policy = { ...all, name: "some", pattern: "a*", priority: 3, arguments: {} };
        await context.queue("a");
        await context.queue("b", { arguments: { prefetchBytes: 5 } });
        expect(await harness.engine.setPolicy(all)).toBe(2);
        expect(await harness.engine.setPolicy(some)).toBe(1);
        expect(await failure(harness.engine.setPolicy({ ...all, name: "more" }))).toMatchObject({
          code: "limit-exceeded",
          details: { limit: "maxPolicies", maximum: 2 },
        });
        await harness.restart("crashed");
        const inForce = async () =>
          Promise.all(["a", "b"].map(async (name) => (await harness.engine.inspectQueue(name, by)).policy));
        expect(await inForce()).toEqual(["some", "all"]);
        expect((await harness.engine.inspectQueue("b", by)).effectiveArguments.prefetchBytes).toEqual({
          value: 5,
          from: "declared",
        });
        expect(await harness.engine.listPolicies()).toEqual([
          { ...some, inForce: 1 },
          { ...all, inForce: 1 },
        ]);
        await harness.engine.deletePolicy("some");
        await harness.engine.deletePolicy("some");
        await harness.restart("crashed");
        expect(await inForce()).toEqual(["all", "all"]);
      },
      { maxPolicies: 2 },
    ));

  test("an unknown exchange type is refused", () =>
    withEngine(open, async ({ engine }) => {
      expect(await failure(engine.declareExchange(exchangeNamed("x", "hasOwnProperty")))).toMatchObject({
        code: "invalid-argument",
      });
      expect(await failure(engine.checkExchange("x"))).toMatchObject({ code: "not-found" });
    }));

  test("checking for an exchange that is not there fails; deleting it does not", () =>
    withEngine(open, async ({ engine }) => {
      expect(await failure(engine.checkExchange("none"))).toMatchObject({
        code: "not-found",
        details: { exchange: "none" },
      });
      await engine.deleteExchange("none", { ifUnused: false });
      await engine.deleteExchange("none", { ifUnused: true });
    }));

  test("an exchange with bindings is not deleted if unused is asked for, and its bindings go with it otherwise", () =>
    withEngine(open, async (context) => {
      const { engine } = context;
      await engine.declareExchange(exchangeNamed("orders", "fanout"));
      await context.queue("q");
      const binding = { queue: "q", exchange: "orders", routingKey: "", arguments: {} };
      await engine.bindQueue(binding, context.owner);
      expect(await failure(engine.deleteExchange("orders", { ifUnused: true }))).toMatchObject({
        code: "precondition-failed",
      });
      await engine.deleteExchange("orders", { ifUnused: false });
      expect(await failure(engine.checkExchange("orders"))).toMatchObject({ code: "not-found" });
      await engine.declareExchange(exchangeNamed("orders", "fanout"));
      context.publish("", "into the void", { exchange: "orders" });
      await context.quiet();
      expect(await context.ready("q")).toBe(0);
    }));

  test("an auto-delete exchange goes with its last binding, and not before it had one", () =>
    withEngine(open, async (context) => {
      const { engine } = context;
      await engine.declareExchange(exchangeNamed("short-lived", "direct", { autoDelete: true }));
      await context.queue("a");
      await context.queue("b");
      await engine.checkExchange("short-lived");
      for (const queue of ["a", "b"]) {
        await engine.bindQueue(
          { queue, exchange: "short-lived", routingKey: "k", arguments: {} },
          context.owner,
        );
      }
      await engine.unbindQueue(
        { queue: "a", exchange: "short-lived", routingKey: "k", arguments: {} },
        context.owner,
      );
      await engine.checkExchange("short-lived");
      await engine.deleteQueue("b", unconditionally, context.owner);
      expect(await failure(engine.checkExchange("short-lived"))).toMatchObject({ code: "not-found" });
    }));

  test("declaring a queue tells its ready messages and its consumers", () =>
    withEngine(open, async (context) => {
      await context.queue("q");
      context.publish("q", ["1", "2", "3"]);
      await context.consume("q", { isIdle: true });
      await context.engine.get("q", { noAck: false }, context.owner);
      const expected = { name: "q", messages: 2, consumers: 1 };
      expect(await context.engine.declareQueue(queueNamed("q"), context.owner)).toEqual(expected);
      expect(await context.engine.checkQueue("q", context.owner)).toEqual(expected);
    }));

  test("declaring a queue that differs names each difference", () =>
    withEngine(open, async (context) => {
      await context.queue("q");
      expect(
        await failure(
          context.engine.declareQueue(queueNamed("q", { durable: false, autoDelete: true }), context.owner),
        ),
      ).toMatchObject({
        code: "precondition-failed",
        details: {
          differences: [
            { name: "durable", declared: false, existing: true },
            { name: "autoDelete", declared: true, existing: false },
          ],
        },
      });
    }));

  test("only its owner may touch an exclusive queue, and others hear that before anything else", () =>
    withEngine(open, async (context) => {
      const { engine } = context;
      await context.queue("mine", { exclusive: true });
      const other = owner("other");
      const binding = { queue: "mine", exchange: "amq.direct", routingKey: "k", arguments: {} };
      const attempts = [
        engine.declareQueue(queueNamed("mine", { durable: false, autoDelete: true }), other),
        engine.checkQueue("mine", other),
        engine.bindQueue({ ...binding, exchange: "none" }, other),
        engine.unbindQueue(binding, other),
        engine.purgeQueue("mine", other),
        engine.deleteQueue("mine", unconditionally, other),
        engine.get("mine", { noAck: true }, other),
        context.consume("mine", { owner: other }),
      ];
      for (const attempt of attempts) {
        expect(await failure(attempt)).toMatchObject({ code: "resource-locked" });
      }
      // Durable or not is the same for an exclusive queue.
      for (const durable of [true, false]) {
        await engine.declareQueue(queueNamed("mine", { exclusive: true, durable }), context.owner);
      }
    }));

  test("an exclusive queue goes when its owner is released, and nothing else does", () =>
    withEngine(open, async (context) => {
      const { engine } = context;
      await context.queue("mine", { exclusive: true });
      await context.queue("mine too", { exclusive: true });
      await context.queue("everyone's");
      const other = owner("other");
      await engine.declareQueue(queueNamed("other's", { exclusive: true }), other);
      const released = engine.release(context.owner);
      // At once: whoever comes next may use the names.
      const redeclared = engine.declareQueue(queueNamed("mine too", { exclusive: true }), other);
      await released;
      await redeclared;
      expect(await failure(engine.checkQueue("mine", other))).toMatchObject({ code: "not-found" });
      await engine.checkQueue("mine too", other);
      await engine.checkQueue("everyone's", other);
      await engine.checkQueue("other's", other);
      expect(engine.counts().queues).toBe(3);
    }));

  test("an auto-delete queue goes with its last consumer, not before the first and not by a get", () =>
    withEngine(open, async (context) => {
      const { engine } = context;
      await context.queue("q", { autoDelete: true });
      await engine.get("q", { noAck: true }, context.owner);
      const first = await context.consume("q");
      const second = await context.consume("q");
      first.subscription.cancel();
      await context.quiet();
      expect(await context.ready("q")).toBe(0);
      second.subscription.cancel();
      expect(await failure(engine.checkQueue("q", context.owner))).toMatchObject({ code: "not-found" });
      expect(engine.counts()).toMatchObject({ queues: 0, consumers: 0 });
    }));

  test("deleting a queue tells how many messages were ready, and tells its consumers", () =>
    withEngine(open, async (context) => {
      await context.queue("q");
      context.publish("q", ["1", "2", "3", "4"]);
      const consumer = await context.consume("q", { prefetch: 1 });
      await context.quiet();
      expect(await context.engine.deleteQueue("q", unconditionally, context.owner)).toBe(3);
      expect(consumer.cancellations).toEqual(["queue-deleted"]);
      expect(context.engine.counts()).toMatchObject({ queues: 0, consumers: 0 });
      expect(await failure(context.engine.checkQueue("q", context.owner))).toMatchObject({
        code: "not-found",
      });
    }));

  test("deleting a queue that is not there is fine", () =>
    withEngine(open, async ({ engine, owner: by }) => {
      expect(await engine.deleteQueue("none", { ifUnused: true, ifEmpty: true }, by)).toBe(0);
    }));

  test("a queue in use or with messages is not deleted against a condition, and empty is asked for first", () =>
    withEngine(open, async (context) => {
      await context.queue("q");
      context.publish("q", "1");
      const consumer = await context.consume("q", { isIdle: true });
      const refusal = (conditions: { ifUnused: boolean; ifEmpty: boolean }) =>
        failure(context.engine.deleteQueue("q", conditions, context.owner));
      expect(await refusal({ ifUnused: true, ifEmpty: true })).toMatchObject({
        code: "precondition-failed",
        details: { messages: 1 },
      });
      expect(await refusal({ ifUnused: true, ifEmpty: false })).toMatchObject({ details: { consumers: 1 } });
      expect(await context.ready("q")).toBe(1);
      consumer.subscription.cancel();
      expect(await context.engine.purgeQueue("q", context.owner)).toBe(1);
      expect(await context.engine.deleteQueue("q", { ifUnused: true, ifEmpty: true }, context.owner)).toBe(0);
    }));

  test("a queue that was deleted and declared again is empty and has no bindings", () =>
    withEngine(open, async (context) => {
      const { engine } = context;
      await context.queue("q");
      await engine.bindQueue(
        { queue: "q", exchange: "amq.fanout", routingKey: "", arguments: {} },
        context.owner,
      );
      context.publish("q", ["1", "2"]);
      // In one go, as a client may do that does not wait for replies.
      const deleted = engine.deleteQueue("q", unconditionally, context.owner);
      const declared = engine.declareQueue(queueNamed("q"), context.owner);
      context.publish("q", "3");
      context.publish("", "4", { exchange: "amq.fanout" });
      expect(await deleted).toBe(2);
      expect(await declared).toEqual({ name: "q", messages: 0, consumers: 0 });
      await context.quiet();
      expect(context.publisher.confirmedNumbers.sort()).toEqual([1, 2, 3, 4]);
      await context.harness.restart("crashed");
      expect((await context.drain("q")).length).toBe(1);
    }));

  test("binding what is not there fails; unbinding it does not", () =>
    withEngine(open, async (context) => {
      const { engine, owner: by } = context;
      await context.queue("q");
      const binding = { queue: "q", exchange: "amq.direct", routingKey: "k", arguments: {} };
      expect(await failure(engine.bindQueue({ ...binding, queue: "none" }, by))).toMatchObject({
        code: "not-found",
        details: { queue: "none" },
      });
      expect(await failure(engine.bindQueue({ ...binding, exchange: "none" }, by))).toMatchObject({
        code: "not-found",
        details: { exchange: "none" },
      });
      await engine.unbindQueue(binding, by);
      await engine.unbindQueue({ ...binding, queue: "none" }, by);
      await engine.unbindQueue({ ...binding, exchange: "none" }, by);
    }));

  test("a binding is told apart by its key and its arguments, and there once however often it is made", () =>
    withEngine(open, async (context) => {
      const { engine, owner: by } = context;
      await context.queue("q");
      const binding = { queue: "q", exchange: "amq.direct", routingKey: "k" };
      await engine.bindQueue({ ...binding, arguments: {} }, by);
      await engine.bindQueue({ ...binding, arguments: {} }, by);
      await engine.bindQueue({ ...binding, arguments: { n: 1 } }, by);
      await engine.bindQueue({ ...binding, arguments: { n: 1n } }, by);
      context.publish("k", "one copy", { exchange: "amq.direct" });
      await engine.unbindQueue({ ...binding, arguments: {} }, by);
      context.publish("k", "still bound", { exchange: "amq.direct" });
      await engine.unbindQueue({ ...binding, arguments: { n: 1 } }, by);
      context.publish("k", "not bound any more", { exchange: "amq.direct" });
      await context.quiet();
      expect(await context.ready("q")).toBe(2);
    }));

  test("arguments that an exchange type cannot work with are refused when binding", () =>
    withEngine(open, async (context) => {
      await context.queue("q");
      const args: Headers = { "x-match": "most" };
      expect(
        await failure(
          context.engine.bindQueue(
            { queue: "q", exchange: "amq.headers", routingKey: "", arguments: args },
            context.owner,
          ),
        ),
      ).toMatchObject({ code: "invalid-argument" });
    }));

  test("limits on exchanges, queues and bindings are kept to, and named", () =>
    withEngine(
      open,
      async (context) => {
        const { engine, owner: by } = context;
        // The predeclared ones do not count.
        await engine.declareExchange(exchangeNamed("first", "direct"));
        expect(await failure(engine.declareExchange(exchangeNamed("second", "direct")))).toMatchObject({
          code: "limit-exceeded",
          details: { limit: "maxExchanges", maximum: 1 },
        });
        await context.queue("q");
        expect(await failure(engine.declareQueue(queueNamed("r"), by))).toMatchObject({
          code: "limit-exceeded",
          details: { limit: "maxQueues", maximum: 1 },
        });
        const binding = { queue: "q", exchange: "first", arguments: {} };
        await engine.bindQueue({ ...binding, routingKey: "1" }, by);
        expect(await failure(engine.bindQueue({ ...binding, routingKey: "2" }, by))).toMatchObject({
          code: "limit-exceeded",
          details: { limit: "maxBindingsPerQueue", maximum: 1 },
        });
        // What is there already may always be declared.
        await context.queue("q");
        await engine.bindQueue({ ...binding, routingKey: "1" }, by);
      },
      { maxExchanges: 1, maxQueues: 1, maxBindingsPerQueue: 1 },
    ));

  test("what finds its work done already waits until that is on disk", () =>
    withEngine(open, async (context) => {
      const { engine, owner: by, harness } = context;
      await context.queue("bound");
      harness.stopDisk();
      const binding = { queue: "q", exchange: "amq.direct", routingKey: "k", arguments: {} };
      const resolved: string[] = [];
      const note = (what: string, promise: Promise<unknown>) => promise.then(() => resolved.push(what));
      const all = [
        note("declared", engine.declareQueue(queueNamed("q"), by)),
        note("declared again", engine.declareQueue(queueNamed("q"), by)),
        note("bound", engine.bindQueue(binding, by)),
        note("bound again", engine.bindQueue(binding, by)),
        note("deleted", engine.deleteQueue("bound", unconditionally, by)),
        note("deleted again", engine.deleteQueue("bound", unconditionally, by)),
      ];
      await context.quiet();
      expect(resolved).toEqual([]);
      harness.letDiskGoOn();
      await Promise.all(all);
    }));
}
