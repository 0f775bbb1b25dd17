import type { HeaderValue } from "../../protocol/header-value.ts";

/**
 * Whether two header values are the same to a headers exchange and to the identity of a binding: same type and same
 * value, to any depth. The integer 1 is not the string "1"; null equals null alone.
 *
 * - Integers are one type, whether `number` or `bigint`: 5 equals 5n.
 * - JavaScript does not tell the double 1.0 from the integer 1, so neither does Posthorn. A whole `number` outside
 *   ±(2^53 − 1) travels as a double (see `HeaderValue`) and equals no bigint.
 * - NaN equals itself, as otherwise a binding that holds one could never be removed; 0 equals −0.
 * - Dates compare by their time, bytes by their content, the names of a table in any order.
 *
 * Agrees with `bindingIdentity`: values are equal exactly if their identities are.
 */
export function headerValuesEqual(a: HeaderValue, b: HeaderValue): boolean {
  if (a === b) return true;
  if (typeof a === "number") {
    return typeof b === "bigint" ? numberEqualsBigint(a, b) : Number.isNaN(a) && Number.isNaN(b);
  }
  if (typeof a === "bigint") return typeof b === "number" && numberEqualsBigint(b, a);
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (a instanceof Date) return b instanceof Date && Object.is(a.getTime(), b.getTime());
  if (a instanceof Uint8Array) return b instanceof Uint8Array && bytesEqual(a, b);
  if (isList(a)) return isList(b) && listsEqual(a, b);
  if (b instanceof Date || b instanceof Uint8Array || isList(b)) return false;
  return tablesEqual(a, b);
}

function numberEqualsBigint(number: number, bigint: bigint): boolean {
  return Number.isSafeInteger(number) && BigInt(number) === bigint;
}

function bytesEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

function listsEqual(a: readonly HeaderValue[], b: readonly HeaderValue[]): boolean {
  return a.length === b.length && a.every((value, index) => headerValuesEqual(value, b[index]!));
}

function tablesEqual(
  a: { readonly [name: string]: HeaderValue },
  b: { readonly [name: string]: HeaderValue },
): boolean {
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && headerValuesEqual(a[name]!, b[name]!))
  );
}

/** `Array.isArray` does not narrow readonly arrays. */
function isList(value: HeaderValue): value is readonly HeaderValue[] {
  return Array.isArray(value);
}
