import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Headers } from "../../protocol/header-value.ts";
import type { ExplainedExchange } from "../../protocol/route-explanation.ts";
import { explainRoute } from "../../server/embedded/route-explainer.ts";
import { Routes } from "../../server/embedded/routes.ts";
import { Topology } from "../../server/embedded/topology.ts";
import { messageOf } from "../routing/facts.ts";
import { exchangeNamed, owner, queueHost, queueNamed } from "../support/embedded.ts";
import { type ModelBinding, type ModelExchangeType, RoutesModel } from "./routes-model.ts";

const host = queueHost();
const by = owner();

/** A topology and its routes, both as they are and as the model has them. */
class Compared {
  readonly topology = new Topology(
    { maxExchanges: 100, maxQueues: 100, maxBindingsPerQueue: 1000, maxPolicies: 1 },
    host,
    Math.random,
  );
  readonly model = new RoutesModel();
  readonly missed: string[] = [];
  readonly routes = new Routes(this.topology, ({ name }) => this.missed.push(name));

  declareExchange(
    name: string,
    type: ModelExchangeType,
    alternate: string | undefined,
    autoDelete: boolean,
  ): void {
    if (this.model.exchanges.has(name)) return;
    const args: Headers = alternate === undefined ? {} : { alternateExchange: alternate };
    this.topology.declareExchange(exchangeNamed(name, type, { autoDelete, arguments: args }));
    this.model.exchanges.set(name, { type, alternate, autoDelete });
  }

  deleteExchange(name: string): void {
    this.topology.deleteExchange(name, false);
    this.model.deleteExchange(name);
  }

  declareQueue(name: string): void {
    this.topology.declareQueue(queueNamed(name), by);
    this.model.queues.add(name);
  }

  deleteQueue(name: string): void {
    if (this.model.queues.has(name)) this.topology.deleteQueue(this.topology.queue(name, by));
    this.model.deleteQueue(name);
  }

  /** Binds what is there. */
  bind(binding: ModelBinding): void {
    const { source, kind, destination } = binding;
    const { exchanges, queues } = this.model;
    if (!exchanges.has(source) || !(kind === "queue" ? queues : exchanges).has(destination)) return;
    this.#call(binding, "bind");
    this.model.bind(binding);
  }

  unbind(binding: ModelBinding): void {
    this.#call(binding, "unbind");
    this.model.unbind(binding);
  }

  /** Twice, the second time perhaps from the cache. */
  check(from: string, key: string, header: string): void {
    if (!this.model.exchanges.has(from)) return;
    const headers = { key: header };
    const expected = this.model.route(from, key, headers);
    for (let time = 0; time < 2; time++) {
      this.missed.length = 0;
      const found = this.routes.find(this.topology.exchange(from), messageOf(key, headers));
      expect(found.map(({ name }) => name).toSorted()).toEqual([...expected.queues].toSorted());
      expect(this.missed.length).toBe(expected.missed);
    }
    const message = messageOf(key, headers);
    const explained = explainRoute(this.topology.exchange(from), message, this.topology, 1_000);
    expect(explained.queues.toSorted()).toEqual([...expected.queues].toSorted());
    expect(alternatesMissing(explained.route)).toBe(expected.missed);
    expect(explained).toMatchObject({ queueCount: expected.queues.size, byChance: [], truncated: false });
  }

  #call({ source, kind, destination, key }: ModelBinding, action: "bind" | "unbind"): void {
    // Routing keys tell bindings of headers exchanges apart, too.
    const terms = { routingKey: key, arguments: { key } };
    if (kind === "exchange") this.topology[`${action}Exchange`]({ source, destination, ...terms });
    else this.topology[`${action}Queue`]({ exchange: source, queue: destination, ...terms }, by);
  }
}

function alternatesMissing({ bindings, alternate }: ExplainedExchange): number {
  const nexts = [...bindings, ...(alternate === undefined ? [] : [alternate])].flatMap(
    ({ next }) => next ?? [],
  );
  const here = alternate?.outcome === "missing" ? 1 : 0;
  return nexts.reduce((sum, next) => sum + alternatesMissing(next), here);
}

