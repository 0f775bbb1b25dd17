import type { Headers, HeaderValue } from "./header-value.ts";
import { lengthProblem } from "./names.ts";

/**
 * The headers `CC` and `BCC` hold further routing keys: a message is routed by each of them as by its own (SEMANTICS 25). `BCC`
 * is taken out before anybody gets to see the message.
 */
const copyHeaders = ["CC", "BCC"] as const;

/** Most keys in both together: each costs as much as routing a message. */
export const maxCopyKeys = 256;

const noKeys: readonly string[] = Object.freeze([]);

/** What is wrong with the further routing keys of a message, as a sentence. */
export function copyKeysProblem(headers: Headers): string | undefined {
  let count = 0;
  for (const name of copyHeaders) {
    const keys = listOf(headers, name);
    if (keys === undefined) continue;
    if (!Array.isArray(keys) || !keys.every((key) => typeof key === "string"))
      return `The header ${name} must be a list of routing keys.`;
    for (const key of keys as string[]) {
      const problem = lengthProblem(key);
      if (problem !== undefined) return `A routing key in the header ${name} ${problem}.`;
    }
    count += keys.length;
  }
  return count > maxCopyKeys
    ? `The headers CC and BCC have ${count} routing keys; there may be ${maxCopyKeys}.`
    : undefined;
}

/** The further routing keys of a message in which nothing is wrong with them. */
export function copyKeysOf(headers: Headers): readonly string[] {
  const lists = copyHeaders.flatMap((name) => (listOf(headers, name) ?? []) as readonly string[]);
  return lists.length === 0 ? noKeys : lists;
}

function listOf(headers: Headers, name: string): HeaderValue | undefined {
  return Object.hasOwn(headers, name) ? headers[name] : undefined;
}
