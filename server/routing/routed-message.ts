import type { Headers } from "../../protocol/header-value.ts";

/** What exchanges may look at besides routing keys. */
export interface MessageFacts {
  /** Decodes the headers, which costs. */
  readonly headers: () => Headers;
}

/** A message as routing sees it. */
export interface RoutedMessage extends MessageFacts {
  readonly routingKey: string;
  /** Further keys, by which it is routed as by the first. Mostly none. */
  readonly copyKeys: readonly string[];
}
