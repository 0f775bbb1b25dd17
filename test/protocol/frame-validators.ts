import type { ValidateFunction } from "ajv";
import { Ajv } from "ajv";
import { clientFrameSchemas, replySchemas, serverFrameSchemas } from "../../protocol/frame-schemas.ts";
import type { JsonSchema } from "../../protocol/schema.ts";

const ajv = new Ajv({ strict: true, allErrors: true });

function compile(schemas: ReadonlyMap<string, JsonSchema>): ReadonlyMap<string, ValidateFunction> {
  return new Map([...schemas].map(([type, schema]) => [type, ajv.compile(schema)]));
}

/** What says whether a frame fits its schema, by its type. */
export const frameValidators = new Map([...compile(serverFrameSchemas), ...compile(clientFrameSchemas)]);

/** The same for answers, by the type of the request. */
export const replyValidators = compile(replySchemas);
