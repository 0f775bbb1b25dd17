import { PosthornError } from "../../protocol/errors.ts";
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
