import type { ExchangeArguments } from "../../protocol/arguments.ts";
import type { TextProperty } from "../../protocol/envelope.ts";
import type { Headers } from "../../protocol/header-value.ts";
import type { MessageFacts, RoutedMessage } from "../../server/routing/routed-message.ts";
import type { RouterOptions } from "../../server/routing/router.ts";

export function factsOf(
  headers: Headers,
  properties: { readonly [name in TextProperty]?: string } = {},
): MessageFacts {
  return { headers: () => headers, property: (name) => properties[name] };
}

/** For exchange types that depend on the routing key alone: looking at anything else fails the test. */
export const noFacts: MessageFacts = {
  headers() {
    throw new Error("This exchange type must not read headers.");
  },
  property() {
    throw new Error("This exchange type must not read properties.");
  },
};

export function messageOf(
  routingKey: string,
  headers: Headers = {},
  copyKeys: readonly string[] = [],
): RoutedMessage {
  return { routingKey, copyKeys, ...factsOf(headers) };
}

/** For routers whose destinations are their own names. */
export function routerOptions(
  args: ExchangeArguments = {},
  random: () => number = () => 0,
): RouterOptions<string> {
  return { arguments: args, nameOf: (destination) => destination, random };
}
