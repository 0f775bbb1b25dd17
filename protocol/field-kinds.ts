import type { ErrorCode } from "./errors.ts";
import { boolean, integer, map, optional, string } from "./schema.ts";

/** Kinds of fields that frames have many of. */

export const maxInteger = Number.MAX_SAFE_INTEGER;
export const id = integer({
  minimum: 1,
  maximum: maxInteger,
  description: "Chosen by the client; the answer carries it.",
});
// Names are limited in bytes of UTF-8, which a schema cannot say; the broker checks that.
export const name = (description: string) => string({ maxLength: 255, description });
export const errorCode = (description: string) => string<ErrorCode>({ description });
export const table = (description: string) => map<{ readonly [name: string]: unknown }>(description);
export const flag = (description: string) => optional(boolean(description));
export const number = (description: string) => integer({ minimum: 1, maximum: maxInteger, description });
export const count = (description: string) => integer({ minimum: 0, maximum: maxInteger, description });