const exchangeNames = ["e1", "e2", "e3", "e4", "e5"];
const queueNames = ["q1", "q2", "q3"];
const keys = ["a", "b", "a.b", "#", "*"];
const messageKeys = ["a", "b", "a.b", "c"];
const exchange = fc.constantFrom(...exchangeNames);
const binding: fc.Arbitrary<ModelBinding> = fc
  .oneof(
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("queue" as const),
        destination: fc.constantFrom(...queueNames),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("exchange" as const), destination: exchange }) },
  )
  .chain((end) =>
    fc.record({ source: exchange, key: fc.constantFrom(...keys) }).map((rest) => ({ ...end, ...rest })),
  );

const step: fc.Arbitrary<(compared: Compared) => void> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(
        exchange,
        fc.constantFrom<ModelExchangeType>("direct", "fanout", "topic", "headers"),
        fc.option(exchange, { nil: undefined }),
        fc.boolean(),
      )
      .map((declaration) => (compared: Compared) => compared.declareExchange(...declaration)),
  },
  { weight: 1, arbitrary: exchange.map((name) => (compared: Compared) => compared.deleteExchange(name)) },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom(...queueNames)
      .map((name) => (compared: Compared) => compared.declareQueue(name)),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom(...queueNames)
      .map((name) => (compared: Compared) => compared.deleteQueue(name)),
  },
  { weight: 8, arbitrary: binding.map((one) => (compared: Compared) => compared.bind(one)) },
  { weight: 2, arbitrary: binding.map((one) => (compared: Compared) => compared.unbind(one)) },
  {
    weight: 6,
    arbitrary: fc
      .tuple(exchange, fc.constantFrom(...messageKeys), fc.constantFrom(...messageKeys))
      .map((message) => (compared: Compared) => compared.check(...message)),
  },
);

describe("routes through bound and alternate exchanges", () => {
  test("are those of the naive model after any changes, remembered or not", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 120, size: "max" }), (steps) => {
        const compared = new Compared();
        for (const take of steps) {
          take(compared);
          const there = [...compared.topology.exchanges.keys()].filter((name) => !name.startsWith("amq."));
          expect(there.toSorted()).toEqual([...compared.model.exchanges.keys()].toSorted());
        }
        for (const from of exchangeNames) for (const key of messageKeys) compared.check(from, key, "a");
      }),
      { numRuns: 1_000 },
    );
  });

  test("are found although 10,000 exchanges are bound in a circle, and their end takes all auto-delete ones along", () => {
    const topology = new Topology(
      { maxExchanges: 10_000, maxQueues: 1, maxBindingsPerQueue: 10, maxPolicies: 1 },
      host,
      Math.random,
    );
    const routes = new Routes(topology, () => {});
    const name = (index: number) => `e${index % 10_000}`;
    for (let index = 0; index < 10_000; index++)
      topology.declareExchange(exchangeNamed(name(index), "fanout", { autoDelete: true }));
    for (let index = 0; index < 10_000; index++) {
      const ends = { source: name(index), destination: name(index + 1) };
      topology.bindExchange({ ...ends, routingKey: "", arguments: {} });
    }
    topology.declareQueue(queueNamed("q"), by);
    topology.bindQueue({ queue: "q", exchange: name(9_999), routingKey: "", arguments: {} }, by);
    expect(routes.find(topology.exchange(name(0)), messageOf("")).map((queue) => queue.name)).toEqual(["q"]);
    topology.deleteQueue(topology.queue("q", by));
    expect(topology.exchanges.has(name(9_999))).toBe(true);
    topology.unbindExchange({ source: name(0), destination: name(1), routingKey: "", arguments: {} });
    expect([...topology.exchanges.keys()].filter((there) => there.startsWith("e"))).toEqual([]);
  });

  test("are with further keys those of each key together, each queue once", () => {
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 20, maxLength: 60, size: "max" }),
        fc.array(fc.constantFrom(...messageKeys), { maxLength: 3 }),
        (steps, copyKeys) => {
          const compared = new Compared();
          for (const take of steps) take(compared);
          for (const from of compared.model.exchanges.keys()) {
            const { exchanges } = compared.topology;
            // An alternate is asked only if none of the keys finds a way: an exchange by itself is looked at.
            const destinations = (...keys: readonly [string, ...string[]]) => [
              ...exchanges.get(from)!.match(messageOf(keys[0], { key: "a" }, keys.slice(1))),
            ];
            expect(new Set(destinations("a", ...copyKeys))).toEqual(
              new Set(["a", ...copyKeys].flatMap((key) => destinations(key))),
            );
          }
        },
      ),
    );
  });
});
