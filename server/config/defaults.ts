import { ConfigError } from "./config-error.ts";
import { formatNumber } from "./describe.ts";
import { memoryBytes } from "./memory-bytes.ts";
import type { NumberSetting, Setting } from "./setting.ts";
import type { SettingName, Settings } from "./settings.ts";
import { settingNames, settingOf } from "./settings.ts";

type Values = Record<string, unknown>;

function isNumber(setting: Setting): setting is NumberSetting {
  return setting.kind === "integer" || setting.kind === "bytes" || setting.kind === "duration";
}

function sum(values: Values, names: readonly string[]): number {
  return names.reduce((total, name) => total + (values[name] as number), 0);
}

function presetOf({ default: preset }: NumberSetting, values: Values): number {
  if (typeof preset === "number") return preset;
  if ("sumOf" in preset) return sum(values, preset.sumOf) + preset.plus;
  return Math.min(Math.floor(memoryBytes() * preset.ofMemory), preset.atMost);
}

function numberDefault(setting: NumberSetting, values: Values): number {
  const value = presetOf(setting, values);
  return setting.atMost === undefined ? value : Math.min(value, values[setting.atMost] as number);
}

function follows(setting: Setting): boolean {
  return isNumber(setting) && (setting.atMost !== undefined || typeof setting.default === "object");
}

/** Fills in what was not given. Defaults that follow other settings come last, when those are known. */
export function withDefaults(given: Partial<Settings>): Settings {
  const values: Values = {};
  const names = [...settingNames].sort(
    (a, b) => Number(follows(settingOf(a))) - Number(follows(settingOf(b))),
  );
  for (const name of names) {
    const setting = settingOf(name);
    if (given[name] !== undefined) values[name] = given[name];
    else if (isNumber(setting)) values[name] = numberDefault(setting, values);
    else values[name] = setting.kind === "optional-path" ? undefined : setting.default;
  }
  return values as Settings;
}

/** Refuses settings that are right each for itself but contradict each other. */
export function checkTogether(settings: Settings, originOf: (name: SettingName) => string | undefined): void {
  const values: Values = settings;
  for (const name of settingNames) {
    const setting = settingOf(name);
    if (setting.kind === "choice" && setting.among !== undefined) {
      const allowed = values[setting.among] as readonly string[];
      if (allowed.includes(values[name] as string)) continue;
      const origin = originOf(name) ?? "its default";
      const message = `${name} from ${origin} is ${values[name]}; allowed is one of ${setting.among}, which is ${allowed.join(",")}.`;
      throw new ConfigError(message, name);
    }
    if (!isNumber(setting)) continue;
    const value = values[name] as number;
    const subject = `${name} from ${originOf(name) ?? "its default"} is ${formatNumber(setting.kind, value)}`;
    if (setting.atMost !== undefined && value > (values[setting.atMost] as number)) {
      const limit = formatNumber(setting.kind, values[setting.atMost] as number);
      throw new ConfigError(`${subject}; allowed is at most ${setting.atMost}, which is ${limit}.`, name);
    }
    if (setting.atLeastSumOf !== undefined && value < sum(values, setting.atLeastSumOf)) {
      const least = formatNumber(setting.kind, sum(values, setting.atLeastSumOf));
      throw new ConfigError(
        `${subject}; allowed is at least ${setting.atLeastSumOf.join(" + ")}, which is ${least}.`,
        name,
      );
    }
  }
}
