import type { Headers } from "../protocol/header-value.ts";
import { RouteCache } from "../server/routing/route-cache.ts";
import { TopicRouter } from "../server/routing/topic-router.ts";

/**
 * Topic routing: 10,000 and 100,000 bindings over 100 destinations. Prints Markdown.
 *
 *     node --import tsx bench/routing.ts
 */

/** A small generator with a seed (mulberry32), so that every run and every commit measures the same bindings. */
function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

interface Workload {
  readonly name: string;
  bindingKey(random: (below: number) => number, index: number): string;
  routingKey(random: (below: number) => number): string;
}

const countries = Array.from({ length: 50 }, (_, index) => `country-${index}`);
const events = ["placed", "line", "shipped", "late"];
const orderKey = (random: (below: number) => number) =>
  `order.${countries[random(50)]}.${random(5_000)}.${events[random(4)]}`;

const workloads: readonly Workload[] = [
  {
    name: "exact keys",
    bindingKey: orderKey,
    routingKey: orderKey,
  },
  {
    name: "one word in three a `*`, one key in ten ends in `#`",
    bindingKey: (random) => {
      const words = orderKey(random)
        .split(".")
        .map((word, position) => (position > 0 && random(3) === 0 ? "*" : word));
      return random(10) === 0 ? [...words.slice(0, 3), "#"].join(".") : words.join(".");
    },
    routingKey: orderKey,
  },
  {
    name: "`#` in front, in the middle and at the end",
    bindingKey: (random, index) => {
      const [, country, number, event] = orderKey(random).split(".");
      return [`#.${number}.${event}`, `order.#.${number}`, `order.${country}.${number}.#`][index % 3]!;
    },
    routingKey: orderKey,
  },
];

const noFacts = { headers: (): Headers => ({}), property: () => undefined };
const destinations = Array.from({ length: 100 }, (_, index) => ({ queue: `queue-${index}` }));
type Destination = (typeof destinations)[number];

/** The median of five rounds, in microseconds for one of `count` calls. */
function measureUs(count: number, round: () => void): number {
  round();
  const times = Array.from({ length: 5 }, () => {
    const before = performance.now();
    round();
    return ((performance.now() - before) * 1_000) / count;
  });
  return times.toSorted((a, b) => a - b)[2]!;
}

console.log(
  "| bindings | trie nodes | found per key | bind µs | match µs | cached µs | unbind µs | workload |",
);
console.log("|---:|---:|---:|---:|---:|---:|---:|---|");

for (const workload of workloads) {
  for (const bindingCount of [10_000, 100_000]) {
    const random = seeded(7);
    const keys = new Set<string>();
    for (let index = 0; keys.size < bindingCount; index++) keys.add(workload.bindingKey(random, index));
    const bindings = [...keys].map((key) => ({ key, destination: destinations[random(100)]! }));
    const routingKeys = Array.from({ length: 5_000 }, () => workload.routingKey(random));

    const router = new TopicRouter<Destination>();
    const bindAll = () => {
      for (const { key, destination } of bindings) router.bind(key, {}, destination);
    };
    const unbindAll = () => {
      for (const { key, destination } of bindings) router.unbind(key, {}, destination);
    };
    bindAll();
    unbindAll();
    const started = performance.now();
    bindAll();
    const bindUs = ((performance.now() - started) * 1_000) / bindingCount;

    let found = 0;
    const matchUs = measureUs(routingKeys.length, () => {
      found = 0;
      for (const key of routingKeys) {
        const into = new Set<Destination>();
        router.match(key, noFacts, into);
        found += into.size;
      }
    });

    const cache = new RouteCache<Destination>();
    let cachedFound = 0;
    const cachedUs = measureUs(routingKeys.length, () => {
      cachedFound = 0;
      for (const key of routingKeys) {
        let known = cache.get(key);
        if (known === undefined) {
          const into = new Set<Destination>();
          router.match(key, noFacts, into);
          known = cache.set(key, into);
        }
        cachedFound += known.length;
      }
    });
    if (cachedFound !== found) throw new Error("the cache found something else than the trie");

    const nodes = router.nodeCount;
    const unbinding = performance.now();
    unbindAll();
    const unbindUs = ((performance.now() - unbinding) * 1_000) / bindingCount;

    const columns = [
      bindingCount.toLocaleString("en"),
      nodes.toLocaleString("en"),
      (found / routingKeys.length).toFixed(1),
      ...[bindUs, matchUs, cachedUs, unbindUs].map((us) => us.toFixed(2)),
      workload.name,
    ];
    console.log(`| ${columns.join(" | ")} |`);
  }
}
