import { isIP } from "node:net";
import { Ajv } from "ajv";
import { isPasswordHash } from "../broker/password-hash.ts";
import type { Setting } from "./setting.ts";
import { settingNames, settingOf } from "./settings.ts";

type JsonSchema = { readonly [keyword: string]: unknown };

function isHost(text: string): boolean {
  return (
    isIP(text) !== 0 ||
    /^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$/.test(text)
  );
}

/** `*`, `null`, or an origin exactly as a browser writes it: anything else would silently never match. */
function isAllowedOrigin(text: string): boolean {
  if (text === "*" || text === "null") return true;
  if (!URL.canParse(text)) return false;
  const { protocol, origin } = new URL(text);
  // Apps in a web view and browser extensions have schemes of their own, for which URL computes no origin.
  return protocol === "http:" || protocol === "https:"
    ? origin === text
    : /^[a-z][a-z0-9+.-]*:\/\/[^/?#@\sA-Z]*$/.test(text);
}

const ajv = new Ajv();
ajv.addFormat("host", isHost);
ajv.addFormat("allowed-origin", isAllowedOrigin);
ajv.addFormat("password-hash", isPasswordHash);

function schemaOf(setting: Setting): JsonSchema {
  switch (setting.kind) {
    case "text":
      return {
        type: "string",
        minLength: 1,
        ...(setting.format === undefined ? {} : { format: setting.format }),
      };
    case "optional-path":
      return { type: "string", minLength: 1 };
    case "choice":
      return { enum: setting.choices };
    case "choices":
      return { type: "array", items: { enum: setting.choices }, minItems: 1 };
    case "switch":
      return { type: "boolean" };
    case "origins":
      return { type: "array", items: { type: "string", format: "allowed-origin" } };
    default:
      return { type: "integer", minimum: setting.minimum, maximum: setting.maximum };
  }
}

const usersSchema: JsonSchema = {
  type: "array",
  items: {
    type: "object",
    additionalProperties: false,
    required: ["name", "passwordHash"],
    properties: {
      name: { type: "string", minLength: 1, maxLength: 255, pattern: "^\\P{Cc}*$" },
      passwordHash: { type: "string", format: "password-hash" },
    },
  },
};

/** What one source may give, quantities already converted to numbers. */
export const validateSettings = ajv.compile({
  type: "object",
  additionalProperties: false,
  properties: {
    ...Object.fromEntries(settingNames.map((name) => [name, schemaOf(settingOf(name))])),
    users: usersSchema,
  },
});

/** What a users file may hold. */
export const validateUsersFile = ajv.compile({
  type: "object",
  additionalProperties: false,
  required: ["users"],
  properties: { users: usersSchema },
});
