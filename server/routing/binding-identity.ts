import type { Headers, HeaderValue } from "../../protocol/header-value.ts";

/**
 * What tells the bindings between one source and one destination apart: a string that is the same for two bindings
 * exactly if their routing keys are the same and their arguments are equal as `headerValuesEqual` has it. The order
 * of the arguments and the width of integers play no part; types do.
 *
 * For use as a key in memory. It is not a storage format.
 */
export function bindingIdentity(routingKey: string, args: Headers): string {
  return JSON.stringify(routingKey) + argumentsIdentity(args);
}

/** The part of `bindingIdentity` that stands for the arguments. */
export function argumentsIdentity(args: Headers): string {
  return valueIdentity(args);
}

/** A string that two values have in common exactly if they are equal. Every type has its own first character, and every value its own end, so no two values can read the same. */
export function valueIdentity(value: HeaderValue): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value);
    case "boolean":
      return value ? "t" : "f";
    case "bigint":
      return `i${value}`;
    case "number":
      return Number.isSafeInteger(value) ? `i${value}` : `d${value}`;
  }
  if (value === null) return "n";
  if (value instanceof Date) return `D${value.getTime()}`;
  if (value instanceof Uint8Array) return `b${value.join("-")}`;
  if (Array.isArray(value)) return `[${value.map(valueIdentity).join()}]`;
  const table = value as Headers;
  const fields = Object.keys(table)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${valueIdentity(table[name]!)}`);
  return `{${fields.join()}}`;
}
