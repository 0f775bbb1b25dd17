import type { ExchangeArguments } from "../../protocol/arguments.ts";
import type { Headers } from "../../protocol/header-value.ts";
import { ConsistentHashRouter, checkWeight } from "./consistent-hash-router.ts";
import { DirectRouter } from "./direct-router.ts";
import { FanoutRouter } from "./fanout-router.ts";
import { hashOnProblem } from "./hash-on.ts";
import { checkXMatch } from "./header-criteria.ts";
import { HeadersRouter } from "./headers-router.ts";
import { RandomRouter } from "./random-router.ts";
import type { Router, RouterOptions } from "./router.ts";
import { TopicRouter } from "./topic-router.ts";

interface ExchangeTypeRow {
  createRouter<D>(options: RouterOptions<D>): Router<D>;
  /** Says what is wrong with a binding to an exchange of this type; undefined if nothing is. */
  checkBinding(routingKey: string, args: Headers): string | undefined;
}

/** Arguments that a type ignores are not wrong: they still tell bindings apart. */
const acceptsAnything = (): undefined => undefined;

/** Every exchange type there is. A new one is a row here. */
export const exchangeTypes = {
  direct: { createRouter: <D>() => new DirectRouter<D>(), checkBinding: acceptsAnything },
  fanout: { createRouter: <D>() => new FanoutRouter<D>(), checkBinding: acceptsAnything },
  topic: {
    createRouter: <D>(options: RouterOptions<D>) => new TopicRouter<D>(options),
    checkBinding: acceptsAnything,
  },
  headers: {
    createRouter: <D>() => new HeadersRouter<D>(),
    checkBinding: (_routingKey: string, args: Headers) => checkXMatch(args),
  },
  "consistent-hash": {
    createRouter: <D>(options: RouterOptions<D>) => new ConsistentHashRouter<D>(options),
    checkBinding: checkWeight,
  },
  random: {
    createRouter: <D>(options: RouterOptions<D>) => new RandomRouter<D>(options),
    checkBinding: acceptsAnything,
  },
} as const satisfies Record<string, ExchangeTypeRow>;

export type ExchangeType = keyof typeof exchangeTypes;

export function isExchangeType(type: string): type is ExchangeType {
  return Object.hasOwn(exchangeTypes, type);
}

/** An empty router for a new exchange. */
export function createRouter<D>(type: ExchangeType, options: RouterOptions<D>): Router<D> {
  return exchangeTypes[type].createRouter<D>(options);
}

/** What is wrong with an argument of an exchange. */
export interface ArgumentProblem {
  readonly argument: string;
  /** The end of a sentence. */
  readonly problem: string;
}

/** Arguments that are right by themselves (see `readArguments`), but not for this type of exchange or with each other. */
export function checkArguments(
  type: ExchangeType,
  { hashOn }: ExchangeArguments,
): ArgumentProblem | undefined {
  if (hashOn === undefined) return undefined;
  const problem =
    type === "consistent-hash" ? hashOnProblem(hashOn) : "is for consistent-hash exchanges only";
  return problem === undefined ? undefined : { argument: "hashOn", problem };
}

/**
 * Says in a sentence what is wrong with a binding to an exchange of this type, naming the argument; undefined if nothing is.
 * The length of the routing key is not checked here: it is the same for every type.
 */
export function checkBinding(type: ExchangeType, routingKey: string, args: Headers): string | undefined {
  return exchangeTypes[type].checkBinding(routingKey, args);
}
