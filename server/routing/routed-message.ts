import type { TextProperty } from "../../protocol/envelope.ts";
import type { Headers } from "../../protocol/header-value.ts";

/** What exchanges may look at besides routing keys. */
export interface MessageFacts {
  /** Decodes the headers, which costs. */
  readonly headers: () => Headers;
  /** A property that is a text; `undefined` if the message has none. */
  property(name: TextProperty): string | undefined;
}

/** A message as routing sees it. */
export interface RoutedMessage extends MessageFacts {
  readonly routingKey: string;
  /** Further keys, by which it is routed as by the first. Mostly none. */
  readonly copyKeys: readonly string[];
}
