import { type ArgumentKind, argumentTables } from "../../protocol/arguments.ts";
import type { Headers, HeaderValue } from "../../protocol/header-value.ts";
import { type QueueSettings, queueSettings } from "../../protocol/queue-settings.ts";
import type { EffectiveArguments, Policy } from "../engine/engine.ts";

/** What a queue or an exchange was declared with, and what is in force for it besides. */
export interface ArgumentSources {
  readonly arguments: Headers;
  readonly policy: Policy | undefined;
}

/** Limits: where the declaration and the policy both have one, the lower holds. */
const limits: ReadonlySet<string> = new Set([
  "messageTtl",
  "expires",
  "maxLength",
  "maxBytes",
  "deliveryLimit",
  "ackTimeout",
  "prefetchBytes",
]);

/** A declaration that names one of such a row has nothing of that row from a policy: they belong together, or do not go together. */
const rows = [
  ["deadLetterExchange", "deadLetterRoutingKey", "deadLetterQueue"],
  ["maxPriority", "messageGroups"],
];

/** The arguments that hold: those declared, those of the policy that are not, and of limits the lower. */
export function combinedArguments({ arguments: declared, policy }: ArgumentSources): Headers {
  if (policy === undefined) return declared;
  if (Object.keys(declared).length === 0) return policy.arguments;
  const combined: Record<string, HeaderValue> = { ...declared };
  for (const name of namesFromPolicy(declared, policy.arguments)) combined[name] = policy.arguments[name]!;
  return combined;
}

const settingsOfPolicies = new WeakMap<Headers, QueueSettings>();

/** What the arguments come to that hold. Queues that have all theirs from the same policy share one object. */
export function effectiveSettings(sources: ArgumentSources): QueueSettings {
  const args = combinedArguments(sources);
  if (args !== sources.policy?.arguments) return queueSettings(args);
  let settings = settingsOfPolicies.get(args);
  if (settings === undefined) {
    settings = queueSettings(args);
    settingsOfPolicies.set(args, settings);
  }
  return settings;
}

/**
 * Every argument that there is, with the value that holds and where it comes from.
 * @param values those that hold; `undefined` and `Infinity`: none.
 */
export function effectiveArguments(
  kind: ArgumentKind,
  { arguments: declared, policy }: ArgumentSources,
  values: { readonly [name: string]: unknown },
): EffectiveArguments {
  const fromPolicy = policy === undefined ? [] : namesFromPolicy(declared, policy.arguments);
  const origin = (name: string) => {
    if (fromPolicy.includes(name)) return `policy:${policy!.name}` as const;
    return Object.hasOwn(declared, name) ? "declared" : "default";
  };
  return Object.fromEntries(
    Object.keys(argumentTables[kind]).map((name) => {
      const value = values[name] === Number.POSITIVE_INFINITY ? undefined : values[name];
      return [name, { value: value as HeaderValue | undefined, from: origin(name) }];
    }),
  );
}

function namesFromPolicy(declared: Headers, policy: Headers): string[] {
  const isDeclared = (name: string) => Object.hasOwn(declared, name);
  const taken = rows.filter((row) => row.some(isDeclared)).flat();
  return Object.keys(policy).filter((name) => {
    if (taken.includes(name)) return false;
    if (!isDeclared(name)) return true;
    return limits.has(name) && (policy[name] as number) < (declared[name] as number);
  });
}
