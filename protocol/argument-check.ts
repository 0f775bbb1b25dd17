import { type ArgumentKind, type ArgumentsOf, argumentTables } from "./arguments.ts";
import { PosthornError } from "./errors.ts";
import type { Headers, HeaderValue } from "./header-value.ts";
import { isTable } from "./headers.ts";
import { lengthProblem } from "./names.ts";
import type { Fields, JsonSchema } from "./schema.ts";

/**
 * Checks each argument of a declaration against its row of the table.
 * @throws PosthornError `invalid-argument` for the first that is unknown or has a value that is not allowed; `details`
 * have its name as `argument` and what is `allowed`.
 */
export function readArguments<K extends ArgumentKind>(kind: K, args: Headers): ArgumentsOf<K> {
  const rows: Fields = argumentTables[kind];
  for (const [name, value] of Object.entries(args)) {
    if (!Object.hasOwn(rows, name)) throw unknownArgument(kind, name);
    check(kind, name, rows[name]!.json, value);
  }
  return args as ArgumentsOf<K>;
}

/** An argument that no row of the table has. */
export function unknownArgument(kind: ArgumentKind, name: string): PosthornError {
  const allowed = Object.keys(argumentTables[kind]).join(", ");
  const message = `The ${kind} argument ${quote(name)} is not known. There are: ${allowed}.`;
  return new PosthornError("invalid-argument", message, { argument: name, allowed });
}

/** Arguments of which each alone may be right, but not with the others. `argument` is the one to look at. */
export function argumentConflict(kind: ArgumentKind, argument: string, problem: string): PosthornError {
  const message = `The ${kind} argument ${quote(argument)} ${problem}.`;
  return new PosthornError("invalid-argument", message, { argument, problem });
}

function check(kind: ArgumentKind, path: string, schema: JsonSchema, value: HeaderValue): void {
  if (!fits(schema, value)) throw notAllowed(kind, path, describe(schema), value);
  if (schema.type !== "object") return;
  const inner = schema.properties as { readonly [name: string]: JsonSchema };
  for (const [name, part] of Object.entries(value as Headers)) {
    if (!Object.hasOwn(inner, name)) throw notAllowed(kind, path, describe(schema), value);
    check(kind, `${path}.${name}`, inner[name]!, part);
  }
}

/** Whether a value is what a schema says, without what is inside of it. */
function fits(schema: JsonSchema, value: HeaderValue): boolean {
  if (Array.isArray(schema.enum)) return schema.enum.includes(value);
  switch (schema.type) {
    case "boolean":
      return typeof value === "boolean";
    case "integer":
      return Number.isInteger(value) && isWithin(schema, value as number);
    case "number":
      return typeof value === "number" && isWithin(schema, value);
    case "string":
      return typeof value === "string" && value.length >= least(schema) && lengthProblem(value) === undefined;
    default:
      return isTable(value) && (schema.required as string[]).every((name) => Object.hasOwn(value, name));
  }
}

function isWithin({ minimum, maximum }: JsonSchema, value: number): boolean {
  return value >= (minimum as number) && value <= (maximum as number);
}

function least({ minLength = 0 }: JsonSchema): number {
  return minLength as number;
}

/** What a schema allows, as the end of a sentence. */
function describe(schema: JsonSchema): string {
  const { minimum, maximum } = schema;
  if (Array.isArray(schema.enum)) return `one of ${schema.enum.map((value) => quote(value)).join(", ")}`;
  switch (schema.type) {
    case "boolean":
      return "true or false";
    case "integer":
      return `a whole number from ${minimum} to ${maximum}`;
    case "number":
      return `a number from ${minimum} to ${maximum}`;
    case "string":
      return `text of ${least(schema)} to ${schema.maxLength} bytes`;
    default: {
      const names = Object.keys(schema.properties as object).join(", ");
      const needed = (schema.required as string[]).join(", ");
      return `an object of ${names}${needed === "" ? "" : `, with at least ${needed}`}`;
    }
  }
}

function notAllowed(kind: ArgumentKind, path: string, allowed: string, value: HeaderValue): PosthornError {
  const message = `The ${kind} argument ${quote(path)} must be ${allowed}, not ${show(value)}.`;
  return new PosthornError("invalid-argument", message, { argument: path, allowed });
}

function show(value: HeaderValue): string {
  if (typeof value === "bigint" || typeof value === "number") return String(value);
  if (value instanceof Uint8Array) return "bytes";
  const text = JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "bigint" ? String(inner) : inner,
  );
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

function quote(name: string): string {
  return JSON.stringify(name);
}
