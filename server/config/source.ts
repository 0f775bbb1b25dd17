import { parseBytes, parseDurationMs } from "./quantity.ts";
import type { Setting } from "./setting.ts";
import { isSettingName, settingOf } from "./settings.ts";

/** Settings as one place gives them: the flags, the variables or the config file. */
export interface Source {
  /** By the settings' names, not yet checked. Names that are no setting may be among them. */
  readonly values: ReadonlyMap<string, unknown>;
  /** How to name a setting's place in a sentence: `the flag --port`. */
  origin(setting: string): string;
}

/**
 * Text that was meant as another type, as that type. What cannot be read stays as it is, for the schema to refuse:
 * there is one place that judges values.
 */
function fromText(setting: Setting, text: string): unknown {
  switch (setting.kind) {
    case "switch":
      if (text === "true" || text === "1") return true;
      return text === "false" || text === "0" ? false : text;
    case "origins":
    case "choices":
      return text
        .split(",")
        .map((item) => item.trim())
        .filter((item) => item !== "");
    case "integer":
      return /^-?\d+$/.test(text.trim()) ? Number(text) : text;
    case "bytes":
      return parseBytes(text) ?? text;
    case "duration":
      return parseDurationMs(text) ?? text;
    default:
      return text;
  }
}

/** Reads a value that came as text: a flag's or a variable's. */
export function valueFromText(name: string, text: string): unknown {
  return isSettingName(name) ? fromText(settingOf(name), text) : text;
}

/** Reads a value that came as JSON, where only quantities with a unit are written as text. */
export function valueFromJson(name: string, value: unknown): unknown {
  if (typeof value !== "string" || !isSettingName(name)) return value;
  const setting = settingOf(name);
  return setting.kind === "bytes" || setting.kind === "duration" ? fromText(setting, value) : value;
}
