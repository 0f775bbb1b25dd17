/** The protocol `posthorn.v1`: frames, codecs, errors and names. Runs anywhere and depends on nothing. */
export * from "./binary-codec.ts";
export * from "./binary-frames.ts";
export { ByteReader } from "./byte-reader.ts";
export { ByteWriter } from "./byte-writer.ts";
export * from "./envelope.ts";
export * from "./errors.ts";
export { messageFrameCodes } from "./frame-codes.ts";
export * from "./frame-schemas.ts";
export * from "./frames.ts";
export { headersFromJson, headersToJson } from "./header-json.ts";
export type { HeaderValue } from "./header-value.ts";
export * from "./json-codec.ts";
export type { Message } from "./message.ts";
export * from "./names.ts";
export type { JsonSchema } from "./schema.ts";
export * from "./version.ts";
