import { deliverFlags, publishFlags, settleFlags } from "../protocol/binary-frames.ts";
import { envelopeFlags } from "../protocol/envelope.ts";
import { type ErrorRow, errorCatalogue } from "../protocol/errors.ts";
import { clientFrameSchemas, replySchemas, serverFrameSchemas } from "../protocol/frame-schemas.ts";
import { messageFrames, outcomeCodes, reservedFrameTypes } from "../protocol/frames.ts";
import { headerTags } from "../protocol/headers.ts";
import type { JsonSchema } from "../protocol/schema.ts";
import { protocolVersion, subprotocol } from "../protocol/version.ts";

/** What `errors.json`, `table.json` and `schemas.json` in `test/vectors/` pin, as the code has it now. */

export const errorVectors: readonly object[] = Object.entries(
  errorCatalogue as { readonly [code: string]: ErrorRow },
).map(([code, { number, scope, closeCode = null, amqp = null, retry }]) => ({
  code,
  number,
  scope,
  closeCode,
  amqp,
  retry,
}));

export const tableVector: object = {
  subprotocol,
  protocolVersion,
  messageFrames: Object.fromEntries(Object.entries(messageFrames).map(([type, { code }]) => [type, code])),
  outcomes: outcomeCodes,
  publishFlags,
  deliverFlags,
  settleFlags,
  envelopeFlags,
  headerTags,
  reservedFrameTypes: [...reservedFrameTypes],
};

/** A schema without its prose: the wording may change, the rule may not. */
function rule({ description: _, properties, items, ...rest }: JsonSchema): JsonSchema {
  if (items !== undefined) return { ...rest, items: rule(items as JsonSchema) };
  if (properties === undefined) return rest;
  const parts = Object.entries(properties as { [name: string]: JsonSchema });
  return { ...rest, properties: Object.fromEntries(parts.map(([name, part]) => [name, rule(part)])) };
}

function rules(schemas: ReadonlyMap<string, JsonSchema>): object {
  return Object.fromEntries([...schemas].map(([type, schema]) => [type, rule(schema)]));
}

export const schemaVectors: object = {
  client: rules(clientFrameSchemas),
  server: rules(serverFrameSchemas),
  replies: rules(replySchemas),
};
