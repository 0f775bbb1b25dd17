import { describe, expect, test } from "vitest";
import type { Posthorn } from "../../client/index.ts";
import { type RawClient, withBroker } from "../support/broker.ts";

const mine = { pattern: "q", appliesTo: "queues" } as const;

function status(posthorn: Posthorn, queue = "q") {
  return posthorn.queue(queue).status();
}

/** Name of the policy that is in force for each queue. */
async function inForce(posthorn: Posthorn, ...queues: string[]): Promise<unknown[]> {
  return Promise.all(queues.map(async (queue) => (await status(posthorn, queue)).policy));
}

describe("a policy", () => {
  test("is in force for all queues whose name matches its pattern, those that are there and those to come", () =>
    withBroker(async ({ connect }) => {
      const posthorn = await connect();
      for (const name of ["jobs.mail", "jobs.", "old-jobs.mail"]) await posthorn.queue(name).declare();
      expect(
        await posthorn.policies.set("jobs", {
          pattern: "jobs.*",
          appliesTo: "queues",
          arguments: { prefetchBytes: 10 },
        }),
      ).toBe(2);
      await posthorn.queue("jobs.new").declare();
      const mineOnly = await posthorn.queue("jobs.mine").declare({ exclusive: true });
      expect(
        await inForce(posthorn, "jobs.mail", "jobs.", "old-jobs.mail", "jobs.new", mineOnly.name),
      ).toEqual(["jobs", "jobs", undefined, "jobs", "jobs"]);
      expect((await status(posthorn, "jobs.new")).effectiveArguments.prefetchBytes).toEqual({
        value: 10,
        from: "policy:jobs",
      });
    }));

  test("with the highest priority is in force, and only that one; of equals the one whose name comes first", () =>
    withBroker(async ({ connect }) => {
      const posthorn = await connect();
      await posthorn.queue("q").declare();
      const seen = [];
      for (const [name, priority, args] of [
        ["m", 0, { prefetchBytes: 1 }],
        ["low", -1, { prefetchBytes: 2 }],
        ["z", 0, { prefetchBytes: 3 }],
        ["a", 0, { prefetchBytes: 4 }],
        ["high", 5, { ackTimeout: 5 }],
      ] as const) {
        await posthorn.policies.set(name, { ...mine, priority, arguments: args });
        const { policy, effectiveArguments } = await status(posthorn);
        seen.push([policy, effectiveArguments.prefetchBytes.from, effectiveArguments.ackTimeout.value]);
      }
      expect(seen).toEqual([
        ["m", "policy:m", undefined],
        ["m", "policy:m", undefined],
        ["m", "policy:m", undefined],
        ["a", "policy:a", undefined],
        ["high", "default", 5],
      ]);
      const ranks = (await posthorn.policies.list()).map(({ name, inForce: count }) => [name, count]);
      expect(ranks).toEqual([
        ["high", 1],
        ["a", 0],
        ["m", 0],
        ["z", 0],
        ["low", 0],
      ]);
    }));

  test("that is deleted or no longer matches makes way for the next one", () =>
    withBroker(async ({ connect }) => {
      const posthorn = await connect();
      for (const name of ["a", "b"]) await posthorn.queue(name).declare();
      await posthorn.policies.set("all", {
        pattern: "*",
        appliesTo: "queues",
        arguments: { prefetchBytes: 1 },
      });
      const first = { appliesTo: "queues", priority: 1, arguments: { prefetchBytes: 2 } } as const;
      expect(await posthorn.policies.set("first", { ...first, pattern: "a" })).toBe(1);
      expect(await inForce(posthorn, "a", "b")).toEqual(["first", "all"]);
      await posthorn.policies.set("first", { ...first, pattern: "b" });
      expect(await inForce(posthorn, "a", "b")).toEqual(["all", "first"]);
      await posthorn.policies.set("first", { ...first, pattern: "b", priority: -1 });
      expect(await inForce(posthorn, "a", "b")).toEqual(["all", "all"]);
      await posthorn.policies.delete("all");
      expect(await inForce(posthorn, "a", "b")).toEqual([undefined, "first"]);
      await posthorn.policies.set("first", { pattern: "b", appliesTo: "exchanges", arguments: {} });
      await posthorn.policies.delete("none such");
      expect(await inForce(posthorn, "a", "b")).toEqual([undefined, undefined]);
      expect((await status(posthorn, "b")).effectiveArguments.prefetchBytes.from).toBe("default");
    }));

  test("goes behind what was declared, but of limits the lower holds", () =>
    withBroker(async ({ connect }) => {
      const posthorn = await connect();
      const declared = { prefetchBytes: 50, ackTimeout: 50, singleActiveConsumer: false } as const;
      const queue = await posthorn.queue("q").declare(declared);
      await posthorn.policies.set("p", {
        ...mine,
        arguments: {
          prefetchBytes: 60,
          ackTimeout: 40,
          singleActiveConsumer: true,
          deadLetterQueue: "failed",
        },
      });
      const { effectiveArguments } = await queue.status();
      expect(effectiveArguments).toMatchObject({
        prefetchBytes: { value: 50, from: "declared" },
        ackTimeout: { value: 40, from: "policy:p" },
        singleActiveConsumer: { value: false, from: "declared" },
        deadLetterQueue: { value: "failed", from: "policy:p" },
      });
      const consumer = await queue.consume(() => {});
      expect(consumer.active).toBe(true);
      // A policy makes no difference to what a declaration is compared with.
      await queue.declare(declared);
      await expect(queue.declare({ ...declared, ackTimeout: 40 })).rejects.toMatchObject({
        code: "precondition-failed",
      });
      await queue.declare({ ...declared, ackTimeout: 30, onMismatch: "update" });
      expect((await queue.status()).effectiveArguments.ackTimeout).toEqual({ value: 30, from: "declared" });
    }));

  test("works on messages and consumers that are there: dead letters, single active consumer", () =>
    withBroker(async ({ connect }) => {
      const posthorn = await connect();
      const queue = await posthorn.queue("q").declare();
      const failed = await posthorn.queue("failed").declare();
      await queue.publish("x");
      const message = await queue.get();
      const active: boolean[] = [];
      const onActiveChange = (isActive: boolean) => active.push(isActive);
      for (let i = 0; i < 2; i++) await queue.consume(() => {}, { onActiveChange });
      active.splice(0);
      await posthorn.policies.set("p", {
        ...mine,
        arguments: { deadLetterQueue: "failed", singleActiveConsumer: true },
      });
      message!.reject();
      await expect.poll(async () => (await failed.check()).messageCount).toBe(1);
      await expect.poll(() => active).toEqual([false]);
      await posthorn.policies.delete("p");
      await expect.poll(() => active).toEqual([false, true]);
    }));

  test("gives exchanges an alternate, the broker's own exchanges too, and consistent-hash exchanges something to look at", () =>
    withBroker(async ({ connect }) => {
      const posthorn = await connect();
      await posthorn.exchange("unrouted").declare({ type: "fanout" });
      const caught = await posthorn.queue("caught").declare();
      await caught.bind("unrouted");
      const orders = await posthorn.exchange("orders").declare({ type: "topic" });
      const hashed = await posthorn.exchange("hashed").declare({ type: "consistent-hash" });
      const args = { alternateExchange: "unrouted", hashOn: { by: "header", name: "customer" } } as const;
      expect(
        await posthorn.policies.set("p", { pattern: "*", appliesTo: "exchanges", arguments: args }),
      ).toBe(8);
      await orders.publish("k", "1", { mandatory: true });
      await posthorn.exchange("amq.topic").publish("k", "2", { mandatory: true });
      expect((await caught.check()).messageCount).toBe(2);
      expect(await orders.status()).toEqual({
        name: "orders",
        type: "topic",
        durable: true,
        autoDelete: false,
        internal: false,
        bindings: 0,
        missedTargets: 0,
        policy: "p",
        effectiveArguments: {
          alternateExchange: { value: "unrouted", from: "policy:p" },
          hashOn: { value: undefined, from: "default" },
        },
      });
      expect((await hashed.status()).effectiveArguments.hashOn).toEqual({
        value: args.hashOn,
        from: "policy:p",
      });
      for (const name of ["a", "b", "c"]) await (await posthorn.queue(name).declare()).bind("hashed", "1");
      for (let i = 0; i < 30; i++) await hashed.publish(`${i}`, "x", { headers: { customer: "one" } });
      const counts = await Promise.all(
        ["a", "b", "c"].map(async (name) => (await posthorn.queue(name).check()).messageCount),
      );
      expect(counts.toSorted((one, other) => other - one)).toEqual([30, 0, 0]);
      await posthorn.policies.delete("p");
      expect((await hashed.status()).effectiveArguments.hashOn).toEqual({
        value: { by: "routingKey" },
        from: "default",
      });
      await expect(orders.publish("k", "3", { mandatory: true })).rejects.toMatchObject({ code: "no-route" });
    }));

  test("without arguments keeps policies of lower priority away", () =>
    withBroker(async ({ connect }) => {
      const posthorn = await connect();
      await posthorn.queue("q").declare();
      await posthorn.policies.set("all", {
        pattern: "*",
        appliesTo: "queues",
        arguments: { prefetchBytes: 1 },
      });
      await posthorn.policies.set("not-q", { ...mine, priority: 1, arguments: {} });
      expect(await status(posthorn)).toMatchObject({
        policy: "not-q",
        effectiveArguments: { prefetchBytes: { from: "default" } },
      });
    }));

  test("is still there after a restart, and in force for what was there", () =>
    withBroker(
      async ({ connect, restart }) => {
        let posthorn = await connect();
        await posthorn.queue("q").declare({ prefetchBytes: 7 });
        await posthorn.exchange("e").declare({ type: "topic" });
        await posthorn.policies.set("gone", { ...mine, priority: 9, arguments: {} });
        await posthorn.policies.set("p", {
          ...mine,
          priority: 3,
          arguments: { prefetchBytes: 5, deadLetterQueue: "f" },
        });
        await posthorn.policies.set("e", {
          pattern: "*",
          appliesTo: "exchanges",
          arguments: { alternateExchange: "x" },
        });
        await posthorn.policies.delete("gone");
        const before = [
          await posthorn.policies.list(),
          await status(posthorn),
          await posthorn.exchange("e").status(),
        ];
        await restart();
        posthorn = await connect();
        expect([
          await posthorn.policies.list(),
          await status(posthorn),
          await posthorn.exchange("e").status(),
        ]).toEqual(before);
        expect(before[0]).toMatchObject([
          {
            name: "p",
            ...mine,
            priority: 3,
            arguments: { prefetchBytes: 5, deadLetterQueue: "f" },
            inForce: 1,
          },
          { name: "e", inForce: 6 },
        ]);
      },
      { onDisk: true },
    ));
});

