import { PosthornError } from "../../protocol/errors.ts";
import { headersToJson } from "../../protocol/header-json.ts";
import type { Headers, HeaderValue } from "../../protocol/header-value.ts";
import type { OnMismatch } from "../engine/engine.ts";
import { argumentsIdentity } from "../routing/binding-identity.ts";

/** One property or argument in which a declaration differs from what exists. */
interface Difference {
  readonly name: string;
  readonly declared: unknown;
  readonly existing: unknown;
  /** Why it cannot be changed. */
  readonly fixed?: string;
}

interface Comparable {
  readonly properties: { readonly [name: string]: string | boolean };
  readonly arguments: Headers;
}

/** What stays as it was created, and why. All else can be changed while it is in use. */
const fixed: { readonly [property: string]: string } = {
  exchangeType: "its bindings were made for that type",
  durable: "what is stored of it hangs on that",
  exclusive: "it belongs to a session, or to none, from the start",
};

/**
 * Declaring what exists is fine if it is the same (SEMANTICS 14, 32). Integer widths and the order of arguments play no part.
 * Otherwise `onMismatch` decides. Returns whether what exists is to be changed to what is declared.
 * @throws PosthornError `precondition-failed` with `details.differences`, one for each property and argument that differs;
 * those that cannot be changed say why as `fixed`.
 */
export function isToBeChanged(
  what: string,
  declared: Comparable,
  existing: Comparable,
  onMismatch: OnMismatch,
): boolean {
  const differences = differencesBetween(declared, existing);
  if (differences.length === 0 || onMismatch === "keep") return false;
  const fixedOnes = differences.filter((difference) => difference.fixed !== undefined);
  if (onMismatch === "update" && fixedOnes.length === 0) return true;
  const problem =
    onMismatch === "update" ? `cannot be changed: ${listOf(fixedOnes)}` : `differs: ${listOf(differences)}`;
  const ways =
    fixedOnes.length === 0 ? '"keep" takes it as it is, "update" changes it' : '"keep" takes it as it is';
  throw new PosthornError("precondition-failed", `${what} exists and ${problem}. onMismatch: ${ways}.`, {
    differences,
  });
}

function differencesBetween(declared: Comparable, existing: Comparable): Difference[] {
  const differences: Difference[] = [];
  for (const [name, value] of Object.entries(declared.properties)) {
    if (value === existing.properties[name]) continue;
    const difference = { name, declared: value, existing: existing.properties[name] };
    differences.push(Object.hasOwn(fixed, name) ? { ...difference, fixed: fixed[name]! } : difference);
  }
  const [ours, theirs] = [declared.arguments, existing.arguments];
  for (const name of new Set([...Object.keys(ours), ...Object.keys(theirs)])) {
    if (argumentsIdentity(only(ours, name)) === argumentsIdentity(only(theirs, name))) continue;
    differences.push({ name, declared: readable(ours, name), existing: readable(theirs, name) });
  }
  return differences;
}

function listOf(differences: readonly Difference[]): string {
  return differences
    .map(({ name, declared, existing, fixed: why }) => {
      const difference = `${name} is ${show(existing)}, ${declared === undefined ? "but is not declared" : `not ${show(declared)}`}`;
      return why === undefined ? difference : `${difference} (${why})`;
    })
    .join("; ");
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
