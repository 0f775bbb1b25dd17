/** Where a message would go, and why: the answer to `route.explain`. */
export interface RouteExplanation {
  /** Names of the queues that would get it, those first that would get it for certain. As many as were asked for. */
  readonly queues: readonly string[];
  /** How many there are. */
  readonly queueCount: number;
  /** Those of `queues` that only may get it: a `random` exchange on the way would draw. */
  readonly byChance: readonly string[];
  /** There is more than this answer shows. */
  readonly truncated: boolean;
  /** The exchange that it would be published to, and what lies behind. */
  readonly route: ExplainedExchange;
}

/** An exchange that the message would come by. */
export interface ExplainedExchange {
  readonly exchange: string;
  readonly exchangeType: string;
  /** Those that match come first. */
  readonly bindings: readonly ExplainedBinding[];
  /** If the exchange has an alternate. */
  readonly alternate?: ExplainedAlternate;
}

/** `chance`: a random exchange draws one of its destinations, and this may be it. */
export type BindingOutcome = "matched" | "not-matched" | "chance";

/** A binding to a queue or, with `destination`, to an exchange. */
export interface ExplainedBinding {
  readonly queue?: string;
  readonly destination?: string;
  readonly routingKey: string;
  /** Missing if it has none. */
  readonly arguments?: { readonly [name: string]: unknown };
  readonly outcome: BindingOutcome;
  /** A sentence for people. */
  readonly reason: string;
  /** Where it goes on: the exchange, the first time that it is come by. */
  readonly next?: ExplainedExchange;
}

export interface ExplainedAlternate {
  readonly exchange: string;
  /** `not-needed`: a binding matches. `missing`: there is no such exchange, the message ends here. */
  readonly outcome: "used" | "not-needed" | "missing";
  /** As in {@link ExplainedBinding}. */
  readonly next?: ExplainedExchange;
}
