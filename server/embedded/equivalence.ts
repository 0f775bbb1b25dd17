import { PosthornError } from "../../protocol/errors.ts";
import { headersToJson } from "../../protocol/header-json.ts";
import type { Headers, HeaderValue } from "../../protocol/header-value.ts";
import { argumentsIdentity } from "../routing/binding-identity.ts";

/** One property or argument in which a declaration differs from what exists. */
interface Difference {
  readonly name: string;
  readonly declared: unknown;
  readonly existing: unknown;
}

interface Comparable {
  readonly properties: { readonly [name: string]: string | boolean };
  readonly arguments: Headers;
}

/**
 * Declaring what exists is fine if it is the same (SEMANTICS 14, 32). Integer widths and the order of arguments play no part.
 * @throws PosthornError `precondition-failed` with `details.differences`, one for each property and argument that differs.
 */
export function assertEquivalent(what: string, declared: Comparable, existing: Comparable): void {
  const differences: Difference[] = [];
  for (const [name, value] of Object.entries(declared.properties)) {
    if (value !== existing.properties[name])
      differences.push({ name, declared: value, existing: existing.properties[name] });
  }
  const [ours, theirs] = [declared.arguments, existing.arguments];
  for (const name of new Set([...Object.keys(ours), ...Object.keys(theirs)])) {
    if (argumentsIdentity(only(ours, name)) === argumentsIdentity(only(theirs, name))) continue;
    differences.push({ name, declared: readable(ours, name), existing: readable(theirs, name) });
  }
  if (differences.length === 0) return;
  const list = differences.map(
    ({ name, declared, existing }) => `${name} is ${show(existing)}, not ${show(declared)}`,
  );
  throw new PosthornError("precondition-failed", `${what} exists and differs: ${list.join("; ")}.`, {
    differences,
  });
}

function only(headers: Headers, name: string): Headers {
  return Object.hasOwn(headers, name) ? { [name]: headers[name] as HeaderValue } : {};
}

function readable(headers: Headers, name: string): unknown {
  return Object.hasOwn(headers, name) ? headersToJson(only(headers, name))[name] : undefined;
}

function show(value: unknown): string {
  return value === undefined ? "not set" : JSON.stringify(value);
}
