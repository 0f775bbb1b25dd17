import { headersFromJson } from "../protocol/header-json.ts";

/** The arguments that hold for a queue or an exchange, each with where it comes from. */
export type EffectiveArguments<A> = { readonly [N in keyof Required<A>]: EffectiveArgument<A[N]> };

export interface EffectiveArgument<T> {
  /** `undefined`: none, or no limit. */
  readonly value: Exclude<T, undefined> | undefined;
  /** `declared`, `policy:` and the name of the policy, or `default`. */
  readonly from: "declared" | `policy:${string}` | "default";
}

/** @internal */
export function effectiveArgumentsFrom<A>(json: {
  readonly [name: string]: { readonly value: unknown; readonly from: string };
}): EffectiveArguments<A> {
  const entries = Object.entries(json).map(([name, { value, from }]) => [
    name,
    { value: headersFromJson({ value }).value ?? undefined, from },
  ]);
  return Object.fromEntries(entries) as EffectiveArguments<A>;
}
