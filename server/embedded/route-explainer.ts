import { headersToJson } from "../../protocol/header-json.ts";
import type {
  ExplainedBinding,
  ExplainedExchange,
  RouteExplanation,
} from "../../protocol/route-explanation.ts";
import type { RoutedMessage } from "../routing/routed-message.ts";
import { judge, type Verdict } from "../routing/verdict.ts";
import { type Binding, type Destination, Exchange } from "./exchange.ts";
import type { Queue } from "./queue.ts";
import type { RoutedTopology } from "./routes.ts";

/** How many bindings are looked at for one explanation, some milliseconds' worth. */
const maxJudged = 10_000;
/** How deep the explanation of an exchange may lie in those of others: not every JSON parser takes more. */
const maxDepth = 32;

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** What happens to the message at one exchange. */
interface Visit {
  readonly exchange: Exchange;
  /** Where it goes on, or may. */
  readonly destinations: ReadonlySet<Destination>;
  /** The alternate, if it is needed and there. */
  readonly alternate: Exchange | undefined;
  /** The bindings to show, in this order. */
  readonly shown: { readonly binding: Binding; readonly verdict: Verdict }[];
}

/**
 * Says where a message would go and why, without sending it. The same walk as in `routes.ts`, but with eyes open; that both find
 * the same queues is a property that a test holds them to. What may take long or become large is cut off, and the answer says so.
 *
 * @param limit of bindings shown, and of queues named.
 */
export function explainRoute(
  from: Exchange,
  message: RoutedMessage,
  { exchanges }: RoutedTopology,
  limit: number,
): RouteExplanation {
  const everywhere = visit(from, message, exchanges, true);
  const certain = queuesOf(visit(from, message, exchanges, false));
  const isComplete = chooseShown([...everywhere.values()], message, limit);
  const tree = describe(from, everywhere);
  const perhaps = [...queuesOf(everywhere)].filter((queue) => !certain.has(queue));
  const queues = [...certain, ...perhaps].slice(0, limit);
  const queueCount = certain.size + perhaps.length;
  return {
    queues: queues.map(({ name }) => name),
    queueCount,
    byChance: queues.slice(certain.size).map(({ name }) => name),
    truncated: !isComplete || !tree.isComplete || queues.length < queueCount,
    route: tree.route,
  };
}

/** The default exchange leads to the queues with the message's keys for names. */
export function explainDefaultExchange(
  { routingKey, copyKeys }: RoutedMessage,
  queues: ReadonlyMap<string, Queue>,
  limit: number,
): RouteExplanation {
  const keys = [...new Set([routingKey, ...copyKeys])];
  const found = keys.filter((key) => queues.has(key));
  const explained = (queue: string, verdict: Verdict): ExplainedBinding => ({
    queue,
    routingKey: queue,
    ...verdict,
  });
  const bindings = [
    ...found.map((key) =>
      explained(key, { outcome: "matched", reason: "The queue has the routing key for its name." }),
    ),
    ...keys
      .filter((key) => !queues.has(key))
      .map((key) => explained(key, { outcome: "not-matched", reason: "There is no queue of this name." })),
  ];
  return {
    queues: found.slice(0, limit),
    queueCount: found.length,
    byChance: [],
    truncated: keys.length > limit,
    route: { exchange: "", exchangeType: "direct", bindings: bindings.slice(0, limit) },
  };
}

/** Every exchange that the message comes by, the nearest first. */
function visit(
  from: Exchange,
  message: RoutedMessage,
  exchanges: ReadonlyMap<string, Exchange>,
  followChance: boolean,
): Map<Exchange, Visit> {
  const visits = new Map<Exchange, Visit>();
  // What is added to a set while it is walked over is walked over too.
  const coming = new Set([from]);
  for (const exchange of coming) {
    // Who draws goes one way for one message and another for the next: all of them are followed, or none.
    const draws = exchange.type === "random" && exchange.destinationCount > 1;
    const destinations = new Set(
      !draws ? exchange.match(message) : followChance ? exchange.destinations() : [],
    );
    const isNeeded = !draws && destinations.size === 0 && exchange.alternate !== undefined;
    const alternate = isNeeded ? exchanges.get(exchange.alternate as string) : undefined;
    visits.set(exchange, { exchange, destinations, alternate, shown: [] });
    if (alternate !== undefined) coming.add(alternate);
    for (const destination of destinations) if (destination instanceof Exchange) coming.add(destination);
  }
  return visits;
}

