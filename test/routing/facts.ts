import type { Headers } from "../../protocol/header-value.ts";
import type { MessageFacts, RoutedMessage } from "../../server/routing/routed-message.ts";

export function factsOf(headers: Headers): MessageFacts {
  return { headers: () => headers };
}

/** For exchange types that depend on the routing key alone: looking at anything else fails the test. */
export const noFacts: MessageFacts = {
  headers() {
    throw new Error("This exchange type must not read headers.");
  },
};

export function messageOf(
  routingKey: string,
  headers: Headers = {},
  copyKeys: readonly string[] = [],
): RoutedMessage {
  return { routingKey, copyKeys, ...factsOf(headers) };
}
