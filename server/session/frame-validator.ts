import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import { PosthornError } from "../../protocol/errors.ts";
import { clientFrameSchemas } from "../../protocol/frame-schemas.ts";
import { reservedFrameTypes } from "../../protocol/frames.ts";

const options = { strict: true, allowUnionTypes: true };
/** Stops at the first problem, and so takes no longer for a frame full of junk than for a good one. */
const quick = validators(new Ajv(options));
/** Finds all problems, for people. */
const thorough = validators(new Ajv({ ...options, allErrors: true }));

/** The longest frame of which all problems are looked for: a million of them take seconds. */
const maxThoroughLength = 16 * 1024;
/** Problems named in one answer. */
const maxProblems = 10;

/** A JSON object, and its id if it is a valid one. */
export interface UncheckedFrame {
  readonly type: unknown;
  readonly id: number | undefined;
  readonly fields: { readonly [name: string]: unknown };
  /** Of its text. */
  readonly length: number;
}

/** @throws PosthornError `invalid-frame` if the text is not a JSON object. */
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
  const isValidId = Number.isSafeInteger(id) && (id as number) > 0;
  return { type, id: isValidId ? (id as number) : undefined, fields, length: text.length };
}

/**
 * Holds a frame against the schema of its type.
 * @throws PosthornError `unknown-frame-type`, `not-implemented`, or `invalid-frame` with `details.problems`.
 */
export function validateFrame({ type, fields, length }: UncheckedFrame): void {
  if (typeof type !== "string") {
    const problem = type === undefined ? "is missing" : "must be string";
    throw invalidFrame("A frame has a type", [{ field: "type", problem }]);
  }
  const validate = quick(type);
  if (validate === undefined) {
    if (reservedFrameTypes.has(type)) {
      throw new PosthornError("not-implemented", `${type} is not implemented yet.`, { type });
    }
    const shown = JSON.stringify(type.slice(0, 80));
    throw new PosthornError("unknown-frame-type", `There is no frame of type ${shown} from a client.`);
  }
  if (validate(fields)) return;
  const isThorough = length <= maxThoroughLength;
  const validateAll = isThorough ? thorough(type) : undefined;
  validateAll?.(fields);
  const errors = (validateAll ?? validate).errors ?? [];
  throw invalidFrame(`The frame ${type} is not valid`, errors.slice(0, maxProblems).map(describe));
}

/** Compiles each schema when the first frame of its type comes: all together would take as long as the rest of the start. */
function validators(ajv: Ajv): (type: string) => ValidateFunction | undefined {
  const compiled = new Map<string, ValidateFunction>();
  return (type) => {
    const known = compiled.get(type);
    if (known !== undefined) return known;
    const schema = clientFrameSchemas.get(type);
    if (schema === undefined) return undefined;
    const validate = ajv.compile(schema);
    compiled.set(type, validate);
    return validate;
  };
}

interface Problem {
  readonly field: string;
  readonly problem: string;
}

function invalidFrame(what: string, problems: readonly Problem[]): PosthornError {
  const summary = problems.map(({ field, problem }) => `${field} ${problem}`).join("; ");
  return new PosthornError("invalid-frame", `${what}: ${summary}.`, { problems });
}

function describe(error: ErrorObject): Problem {
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
