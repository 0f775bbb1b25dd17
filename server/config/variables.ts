import { ConfigError } from "./config-error.ts";
import { configFileSetting } from "./flags.ts";
import { didYouMean } from "./nearest-name.ts";
import { settingNames, variableName } from "./settings.ts";
import type { Source } from "./source.ts";
import { valueFromText } from "./source.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

const settingsByVariable = new Map<string, string>(
  [configFileSetting, ...settingNames].map((name) => [variableName(name), name]),
);

/** Reads the `POSTHORN_*` variables. An empty one counts as not set, as compose files and CI systems leave them. */
export function readVariables(env: Environment): Source {
  const values = new Map<string, unknown>();
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith("POSTHORN_") || text === undefined) continue;
    const setting = settingsByVariable.get(variable);
    if (setting === undefined) {
      const known = [...settingsByVariable.keys()];
      throw new ConfigError(`There is no setting for the variable ${variable}${didYouMean(variable, known)}`);
    }
    if (text !== "") values.set(setting, valueFromText(setting, text));
  }
  return { values, origin: (setting) => `the variable ${variableName(setting)}` };
}
