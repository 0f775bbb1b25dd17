import { parseArgs } from "node:util";
import { ConfigError } from "./config-error.ts";
import { didYouMean } from "./nearest-name.ts";
import { flagName, isSettingName, settingNames, settingOf } from "./settings.ts";
import type { Source } from "./source.ts";
import { valueFromText } from "./source.ts";

/** Flag, variable suffix: names the config file itself, and so is no setting that the file could hold. */
export const configFileSetting = "config";

const settingsByFlag = new Map<string, string>(
  [configFileSetting, ...settingNames].map((name) => [flagName(name), name]),
);

function isSwitch(setting: string): boolean {
  return isSettingName(setting) && settingOf(setting).kind === "switch";
}

const options = Object.fromEntries(
  [...settingsByFlag].map(([flag, name]) => [
    flag,
    { type: isSwitch(name) ? ("boolean" as const) : ("string" as const) },
  ]),
);

/**
 * Reads the command line. A flag given again replaces the one before, so that a script's flags can be overridden; only
 * lists add up.
 */
export function readFlags(argv: readonly string[]): Source {
  const values = new Map<string, unknown>();
  // Not strict: the sentences about mistakes are ours.
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, tokens: true });
  for (const token of tokens) {
    if (token.kind === "positional") {
      throw new ConfigError(
        `The argument ${JSON.stringify(token.value)} is not a flag; all settings are flags.`,
      );
    }
    if (token.kind !== "option") continue;
    const setting = settingsByFlag.get(token.name);
    // Its value is not shown: it may be a secret meant for a flag that does not exist.
    if (setting === undefined) {
      const known = [...settingsByFlag.keys()].map((flag) => `--${flag}`);
      throw new ConfigError(`There is no flag ${token.rawName}${didYouMean(token.rawName, known)}`);
    }
    const text = token.value ?? (isSwitch(setting) ? "true" : undefined);
    if (text === undefined || text === "" || (!token.inlineValue && text.startsWith("--"))) {
      throw new ConfigError(`The flag ${token.rawName} needs a value.`, setting);
    }
    const value = valueFromText(setting, text);
    const before = values.get(setting);
    values.set(setting, Array.isArray(before) && Array.isArray(value) ? [...before, ...value] : value);
  }
  return { values, origin: (setting) => `the flag --${flagName(setting)}` };
}
