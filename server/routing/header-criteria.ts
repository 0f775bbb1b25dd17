import type { Headers, HeaderValue } from "../../protocol/header-value.ts";
import { headerValuesEqual } from "./header-equality.ts";

/** The values of `x-match`, the first being the default. */
export const xMatchModes = ["all", "any", "all-with-x", "any-with-x"] as const;
type XMatchMode = (typeof xMatchModes)[number];

/** What the arguments of one binding demand of a message's headers. */
export class HeaderCriteria {
  readonly #any: boolean;
  readonly #criteria: readonly (readonly [name: string, value: HeaderValue])[];

  /** @param args arguments that `checkXMatch` accepts. */
  constructor(args: Headers) {
    const mode = xMatchOf(args) as XMatchMode;
    const withX = mode === "all-with-x" || mode === "any-with-x";
    this.#any = mode === "any" || mode === "any-with-x";
    this.#criteria = Object.entries(args).filter(
      ([name]) => name !== "x-match" && (withX || !name.startsWith("x-")),
    );
  }

  /** Without criteria "all" accepts every message and "any" none: a sum over nothing, either way. */
  accepts(headers: Headers): boolean {
    for (const [name, value] of this.#criteria) {
      if (satisfies(headers, name, value) === this.#any) return this.#any;
    }
    return !this.#any;
  }

  /** Why it accepts these headers or does not, as a sentence. */
  reason(headers: Headers): string {
    if (this.#criteria.length === 0) return "The binding asks for no header.";
    const decisive = this.#criteria.find(([name, value]) => satisfies(headers, name, value) === this.#any);
    if (decisive === undefined)
      return this.#any ? "No header is as the binding asks." : "All headers are as the binding asks.";
    const [name] = decisive;
    const quoted = JSON.stringify(name);
    if (this.#any) return `The header ${quoted} is as the binding asks.`;
    return Object.hasOwn(headers, name)
      ? `The header ${quoted} has another value.`
      : `The header ${quoted} is missing.`;
  }
}

/** Says what is wrong with the `x-match` of these arguments; undefined if nothing is. */
export function checkXMatch(args: Headers): string | undefined {
  const mode = xMatchOf(args);
  if ((xMatchModes as readonly HeaderValue[]).includes(mode)) return undefined;
  const given = typeof mode === "string" ? JSON.stringify(mode) : "not a string";
  return `Argument "x-match" must be one of ${xMatchModes.join(", ")}; it is ${given}.`;
}

function xMatchOf(args: Headers): HeaderValue {
  return Object.hasOwn(args, "x-match") ? args["x-match"]! : "all";
}

function satisfies(headers: Headers, name: string, value: HeaderValue): boolean {
  // Own properties only: a binding on "constructor" must not match every message.
  if (!Object.hasOwn(headers, name)) return false;
  return value === null || headerValuesEqual(headers[name]!, value);
}
