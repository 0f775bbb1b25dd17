/**
 * A few functions that build a JSON schema and its TypeScript type at once, so that the table of frames is written
 * down a single time. They cover what frames need and no more; the server compiles the schemas with ajv.
 */

export type JsonSchema = { readonly [keyword: string]: unknown };

/** A JSON schema that remembers the type of what it accepts. */
export interface Schema<T> {
  readonly json: JsonSchema;
  readonly optional: boolean;
  /** Never set; carries the type only. */
  readonly accepts?: T;
}

export type Infer<S> = S extends Schema<infer T> ? T : never;

export type Fields = { readonly [name: string]: Schema<unknown> & { readonly optional: boolean } };

type OptionalKeys<F extends Fields> = {
  [K in keyof F]: F[K] extends { readonly optional: true } ? K : never;
}[keyof F];

/** The object type of a set of fields; optional schemas become optional properties. */
export type InferFields<F extends Fields> = {
  readonly [K in Exclude<keyof F, OptionalKeys<F>>]: Infer<F[K]>;
} & {
  readonly [K in OptionalKeys<F>]?: Infer<F[K]>;
};

type Required<T> = Schema<T> & { readonly optional: false };

function required<T>(json: JsonSchema): Required<T> {
  return { json, optional: false };
}

export function optional<T>(schema: Schema<T>): Schema<T> & { readonly optional: true } {
  return { json: schema.json, optional: true };
}

/** `T` narrows the type for readers; the schema takes any string. */
export function string<T extends string = string>(
  limits: { maxLength?: number; minLength?: number; description?: string } = {},
) {
  return required<T>({ type: "string", ...limits });
}

export function integer(limits: { minimum: number; maximum: number; description?: string }) {
  return required<number>({ type: "integer", ...limits });
}

/** Any number, also one with a fraction. */
export function number(limits: { minimum: number; maximum: number; description?: string }) {
  return required<number>({ type: "number", ...limits });
}

export function boolean(description?: string) {
  return required<boolean>({ type: "boolean", ...(description === undefined ? {} : { description }) });
}

/** One of a few strings. */
export function oneOf<const T extends readonly string[]>(values: T, description?: string) {
  return required<T[number]>({ enum: values, ...(description === undefined ? {} : { description }) });
}

/** Any JSON value. `T` is what the reader of the frame makes of it after a check of its own. */
export function json<T = unknown>(description?: string) {
  return required<T>(description === undefined ? {} : { description });
}

/** A list of values that all fit the same schema. */
export function list<T>(item: Schema<T>, description?: string) {
  return required<readonly T[]>({
    type: "array",
    items: item.json,
    ...(description === undefined ? {} : { description }),
  });
}

/** A JSON object whose values are checked elsewhere. */
export function map<T>(description?: string) {
  return required<T>({ type: "object", ...(description === undefined ? {} : { description }) });
}

/** An object with exactly these fields; any other field is refused. */
export function object<const F extends Fields>(fields: F, description?: string) {
  const properties: Record<string, JsonSchema> = {};
  const names: string[] = [];
  for (const [name, field] of Object.entries(fields)) {
    properties[name] = field.json;
    if (!field.optional) names.push(name);
  }
  return required<InferFields<F>>({
    type: "object",
    properties,
    required: names,
    additionalProperties: false,
    ...(description === undefined ? {} : { description }),
  });
}
