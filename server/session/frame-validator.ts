import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import { PosthornError } from "../../protocol/errors.ts";
import { clientFrameSchemas } from "../../protocol/frame-schemas.ts";
import { reservedFrameTypes } from "../../protocol/frames.ts";

const ajv = new Ajv({ strict: true, allErrors: true, allowUnionTypes: true });
const validators = new Map<string, ValidateFunction>();
for (const [type, schema] of clientFrameSchemas) validators.set(type, ajv.compile(schema));

/** Problems named in one answer; a frame full of junk must not make a long one. */
const maxProblems = 10;

/** A JSON object that has a type, and an id if it is a valid one. */
export interface UncheckedFrame {
  readonly type: string;
  readonly id: number | undefined;
  readonly fields: { readonly [name: string]: unknown };
}

/** @throws PosthornError `invalid-frame` if the text is not a JSON object with a type. */
export function parseFrame(text: string): UncheckedFrame {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new PosthornError("invalid-frame", "The frame is not JSON.");
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new PosthornError("invalid-frame", "A frame is a JSON object.");
  }
  const fields = json as { readonly [name: string]: unknown };
  const { type, id } = fields;
  if (typeof type !== "string") {
    throw new PosthornError("invalid-frame", "A frame has a type.", { problems: [{ field: "type", problem: "is missing" }] });
  }
  return { type, id: Number.isSafeInteger(id) && (id as number) > 0 ? (id as number) : undefined, fields };
}

/**
 * Holds a frame against the schema of its type.
 * @throws PosthornError `unknown-frame-type`, `not-implemented`, or `invalid-frame` with `details.problems`.
 */
export function validateFrame({ type, fields }: UncheckedFrame): void {
  const validate = validators.get(type);
  if (validate === undefined) {
    if (reservedFrameTypes.has(type)) throw new PosthornError("not-implemented", `${type} is not implemented yet.`, { type });
    throw new PosthornError("unknown-frame-type", `There is no frame of type ${JSON.stringify(type.slice(0, 80))} from a client.`);
  }
  if (validate(fields)) return;
  const problems = (validate.errors ?? []).slice(0, maxProblems).map(describe);
  const summary = problems.map(({ field, problem }) => `${field} ${problem}`).join("; ");
  throw new PosthornError("invalid-frame", `The frame ${type} is not valid: ${summary}.`, { problems });
}

function describe(error: ErrorObject): { field: string; problem: string } {
  const parent = error.instancePath.slice(1).replaceAll("/", ".");
  const child = (name: string) => (parent === "" ? name : `${parent}.${name}`);
  const { params } = error;
  switch (error.keyword) {
    case "required":
      return { field: child(params.missingProperty as string), problem: "is missing" };
    case "additionalProperties":
      return { field: child(String(params.additionalProperty).slice(0, 80)), problem: "is not known" };
    case "enum":
      return { field: parent, problem: `must be one of ${(params.allowedValues as string[]).join(", ")}` };
    default:
      return { field: parent, problem: error.message ?? "is not valid" };
  }
}
