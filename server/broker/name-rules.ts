import { PosthornError } from "../../protocol/errors.ts";
import type { Headers } from "../../protocol/header-value.ts";
import { defaultExchange, lengthProblem, nameProblem, reservedPrefix } from "../../protocol/names.ts";

/** @throws PosthornError `invalid-argument` */
export function assertName(what: string, name: string): void {
  const problem = nameProblem(name);
  if (problem !== undefined)
    throw new PosthornError("invalid-argument", `The name of the ${what} ${problem}.`, { field: what });
}

/** @throws PosthornError `invalid-argument` */
export function assertRoutingKey(routingKey: string): void {
  const problem = lengthProblem(routingKey);
  if (problem !== undefined)
    throw new PosthornError("invalid-argument", `The routing key ${problem}.`, { field: "routingKey" });
}

/** The default exchange cannot be declared, deleted or bound (SEMANTICS 16). @throws PosthornError `access-refused` */
export function assertNotDefaultExchange(exchange: string): void {
  if (exchange !== defaultExchange) return;
  throw new PosthornError(
    "access-refused",
    "The default exchange is always there, and bound to every queue by its name.",
    { exchange },
  );
}

export function isReserved(name: string): boolean {
  return name.startsWith(reservedPrefix);
}

/** Names that begin with `amq.` belong to the broker (SEMANTICS 15, 17). */
export function reservedName(what: string, name: string): PosthornError {
  const message = `Names that begin with ${JSON.stringify(reservedPrefix)} belong to the broker: ${what} ${JSON.stringify(name)}.`;
  return new PosthornError("access-refused", message, { [what]: name });
}

/** Arguments of later versions. They are refused rather than ignored, so that nobody relies on what is not there. */
const laterArguments: { readonly [kind in ArgumentKind]: ReadonlySet<string> } = {
  exchange: new Set(["alternateExchange", "retain", "deduplication"]),
  queue: new Set([
    "type",
    "expires",
    "messageTtl",
    "maxLength",
    "maxBytes",
    "overflow",
    "deadLetterExchange",
    "deadLetterRoutingKey",
    "deadLetterQueue",
    "deliveryLimit",
    "retry",
    "maxPriority",
    "singleActiveConsumer",
    "messageGroups",
    "ackTimeout",
    "prefetchBytes",
    "circuitBreaker",
    "deduplication",
    "onMismatch",
  ]),
  consumer: new Set(["priority", "prefetchBytes", "ackTimeout", "onSlow"]),
};

export type ArgumentKind = "exchange" | "queue" | "consumer";

/** @throws PosthornError `not-implemented` for an argument of a later version, `invalid-argument` for any other. */
export function assertNoArguments(kind: ArgumentKind, args: Headers): void {
  for (const name of Object.keys(args)) {
    const code = laterArguments[kind].has(name) ? "not-implemented" : "invalid-argument";
    const reason = code === "not-implemented" ? "is not implemented yet" : "is not known";
    throw new PosthornError(code, `The ${kind} argument ${JSON.stringify(name)} ${reason}.`, {
      argument: name,
    });
  }
}
