import { clientFrameSchemas, type JsonSchema } from "../../protocol/index.ts";

/** What a schema says, as far as samples are made from it. */
interface ObjectSchema {
  readonly properties: { readonly [field: string]: JsonSchema };
  readonly required: readonly string[];
}

export type FrameFields = { readonly [field: string]: unknown };

export interface FrameField {
  /** With dots for fields in fields. */
  readonly path: string;
  readonly schema: JsonSchema;
  readonly isRequired: boolean;
}

/** The type of every frame that a client may send. */
export const clientFrameTypes: readonly string[] = [...clientFrameSchemas.keys()];

function objectSchema(schema: JsonSchema): ObjectSchema | undefined {
  return schema.properties === undefined ? undefined : (schema as unknown as ObjectSchema);
}

/** Every field of a frame, those of its parts too, without `type`. */
export function fieldsOf(type: string): FrameField[] {
  const walk = (schema: ObjectSchema, prefix: string): FrameField[] =>
    Object.entries(schema.properties).flatMap(([name, field]) => {
      const path = prefix + name;
      const inner = objectSchema(field);
      const own = { path, schema: field, isRequired: schema.required.includes(name) };
      return inner === undefined ? [own] : [own, ...walk(inner, `${path}.`)];
    });
  return walk(clientFrameSchemas.get(type) as unknown as ObjectSchema, "").filter(
    ({ path }) => path !== "type",
  );
}

/** The paths of a frame at which a field too many can stand. */
export function objectsOf(type: string): string[] {
  return ["", ...fieldsOf(type).flatMap(({ path, schema }) => (objectSchema(schema) ? [`${path}.`] : []))];
}

function sampleOf(schema: JsonSchema): unknown {
  if (schema.const !== undefined) return schema.const;
  if (Array.isArray(schema.enum)) return schema.enum[0];
  const inner = objectSchema(schema);
  if (inner !== undefined) {
    return Object.fromEntries(
      Object.entries(inner.properties).map(([name, field]) => [name, sampleOf(field)]),
    );
  }
  switch (schema.type) {
    case "string":
      return "x";
    case "integer":
      return schema.minimum ?? 0;
    case "boolean":
      return false;
    case "array":
      return [sampleOf(schema.items as JsonSchema)];
    default:
      return {};
  }
}

/** What has to be chosen so that all fields go together. */
const choices: { readonly [type: string]: FrameFields } = { settle: { outcome: "requeue" } };

/** A frame of this type with every field. */
export function sampleFrame(type: string): FrameFields {
  return { ...(sampleOf(clientFrameSchemas.get(type) as JsonSchema) as FrameFields), ...choices[type] };
}

/** Values that a field does not take, each wrong in its own way. */
export function wrongValues(schema: JsonSchema): unknown[] {
  if (schema.const !== undefined || schema.type === undefined) {
    return Array.isArray(schema.enum) ? [null, 7, "no such choice"] : [];
  }
  switch (schema.type) {
    case "string":
      return [
        null,
        7,
        ["x"],
        ...(schema.maxLength === undefined ? [] : ["x".repeat((schema.maxLength as number) + 1)]),
      ];
    case "integer":
      return [null, "1", 1.5, (schema.minimum as number) - 1, (schema.maximum as number) * 2];
    case "boolean":
      return [null, 0, "false"];
    case "array":
      return [null, "x", {}];
    default:
      return [null, "x", [1]];
  }
}

/** The frame with the field at `path` set; `undefined` takes it away. */
export function withField(frame: FrameFields, path: string, value: unknown): FrameFields {
  const [name = "", ...rest] = path.split(".");
  const inner =
    rest.length === 0 ? value : withField((frame[name] ?? {}) as FrameFields, rest.join("."), value);
  const { [name]: _, ...others } = frame;
  return inner === undefined ? others : { ...others, [name]: inner };
}