describe("what a policy may say", () => {
  const refusals: readonly (readonly [string, object, object])[] = [
    ["an argument that is not known", { arguments: { nonsense: 1 } }, { argument: "nonsense" }],
    ["a value that is not allowed", { arguments: { prefetchBytes: 0 } }, { argument: "prefetchBytes" }],
    [
      "arguments that do not go together",
      { arguments: { deadLetterQueue: "a", deadLetterExchange: "b" } },
      { argument: "deadLetterQueue" },
    ],
    [
      "an argument of queues for exchanges",
      { appliesTo: "exchanges", arguments: { prefetchBytes: 5 } },
      { argument: "prefetchBytes" },
    ],
    [
      "something to look at that no exchange could",
      { appliesTo: "exchanges", arguments: { hashOn: { by: "property", name: "nonsense" } } },
      { argument: "hashOn" },
    ],
    ["a name with control characters", { policy: "a\nb" }, { field: "policy" }],
    ["a pattern that is too long", { pattern: "é".repeat(128) }, { field: "pattern" }],
  ];

  test.each(refusals)("%s is refused, and changes nothing", (_, fields, details) =>
    withBroker(async ({ raw }) => {
      const client = await raw();
      await client.must("queue.declare", { queue: "q" });
      const good = { policy: "p", pattern: "q", appliesTo: "queues", arguments: { prefetchBytes: 5 } };
      await client.must("policy.set", good);
      expect(await client.request("policy.set", { ...good, ...fields })).toMatchObject({
        code: "invalid-argument",
        details,
      });
      expect(await policiesOf(client)).toEqual([{ ...good, priority: 0, inForce: 1 }]);
    }),
  );

  test("there are no more policies than the broker allows; what is there can be replaced", () =>
    withBroker(
      async ({ connect }) => {
        const { policies } = await connect();
        await policies.set("a", { ...mine, arguments: {} });
        await policies.set("b", { ...mine, arguments: {} });
        await policies.set("b", { ...mine, priority: 1, arguments: {} });
        await expect(policies.set("c", { ...mine, arguments: {} })).rejects.toMatchObject({
          code: "limit-exceeded",
          details: { limit: "maxPolicies", maximum: 2 },
        });
        await policies.delete("a");
        await policies.set("c", { ...mine, arguments: {} });
        expect((await policies.list()).map(({ name }) => name)).toEqual(["b", "c"]);
      },
      { config: { maxPolicies: 2 } },
    ));
});

test("the status of a queue has every argument with the value that holds", () =>
  withBroker(
    async ({ connect }) => {
      const posthorn = await connect();
      const queue = await posthorn.queue("q").declare({ deadLetterExchange: "" });
      const { policy, effectiveArguments } = await queue.status();
      expect(policy).toBeUndefined();
      expect(effectiveArguments).toMatchObject({
        messageTtl: { value: undefined, from: "default" },
        maxLength: { value: undefined, from: "default" },
        overflow: { value: "drop-head", from: "default" },
        maxPriority: { value: 0, from: "default" },
        singleActiveConsumer: { value: false, from: "default" },
        prefetchBytes: { value: 12_345, from: "default" },
        deadLetterExchange: { value: "", from: "declared" },
        deadLetterRoutingKey: { value: undefined, from: "default" },
      });
      await expect(posthorn.exchange("none").status()).rejects.toMatchObject({ code: "not-found" });
      await expect(posthorn.defaultExchange.status()).rejects.toMatchObject({ code: "access-refused" });
    },
    { config: { defaultPrefetchBytes: 12_345 } },
  ));

async function policiesOf(client: RawClient): Promise<unknown> {
  return (await client.must("policy.list")).policies;
}