function queuesOf(visits: ReadonlyMap<Exchange, Visit>): Set<Queue> {
  const queues = new Set<Queue>();
  for (const { destinations } of visits.values())
    for (const destination of destinations) if (!(destination instanceof Exchange)) queues.add(destination);
  return queues;
}

/** Judges bindings and chooses those to show: first all that let the message pass. Returns whether that is all there is. */
function chooseShown(visits: readonly Visit[], message: RoutedMessage, limit: number): boolean {
  let judged = 0;
  let shown = 0;
  const show = (at: Visit, bindings: Iterable<Binding>, wanted: (verdict: Verdict) => boolean): boolean => {
    for (const binding of bindings) {
      if (judged++ >= maxJudged) return false;
      const verdict = judge(at.exchange.type, {
        ...binding,
        message,
        isPicked: at.destinations.has(binding.destination),
        destinationCount: at.exchange.destinationCount,
      });
      if (!wanted(verdict)) continue;
      if (shown >= limit) return false;
      at.shown.push({ binding, verdict });
      shown++;
    }
    return true;
  };
  const passes = ({ outcome }: Verdict) => outcome !== "not-matched";
  for (const at of visits) {
    for (const destination of at.destinations)
      if (!show(at, at.exchange.bindingsTo(destination), passes)) return false;
  }
  for (const at of visits) {
    for (const destination of at.exchange.destinations())
      if (!show(at, at.exchange.bindingsTo(destination), (verdict) => !passes(verdict))) return false;
  }
  return true;
}

/** Puts the visits into each other, each as near to the beginning as it can be. */
function describe(
  from: Exchange,
  visits: ReadonlyMap<Exchange, Visit>,
): { route: ExplainedExchange; isComplete: boolean } {
  let isComplete = true;
  const described = new Map<Exchange, { depth: number; route: Writable<ExplainedExchange> }>();
  const add = (exchange: Exchange, depth: number): ExplainedExchange => {
    const route = { exchange: exchange.name, exchangeType: exchange.type, bindings: [] };
    described.set(exchange, { depth, route });
    return route;
  };
  const route = add(from, 1);
  for (const [exchange, { depth, route: here }] of described) {
    const at = visits.get(exchange) as Visit;
    const goingOn = (to: Exchange | undefined): { next?: ExplainedExchange } => {
      if (to === undefined || described.has(to)) return {};
      if (depth < maxDepth) return { next: add(to, depth + 1) };
      isComplete = false;
      return {};
    };
    here.bindings = at.shown.map(({ binding, verdict }) => {
      const { destination } = binding;
      const passes = verdict.outcome !== "not-matched";
      return {
        ...describeBinding(binding),
        ...verdict,
        ...(passes && destination instanceof Exchange ? goingOn(destination) : {}),
      };
    });
    if (exchange.alternate === undefined) continue;
    const isNeeded = at.destinations.size === 0;
    const outcome = !isNeeded ? "not-needed" : at.alternate === undefined ? "missing" : "used";
    here.alternate = { exchange: exchange.alternate, outcome, ...goingOn(at.alternate) };
  }
  return { route, isComplete };
}

function describeBinding({ destination, routingKey, arguments: args }: Binding) {
  const { name } = destination;
  return {
    ...(destination instanceof Exchange ? { destination: name } : { queue: name }),
    routingKey,
    ...(Object.keys(args).length > 0 && { arguments: headersToJson(args) }),
  };
}
