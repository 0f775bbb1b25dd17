import { jsonMessage, messageFrames, notices, requests } from "./frames.ts";
import { type Fields, type JsonSchema, object } from "./schema.ts";

/** The JSON schemas (draft-07) of whole frames, built from the table. A broker compiles those of a client's frames. */

function frameSchema(type: string, description: string, fields: Fields): JsonSchema {
  const schema = object(fields, description).json;
  return {
    ...schema,
    properties: { type: { const: type }, ...(schema.properties as JsonSchema) },
    required: ["type", ...(schema.required as string[])],
  };
}

type Sender = "client" | "server";

/** Every frame besides requests and their answers that `sender` may send, in JSON. */
function framesOf(sender: Sender): [string, JsonSchema][] {
  const control = Object.entries(notices)
    .filter(([type, row]) => type !== "ok" && (row.sender === sender || row.sender === "both"))
    .map(([type, row]): [string, JsonSchema] => [type, frameSchema(type, row.description, row.fields)]);
  const messages = Object.entries(messageFrames)
    .filter(([, row]) => row.sender === sender)
    .map(([type, row]): [string, JsonSchema] => {
      const fields = row.carries === "message" ? { ...row.fields, ...jsonMessage } : row.fields;
      return [type, frameSchema(type, row.description, fields)];
    });
  return [...control, ...messages];
}

/** All frames that a client may send, by type: requests, `heartbeat`, and `publish` and `settle` in JSON. */
export const clientFrameSchemas: ReadonlyMap<string, JsonSchema> = new Map([
  ...Object.entries(requests).map(([type, row]): [string, JsonSchema] => [
    type,
    frameSchema(type, row.description, row.fields),
  ]),
  ...framesOf("client"),
]);

/** All frames that a broker of this version sends, by type, except the answers to requests. */
export const serverFrameSchemas: ReadonlyMap<string, JsonSchema> = new Map(framesOf("server"));

/** The answers of a broker of this version to requests that were carried out, by the type of the request. */
export const replySchemas: ReadonlyMap<string, JsonSchema> = new Map(
  Object.entries(requests).map(([type, row]): [string, JsonSchema] => [
    type,
    frameSchema(type === "hello" ? "welcome" : "ok", `The answer to \`${type}\`.`, {
      ...notices.ok.fields,
      ...row.reply,
    }),
  ]),
);
