import type { ErrorObject } from "ajv";
import { ConfigError } from "./config-error.ts";
import { describeAllowed, formatNumber } from "./describe.ts";
import { didYouMean } from "./nearest-name.ts";
import type { Setting } from "./setting.ts";
import { isSettingName, settingNames, settingOf } from "./settings.ts";

const longestShown = 80;

/** A value as it was given, short enough for a sentence, control characters escaped. */
function show(value: unknown): string {
  const json = JSON.stringify(value) ?? String(value);
  return json.length > longestShown ? `${json.slice(0, longestShown)}…` : json;
}

/** Quantities were converted before they were checked: they are shown with a unit again. */
function showValue(setting: Setting, value: unknown): string {
  const isQuantity = setting.kind === "bytes" || setting.kind === "duration";
  return isQuantity && typeof value === "number" ? formatNumber(setting.kind, value) : show(value);
}

const userFields: Record<string, string> = {
  name: "must be 1 to 255 characters, none of them a control character",
  passwordHash: "is not a hash as `posthorn hash-password` prints it",
};

/** A mistake in a list of users. Values are never shown: a password may stand where its hash should. */
function explainUsers(problem: ErrorObject, where: string): ConfigError {
  const [, , index, field] = problem.instancePath.split("/");
  if (index === undefined) return new ConfigError(`users in ${where} must be a list.`, "users");
  const user = `users[${index}]`;
  if (field !== undefined)
    return new ConfigError(`${user}.${field} in ${where} ${userFields[field]}.`, "users");
  if (problem.keyword === "required") {
    return new ConfigError(`${user} in ${where} has no ${problem.params.missingProperty}.`, "users");
  }
  if (problem.keyword === "additionalProperties") {
    const key = show(problem.params.additionalProperty);
    return new ConfigError(
      `${user} in ${where} has the unknown key ${key}; allowed are name and passwordHash.`,
      "users",
    );
  }
  return new ConfigError(`${user} in ${where} must be an object with name and passwordHash.`, "users");
}

/** A mistake in a file that holds nothing but users. */
export function explainUsersFile(problem: ErrorObject, where: string): ConfigError {
  if (problem.instancePath !== "") return explainUsers(problem, where);
  if (problem.keyword === "required") return new ConfigError(`users is missing in ${where}.`, "users");
  const key = show(problem.params.additionalProperty);
  return new ConfigError(`There is an unknown key ${key} in ${where}; allowed is users.`, "users");
}

/** Turns what the schema found into one sentence. `where` is the file, when the values come from one. */
export function explainSettings(
  problem: ErrorObject,
  values: ReadonlyMap<string, unknown>,
  origin: (setting: string) => string,
  where: string,
): ConfigError {
  const [, name = ""] = problem.instancePath.split("/");
  if (name === "" && problem.keyword === "additionalProperties") {
    const key = String(problem.params.additionalProperty);
    const near = didYouMean(key, [...settingNames, "users"]);
    return new ConfigError(`There is no setting ${show(key)}, which stands in ${where}${near}`, key);
  }
  if (!isSettingName(name)) return explainUsers(problem, where);
  const setting = settingOf(name);
  return new ConfigError(
    `${name} from ${origin(name)} is ${showValue(setting, values.get(name))}; allowed is ${describeAllowed(setting)}.`,
    name,
  );
}
