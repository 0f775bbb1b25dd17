import { RouteCache } from "../../server/routing/route-cache.ts";
import type { MessageFacts } from "../../server/routing/routed-message.ts";
import { TopicRouter } from "../../server/routing/topic-router.ts";
import { median } from "../statistics.ts";
import { type Shape, shapes } from "./shapes.ts";

const noFacts: MessageFacts = { headers: () => ({}), property: () => undefined };
const destinations = Array.from({ length: 100 }, (_, index) => ({ queue: `queue-${index}` }));
type Destination = (typeof destinations)[number];

const bindingCounts = [100, 10_000, 100_000];
const keyCount = 5_000;

/** Microseconds of CPU for one of `count` calls: the median of five rounds after a first one. */
function measureUs(count: number, round: () => void): number {
  round();
  return median(Array.from({ length: 5 }, () => cpuUs(round) / count));
}

function cpuUs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

function measure(shape: Shape, bindingCount: number): string[] {
  const bindings = Array.from({ length: bindingCount }, (_, index) => ({
    key: shape.binding(index),
    destination: destinations[index % destinations.length]!,
  }));
  const keys = Array.from({ length: keyCount }, (_, serial) =>
    shape.key((serial * 7919) % bindingCount, serial),
  );
  const router = new TopicRouter<Destination>({ random: Math.random });
  const bindUs = cpuUs(() => {
    for (const { key, destination } of bindings) router.bind(key, {}, destination);
  });
  const find = (key: string): Set<Destination> => {
    const into = new Set<Destination>();
    router.match(key, noFacts, into);
    if (into.size !== 1) throw new Error(`${key} matches ${into.size} bindings instead of one.`);
    return into;
  };
  const matchUs = measureUs(keyCount, () => {
    for (const key of keys) find(key);
  });
  const cache = new RouteCache<Destination>();
  const cachedUs = measureUs(keyCount, () => {
    for (const key of keys) cache.get(key) ?? cache.set(key, find(key));
  });
  const nodes = router.nodeCount;
  const unbindUs = cpuUs(() => {
    for (const { key, destination } of bindings) router.unbind(key, {}, destination);
  });
  const figures = [bindUs / bindingCount, matchUs, cachedUs, unbindUs / bindingCount];
  const counts = [bindingCount, nodes].map((count) => count.toLocaleString("en"));
  return [`\`${shape.name}\``, ...counts, ...figures.map((us) => us.toFixed(2))];
}

/** What matching alone costs. */
export function printMatching(): void {
  console.log("| patterns | bindings | trie nodes | bind µs | match µs | cached µs | unbind µs |");
  console.log("|---|---:|---:|---:|---:|---:|---:|");
  for (const shape of shapes) {
    for (const bindingCount of bindingCounts) console.log(`| ${measure(shape, bindingCount).join(" | ")} |`);
  }
}
