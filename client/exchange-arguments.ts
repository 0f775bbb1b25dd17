import type { TextProperty } from "../protocol/envelope.ts";

/** What an exchange can be declared with. All are optional. */
export interface ExchangeArguments {
  /**
   * Name of the exchange that gets what matches no binding of this one. It may be declared later; while it is not there, such
   * messages are dropped.
   */
  readonly alternateExchange?: string;
  /** What a `consistent-hash` exchange goes by. Default: the routing key. */
  readonly hashOn?: HashOn;
}

/**
 * What a `consistent-hash` exchange finds the way by. Messages without the header or property all go the same way. The
 * routing key of a binding to it is its weight, a whole number from 1 to 1000: `queue.bind(exchange, "1")`.
 */
export type HashOn =
  | { readonly by: "routingKey" }
  | { readonly by: "header"; readonly name: string }
  | { readonly by: "property"; readonly name: TextProperty };
